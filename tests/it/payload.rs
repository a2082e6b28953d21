//! Hostile and mistaken payloads. Each directory `tests/payloads/*` has the `[payload]` tables of a catalog, a script that
//! makes what they name, and the complete error text. Adding a case needs no Rust.
//!
//! `UPDATE=1 cargo test -p tests --test it payload` rewrites the expected texts; read the difference before you commit it.

use std::fs;
use std::path::{Path, PathBuf};

use support::command::{both, run, sh, xtask};
use support::scratch::scratch;

use crate::catalog::difference;
use crate::repo::toolchain;

/// The rest of the catalog; a case comes first, so that its lines have their own numbers.
pub(crate) const REST: &str = r#"
[product]
name = "team"
package = "team-services"
summary = "programs of a team"
description = "A team's programs."
maintainer = "Team <team@example.org>"
license = "MIT"
copyright = "2026 Team"
homepage = "https://example.org/team"
[[release]]
version = "1.0.0"
date = "2026-11-20"
changes = ["First release."]
[account.team]
description = "Team"
home = "/var/lib/team"
[service.good]
description = "Good"
user = "team"
exec = ["/bin/true"]
"#;

#[test]
fn every_fault_of_a_payload_is_reported_and_nothing_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("payloads");
    let mut cases: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 110, "only {} cases", cases.len());
    let mut failures = String::new();
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap();
        let dir = scratch(&format!("payload-{name}"));
        if case.join("make.sh").exists() {
            let script = fs::read_to_string(case.join("make.sh")).unwrap();
            let wheels = Path::new(env!("CARGO_MANIFEST_DIR")).join("support");
            sh(&dir, &format!("export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={}\n{script}", wheels.display()));
        }
        let tables = fs::read_to_string(case.join("payload.toml")).unwrap();
        fs::write(dir.join("catalog.toml"), tables + REST).unwrap();
        let mut command = std::process::Command::new(toolchain());
        command.current_dir(&*dir).args(["dist", "--catalog", "catalog.toml", "--out", "out"]);
        // Other tests run at the same time.
        command.env("CARGO_TARGET_DIR", dir.join("target"));
        let output = run(&mut command);
        let place = dir.to_str().unwrap();
        let found = String::from_utf8_lossy(&output.stderr).replace(place, "DIR");
        if output.status.code() != Some(78) || !output.stdout.is_empty() || dir.join("out").exists() {
            failures += &format!("{name}: {}: {}\n", output.status, both(&output));
        }
        let file = case.join("expected.txt");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &found).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if found != expected {
            failures += &format!("--- {}\n+++ found\n{}", file.display(), difference(&expected, &found));
        }
        for line in
            found.lines().filter(|line| !line.starts_with("error: catalog.toml:") || line.ends_with('.'))
        {
            failures += &format!("{name}: not of the form of a message: {line}\n");
        }
        // A path that is too long for a program that removes by path.
        sh(&dir, "rm -rf app");
    }
    assert!(failures.is_empty(), "\n{failures}UPDATE=1 accepts what was found\n");
}

/// A program that nobody brings is a warning, because an administrator may install it.
#[test]
fn a_program_that_nobody_brings_is_a_warning() {
    let dir = scratch("origin");
    for (program, more, warns) in [
        ("/opt/team/run", "", true),
        ("/usr/bin/python3", "", true),
        ("/usr/local/bin/run", "external = \"the team\"", false),
        ("/usr/bin/env", "", false),
    ] {
        let service = format!(
            "[service.own]\ndescription = \"Own\"\nuser = \"team\"\nexec = [\"{program}\"]\n{more}\n"
        );
        fs::write(dir.join("catalog.toml"), service + REST).unwrap();
        let mut command = xtask(&["check", "--catalog"]);
        let output = run(command.arg(dir.join("catalog.toml")));
        assert!(output.status.success(), "{}", both(&output));
        let warning =
            format!("warning: team: service.own: neither the package nor a dependency has `{program}`: ");
        assert_eq!(both(&output).contains(&warning), warns, "{program}: {}", both(&output));
    }
    // Python's package brings it.
    let text =
        fs::read_to_string(dir.join("catalog.toml")).unwrap().replace("/usr/bin/env", "/usr/bin/python3");
    let text = text.replace("[[release]]", "depends.deb = [\"python3 (>= 3.11)\"]\n[[release]]");
    fs::write(dir.join("catalog.toml"), text).unwrap();
    let mut command = xtask(&["check", "--catalog"]);
    let output = run(command.arg(dir.join("catalog.toml")));
    assert!(output.status.success() && !both(&output).contains("warning"), "{}", both(&output));
}

#[test]
fn a_payload_of_the_command_line() {
    let dir = scratch("payload-given");
    fs::create_dir_all(dir.join("other")).unwrap();
    fs::write(dir.join("other/words"), "words\n").unwrap();
    let service = "[payload.code]\nfiles = {}\notherwise = \"/opt/code\"\n[service.own]\ndescription = \"Own\"\n\
                   user = \"team\"\nexec = [\"/bin/cat\", \"${payload.code}/words\"]\n";
    fs::write(dir.join("catalog.toml"), service.to_owned() + REST).unwrap();
    let dist = |payload: &[&str]| {
        let mut command = std::process::Command::new(toolchain());
        command.current_dir(&*dir).args([
            "dist",
            "--catalog",
            "catalog.toml",
            "--out",
            "out",
            "--format",
            "deb",
        ]);
        run(command.args(payload))
    };
    let list = || {
        sh(
            &dir,
            "dpkg-deb --fsys-tarfile out/*_all.deb | tar -xO ./usr/lib/systemd/system/team-own.service; dpkg-deb -c out/*_all.deb",
        )
    };
    assert!(dist(&[]).status.success());
    assert!(list().contains("/bin/cat /opt/code/words") && !list().contains("./usr/lib/team"), "{}", list());
    let given = dist(&["--payload", "code=other"]);
    assert!(given.status.success(), "{}", both(&given));
    assert!(
        list().contains("/bin/cat /usr/lib/team/code/words") && list().contains("./usr/lib/team/code/words")
    );
    for (words, status, text) in [
        (
            &["--payload", "cod=other"][..],
            1,
            "error: --payload cod: no selected product has a payload of this name",
        ),
        (&["--payload", "code=none"], 1, "does not exist: correct the path"),
        (
            &["--payload", "code=other", "--payload", "code=other"],
            1,
            "error: --payload code: given twice: keep one",
        ),
        (&["--payload", "code"], 2, "expected NAME=PATH, such as app=../my-app"),
    ] {
        let output = dist(words);
        assert_eq!(output.status.code(), Some(status), "{}", both(&output));
        assert!(both(&output).contains(text), "{}", both(&output));
    }
}
