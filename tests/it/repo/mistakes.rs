//! Invalid input gives one clear line, and no files are half-written.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use support::account::Account;
use support::command::{both, ok, root, run, sh};
use support::scratch::scratch;
use testbed::host;

use super::{key, packages, repo, toolchain};
use crate::image_root::copy_of_checkout;

#[test]
fn what_is_no_key_to_sign_with_is_refused_in_one_line_and_nothing_is_published() {
    host::need(&[("gpg", "gpg")]).unwrap();
    let dir = scratch("repo-bad-keys");
    let good = fs::read_to_string(key()).unwrap();
    sh(
        &dir,
        "export GNUPGHOME=$PWD/gnupg; mkdir -m 700 gnupg; umask 077
         gpg --quiet --batch --passphrase '' --quick-generate-key ed@example.org ed25519 sign never
         gpg --quiet --batch --pinentry-mode loopback --passphrase secret --quick-generate-key pass@example.org rsa2048 sign never
         gpg --quiet --batch --passphrase '' --quick-generate-key short@example.org rsa1024 sign never
         gpg --quiet --batch --passphrase '' --quick-generate-key cert@example.org rsa2048 cert never
         gpg --quiet --batch --passphrase '' --faked-system-time 20200101T000000! --quick-generate-key old@example.org rsa2048 sign 1y
         gpg --quiet --batch --passphrase '' --cert-digest-algo SHA1 --quick-generate-key sha1@example.org rsa2048 sign never
         for name in ed short cert old sha1; do gpg --batch --armor --export-secret-keys $name@ >$name; done
         gpg --batch --pinentry-mode loopback --passphrase secret --armor --export-secret-keys pass@ >pass
         gpg --batch --armor --export ed@ >public",
    );
    let put = |name: &str, bytes: &[u8]| {
        fs::write(dir.join(name), bytes).unwrap();
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    };
    put("empty", b"");
    put("text", "Ich bin ein Schlüssel.\n".as_bytes());
    put("bytes", &[0xff, 0, 3, 9]);
    put("latin", b"Schl\xfcssel\n");
    put("cut", &good.as_bytes()[..good.len() / 2]);
    put("damaged", good.replacen("\n\nx", "\n\ny", 1).as_bytes());
    put("huge", &vec![b'x'; 2 << 20]);
    put("open", good.as_bytes());
    fs::set_permissions(dir.join("open"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(dir.join("folder")).unwrap();
    fs::create_dir(dir.join("repo")).unwrap();
    put("repo/served", good.as_bytes());
    for (name, says) in [
        ("missing", "make one with `cargo xtask key new FILE`"),
        ("empty", "no line `-----BEGIN PGP PRIVATE KEY BLOCK-----`"),
        ("text", "no line `-----BEGIN PGP PRIVATE KEY BLOCK-----`"),
        ("bytes", "not a signing key"),
        ("latin", "neither text nor OpenPGP"),
        ("cut", "no line `-----END PGP PRIVATE KEY BLOCK-----`"),
        ("damaged", "the file is damaged"),
        ("huge", "longer than any key"),
        ("open", "run `chmod 600 "),
        ("folder", "not a file"),
        ("repo/served", "is in the published folder"),
        ("public", "no line `-----BEGIN PGP PRIVATE KEY BLOCK-----`"),
        ("ed", "not an RSA key"),
        ("pass", "has a passphrase"),
        ("short", "has 1024 bits"),
        ("cert", "may not sign"),
        ("old", "has expired"),
        ("sha1", "certifies itself with a hash that apt refuses"),
    ] {
        let mut command = std::process::Command::new(toolchain());
        command.current_dir(root()).env("CARGO_MANIFEST_DIR", root().join("xtask")).arg("repo");
        command
            .arg("--key")
            .arg(dir.join(name))
            .arg("--dist")
            .arg(dir.join("none"))
            .arg("--out")
            .arg(dir.join("repo"));
        let output = run(&mut command);
        let said = both(&output);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(
            said.starts_with("error: ") && said.lines().count() == 1 && said.contains(says),
            "{name}: {said}"
        );
        assert!(!said.contains("BEGIN PGP PRIVATE KEY BLOCK-----\n"), "{name}");
        let left = sh(&dir.join("repo"), "find . -type f");
        assert_eq!(left.trim(), "./served", "{name}");
    }
}

#[test]
fn a_key_comes_from_the_environment_and_is_never_shown() {
    let dir = scratch("repo-environment");
    let mut command = std::process::Command::new(toolchain());
    command.current_dir(root()).env("CARGO_MANIFEST_DIR", root().join("xtask")).arg("repo");
    command.arg("--dist").arg(dir.join("none")).arg("--out").arg(dir.join("repo"));
    let output = run(command.env_remove("REPO_KEY"));
    assert!(both(&output).contains("no key to sign the packages with"), "{}", both(&output));
    assert_eq!(output.status.code(), Some(1));
    let text = fs::read_to_string(key()).unwrap();
    let output = run(command.env("REPO_KEY", &text));
    assert!(output.status.success(), "{}", both(&output));
    let secret: Vec<&str> = text.lines().filter(|line| line.len() == 64).skip(20).collect();
    let shown = both(&output) + &sh(&dir, "cat $(find repo -type f) | tr -cd \'[:print:]\\n\'");
    assert!(secret.len() > 20 && secret.iter().all(|line| !shown.contains(line)));
    // An existing key is not replaced, and no key is created where it could be published.
    let output = run(support::command::xtask(&["key", "new", "--name", "A <a@b.c>"]).arg(key()));
    assert!(both(&output).contains("already exists"), "{}", both(&output));
    let output = run(&mut support::command::xtask(&["key", "new", "--name", "A <a@b.c>", "key.asc"]));
    assert!(both(&output).contains("is in the checkout"), "{}", both(&output));
    let output = run(
        support::command::xtask(&["key", "new", "--name", "A\nB <a@b.c>"]).arg(key().with_file_name("k"))
    );
    assert!(
        both(&output).contains("write \"Name <address>\"") && !key().with_file_name("k").exists(),
        "{}",
        both(&output)
    );
}

#[test]
fn what_cannot_be_published_is_said_in_one_line() {
    let dir = scratch("repo-bad");
    let (given, out) = (dir.join("dist"), dir.join("repo"));
    packages(&given, "wind", &["1.0.0"]);
    ok(&mut repo(&given, &out));
    let before = sh(&out, "find . -type f | sort | xargs sha256sum");
    let says = |args: &[&str], code: i32, text: &str| {
        let output = run(repo(&given, &out).args(args));
        let said = both(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(text), "{args:?}: {said}");
        if code == 1 {
            // Notes about packages that are left out may come first.
            assert_eq!(said.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{said}");
            assert!(said.lines().last().unwrap().starts_with("error: "), "{said}");
        }
        assert_eq!(sh(&out, "find . -type f | sort | xargs sha256sum"), before, "{args:?}");
    };
    says(&["rain"], 1, "`rain`: no packages in");
    says(&["--withdraw", "wind=2.0.0"], 1, "`wind=2.0.0`: not published: expected one of ");
    says(&["--phase", "wind=2.0.0:10"], 1, "`wind=2.0.0`: not published");
    says(&["--withdraw", "wind"], 2, "expected NAME=VERSION");
    says(&["--withdraw", "../x=1"], 2, "NAME=VERSION");
    says(&["--phase", "wind=1.0.0:0"], 2, "withdraw it");
    says(&["--phase", "wind=1.0.0:101"], 2, "1 to 100");
    says(&["--suite", "../x"], 2, "a suite's name");
    says(&["--valid-for", "0"], 2, "--valid-for");
    says(&["--url", "ftp://x"], 1, "invalid URL ");
    says(&["--url", "https://x/\nDeb: y"], 1, "invalid URL ");
    says(&["--description", "/dev/null"], 1, "not a description of a repository");
    says(&["--description", "catalog"], 1, "not a description of a repository");
    says(&["--description", "Cargo.toml"], 1, "`Cargo.toml`: ");
    says(&["--key", key().to_str().unwrap()], 1, "given twice");

    // Invalid input is rejected before the first file is written, so all these errors repeat.
    packages(&given, "wind", &["1.1.0"]);
    says(&["--phase", "wind=1.2.0:10"], 1, "`wind=1.2.0`: not published for apt: expected one of ");
    says(&["--phase", "wind=1.1.0:10", "--withdraw", "wind=1.1.0"], 1, "`wind=1.1.0`: not published for apt");
    says(
        &["--phase", "wind=1.1.0:10", "--withdraw", "wind=1.2.0"],
        1,
        "`wind=1.2.0`: not published: expected one of ",
    );
    let manifest = fs::read_to_string(given.join("manifest.json")).unwrap();
    for (from, to) in [("wind_1.1.0_all.deb", "../wind.deb"), ("\"package\":\"wind\"", "\"package\":\"\"")] {
        fs::write(given.join("manifest.json"), manifest.replacen(from, to, 1)).unwrap();
        says(&[], 1, "an invalid name");
    }
    packages(&given, "wind", &["1.0.0"]);

    // The same version with different content, which clients already have.
    let manifest = fs::read_to_string(given.join("manifest.json")).unwrap();
    let (_, rest) = manifest.split_once("\"sha256\":\"").unwrap();
    let other = manifest.replacen(&rest[..64], &"0".repeat(64), 1);
    fs::write(given.join("manifest.json"), other).unwrap();
    says(&[], 1, "already published with other content");
    packages(&given, "wind", &["1.1.0"]);
    fs::write(given.join("wind_1.1.0_all.deb"), "no package").unwrap();
    says(&[], 1, "does not match manifest.json");
    fs::remove_file(given.join("wind_1.1.0_all.deb")).unwrap();
    says(&[], 1, "cannot be read");
    fs::write(given.join("manifest.json"), "{").unwrap();
    says(&[], 1, "manifest.json`");
}

/// A program that records everything it can learn from itself and its parent, and then fails.
const CURIOUS: &str = "#!/bin/sh
{ env; cat; cat /proc/$PPID/environ; cat /proc/$$/fd/0; cat /proc/$PPID/fd/0; } </dev/stdin >>SEEN 2>/dev/null
for fd in /proc/$$/fd/* /proc/$PPID/fd/*; do if [ -f $fd ]; then cat $fd; fi; done >>SEEN.files 2>/dev/null
exit 1
";

#[test]
fn a_key_of_the_environment_is_handed_to_nobody() {
    let dir = scratch("repo-hand-over");
    let text = fs::read_to_string(key()).unwrap();
    let programs = ["cargo", "rustc", "systemd-analyze", "shellcheck", "mandoc"];
    fs::create_dir(dir.join("bin")).unwrap();
    for name in programs {
        let program = dir.join("bin").join(name);
        let seen = dir.join(format!("{name}.seen")).display().to_string();
        fs::write(&program, CURIOUS.replace("SEEN", &seen)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", dir.join("bin").display(), std::env::var("PATH").unwrap());
    let start = |args: &[&str]| {
        let mut command = std::process::Command::new(toolchain());
        command.current_dir(root()).env("CARGO_MANIFEST_DIR", root().join("xtask")).args(args);
        // A folder without built tools or packages.
        command.env("CARGO_TARGET_DIR", dir.join("target"));
        run(command.env("PATH", &path).env("REPO_KEY", &text).stdin(std::process::Stdio::null()))
    };
    let [none, out] = ["none", "repo"].map(|name| dir.join(name).display().to_string());
    let published = start(&["repo", "--dist", &none, "--out", &out]);
    let checked = start(&["check"]);
    assert!(!both(&checked).contains("REPO_KEY"), "{}", both(&checked));
    let seen = sh(&dir, "cat *.seen *.seen.files | tr -c '[:print:]' '\\n'");
    // At least one of each.
    for name in ["cargo.seen", "systemd-analyze.seen"] {
        assert!(dir.join(name).exists(), "nobody was curious: {}{}", both(&published), both(&checked));
    }
    assert!(seen.contains("CARGO_MANIFEST_DIR="), "{seen}");
    let secret: Vec<&str> = text.lines().filter(|line| line.len() == 64).skip(20).collect();
    assert!(secret.len() > 20);
    let told = secret.iter().any(|line| seen.contains(line));
    assert!(!told && !seen.contains("REPO_KEY"), "a program got the key");
    // The key was available to the program that needs it, although those programs failed.
    assert!(!both(&published).contains("no key"), "{}", both(&published));
}

#[test]
fn a_program_of_the_same_user_cannot_look_into_one_that_has_a_key() {
    let account = Account::new("key");
    let home = account.home.display();
    let checkout = account.home.join("checkout");
    fs::create_dir(&checkout).unwrap();
    copy_of_checkout(&checkout);
    fs::copy(toolchain(), account.home.join("xtask")).unwrap();
    fs::copy(key(), account.home.join("key")).unwrap();
    let curious = "#!/bin/sh
        for name in environ maps fd/0; do
            if cat /proc/$PPID/$name >/dev/null; then echo $name is read; else echo $name is refused; fi
        done >SEEN 2>/dev/null
        exit 1\n";
    fs::create_dir(account.home.join("bin")).unwrap();
    let program = account.home.join("bin/cargo");
    fs::write(&program, curious.replace("SEEN", &account.home.join("seen").display().to_string())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    sh(root(), &format!("chown --recursive {}: {home}", account.name));
    for words in [&["--key", "key"][..], &[]] {
        let mut command = account.command(&account.home.join("xtask"));
        command.args(["repo", "--dist", "none", "--out", "repo"]).args(words);
        command.env("PATH", format!("{home}/bin:/usr/bin:/bin")).env("CARGO_MANIFEST_DIR", &checkout);
        let output = run(command.env("REPO_KEY", fs::read_to_string(key()).unwrap()));
        let seen =
            fs::read_to_string(account.home.join("seen")).unwrap_or_else(|_| panic!("{}", both(&output)));
        assert_eq!(seen, "environ is refused\nmaps is refused\nfd/0 is refused\n");
        fs::remove_file(account.home.join("seen")).unwrap();
    }
}
