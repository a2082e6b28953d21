//! The packages pass the distributions' lint tools, except for overrides with a reason.

use std::fs;
use std::process::Command;

use serde_json::Value;
use support::command::{both, dist, root, run, sh};
use support::scratch::scratch;
use testbed::{Machine, Suite};

use crate::docs::texts;

const LINTIAN: &str =
    "lintian --pedantic -I -E --fail-on pedantic,info,experimental,warning,error --allow-root";

/// Up to version 2.116, lintian requires an init script for every unit. Later versions do not know the tag
/// and reject an override of it, so the package cannot contain one. These services only run under systemd.
const WITHDRAWN: &str = "package-supports-alternative-init-but-no-init.d-script";

#[test]
fn lintian_says_nothing() {
    testbed::host::need(&[("lintian", "lintian")]).unwrap();
    let mut command = Command::new("lintian");
    command.args(options());
    let debs = dist().paths.iter().filter(|p| p.extension().is_some_and(|e| e == "deb"));
    let output = run(command.args(debs));
    assert_eq!(complaints(&both(&output)), "");
}

/// Lintian's output, without words that it finds in machine code: spelling mistakes of ours would be in our
/// sources. Virtual environments have the same overrides in every package, and one of the packages needs each.
fn complaints(said: &str) -> String {
    let is_machine_code = |line: &&str| {
        let mut words =
            line.split_whitespace().skip_while(|word| *word != "spelling-error-in-binary").skip(1);
        words.next().is_some_and(|word| {
            let grep = [
                "grep",
                "--quiet",
                "--fixed-strings",
                "--word-regexp",
                "-e",
                word,
                "--",
                "src",
                "Cargo.lock",
            ];
            run(Command::new("git").args(grep).current_dir(root())).status.code() == Some(1)
        })
    };
    let environments =
        texts("tests/golden").iter().filter(|(_, text)| text.contains("/venv/bin/python3]")).count();
    assert!(environments >= 3, "{environments}");
    let is_needed_elsewhere = |line: &&str| {
        let tag = line.split("unused-override ").nth(1).and_then(|rest| rest.split(' ').next());
        tag.is_some_and(|tag| {
            let unused = said.lines().filter(|line| line.contains(&format!(" unused-override {tag} ")));
            (line.contains("/venv/") || tag == "spelling-error-in-copyright")
                && unused.count() < 2 * environments
        })
    };
    let is_count = |line: &&str| line.starts_with("N: ") && line.contains("unused override");
    said.lines()
        .filter(|line| !is_machine_code(line) && !is_needed_elsewhere(line) && !is_count(line))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Options with which lintian reports everything.
pub(crate) fn options() -> Vec<String> {
    let known = run(Command::new("lintian-explain-tags").arg(WITHDRAWN)).status.success();
    let words = LINTIAN.split(' ').skip(1).map(str::to_owned);
    words.chain(known.then(|| format!("--suppress-tags={WITHDRAWN}"))).collect()
}

#[test]
fn rpmlint_says_nothing_of_the_signed_packages() {
    testbed::host::need(&[("rpmlint", "rpmlint"), ("rpmsign", "rpm"), ("gpg", "gnupg")]).unwrap();
    let dir = scratch("rpmlint");
    let manifest: Value =
        serde_json::from_slice(&fs::read(dist().dir.join("manifest.json")).unwrap()).unwrap();
    for package in manifest["packages"].as_array().unwrap().iter().filter(|p| p["format"] == "rpm") {
        let product = dir.join(package["product"].as_str().unwrap());
        fs::create_dir_all(&product).unwrap();
        let file = package["file"].as_str().unwrap();
        fs::copy(dist().dir.join(file), product.join(file)).unwrap();
    }
    // Published packages are signed; this test uses its own key. rpmlint looks for it in rpm's default
    // database, which is in the home of this test.
    sh(
        &dir,
        "export HOME=$PWD GNUPGHOME=$PWD/gpg
         mkdir -m 700 gpg
         printf '%s\\n' \"%_dbpath $PWD/db\" '%_gpg_name Test' \"%__gpg $(command -v gpg)\" >.rpmmacros
         gpg --batch --quiet --passphrase '' --quick-generate-key 'Test <test@example.org>' rsa2048 sign never 2>&1
         gpg --batch --armor --export >key.asc
         rpm --initdb && rpmkeys --import key.asc
         rpmsign --addsign */*.rpm >sign.log 2>&1 || { cat sign.log >&2; exit 1; }
         gpgconf --kill all",
    );
    for product in workspace::Workspace::find().products().unwrap() {
        let settings = root().join("tests/golden").join(&product).join("rpm/rpmlint.toml");
        let mut command = Command::new("sh");
        command.current_dir(dir.join(&product)).env("HOME", &*dir);
        let output = run(command.args(["-c", &format!("rpmlint -c {} *.rpm", settings.display())]));
        assert!(
            both(&output).contains("2 packages and 0 specfiles checked; 0 errors, 0 warnings"),
            "{}",
            both(&output)
        );
    }
}

#[test]
fn the_lintian_of_another_suite_says_nothing_either() {
    let stage = Machine::on(Suite::Trixie).with(&["lintian"]).stage().unwrap();
    for deb in dist().paths.iter().filter(|p| p.extension().is_some_and(|e| e == "deb")) {
        stage.put_file(deb, &format!("/tmp/{}", deb.file_name().unwrap().to_str().unwrap())).unwrap();
    }
    assert_eq!(complaints(stage.run(&format!("{LINTIAN} /tmp/*.deb 2>&1")).text()), "");
}
