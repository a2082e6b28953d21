//! What distributions' lint tools say of the packages: nothing but what is overridden with a reason.

use std::fs;
use std::process::Command;

use crate::command::{both, dist, ok, run, sh};
use crate::scratch::scratch;

#[test]
fn lintian_says_nothing() {
    xtask::host::need(&[("lintian", "lintian")]).unwrap();
    let mut command = Command::new("lintian");
    command.args([
        "--pedantic",
        "-I",
        "-E",
        "--fail-on",
        "pedantic,info,experimental,warning,error",
        "--allow-root",
    ]);
    let debs = dist().paths.iter().filter(|p| p.extension().is_some_and(|e| e == "deb"));
    let output = run(command.args(debs));
    assert_eq!(both(&output), "");
    assert!(output.status.success());
}

#[test]
fn rpmlint_says_nothing_of_the_signed_packages() {
    xtask::host::need(&[("rpmlint", "rpmlint"), ("rpmsign", "rpm"), ("gpg", "gnupg")]).unwrap();
    let dir = scratch("rpmlint");
    for rpm in dist().paths.iter().filter(|p| p.extension().is_some_and(|e| e == "rpm")) {
        fs::copy(rpm, dir.join(rpm.file_name().unwrap())).unwrap();
    }
    // Packages are published signed; a key of this test's own does here.
    sh(
        &dir,
        "export GNUPGHOME=$PWD/gpg; mkdir -m 700 gpg
         gpg --batch --quiet --passphrase '' --quick-generate-key 'Test <test@example.org>' rsa2048 sign never 2>&1
         rpmsign --define '_gpg_name Test' --define \"__gpg $(command -v gpg)\" --addsign *.rpm >&2 2>sign.log || { cat sign.log; exit 1; }
         gpgconf --kill all",
    );
    let products: Vec<_> = fs::read_dir(crate::command::root().join("tests/golden"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    for product in products {
        let settings = product.join("rpm/rpmlint.toml");
        let head = fs::read_to_string(&settings).unwrap();
        let package = head
            .lines()
            .next()
            .unwrap()
            .trim_start_matches("# What rpmlint is told of ")
            .split(". ")
            .next()
            .unwrap()
            .to_owned();
        let said = ok(Command::new("sh")
            .current_dir(&*dir)
            .args(["-c", &format!("rpmlint -c {} {package}-*.rpm 2>&1", settings.display())]));
        assert!(said.contains("0 errors, 0 warnings"), "{said}");
    }
}
