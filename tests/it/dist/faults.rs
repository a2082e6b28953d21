//! `cargo xtask dist` with wrong or missing input, and while another run is active.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use support::command::{dist, root, run, sh, xtask};
use support::scratch::scratch;

use super::WEATHER;

#[test]
fn nothing_is_written_when_a_catalog_is_wrong() {
    let dir = scratch("wrong");
    fs::write(dir.join("bad.toml"), WEATHER.replace("user = \"weather\"", "user = \"wether\"")).unwrap();
    let output =
        run(xtask(&["dist", "--catalog"]).arg(dir.join("bad.toml")).arg("--out").arg(dir.join("dist")));
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = format!(
        "error: {}/bad.toml:24: service.reader.user: unknown account \"wether\": did you mean \"weather\"?\n",
        dir.display()
    );
    assert_eq!(said, expected);
    assert!(!dir.join("dist").exists());
}

#[test]
fn a_missing_target_is_installed_or_the_ways_out_are_named() {
    let dir = scratch("target");
    let real = sh(root(), "command -v rustc");
    let stub = |name: &str, body: &str| {
        fs::write(dir.join(name), format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    // A toolchain without the target's library, and a rustup that cannot reach its server.
    stub(
        "rustc",
        &format!(
            "case \"$*\" in *target-libdir*) echo {}/none;; *) exec {} \"$@\";; esac",
            dir.display(),
            real.trim()
        ),
    );
    stub("rustup", &format!("echo \"$*\" >>{}/asked; exit 1", dir.display()));
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    let mut command = xtask(&["dist", "rovi", "--format", "deb", "--target", "aarch64-unknown-linux-musl"]);
    let output = run(command.env("PATH", path).arg("--out").arg(dir.join("dist")));
    let said = String::from_utf8(output.stderr).unwrap();
    // Other tests also run `dist` in this checkout, and one run waits for the other.
    let said: String =
        said.split_inclusive('\n').filter(|l| !l.starts_with("waiting for another run")).collect();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        said,
        "installing Rust's standard library for aarch64-unknown-linux-musl: rustup target add aarch64-unknown-linux-musl
error: Rust's standard library for aarch64-unknown-linux-musl cannot be installed: rustup is missing or cannot reach its \
server: run `rustup target add aarch64-unknown-linux-musl` when online, or install your distribution's package of it \
(Debian: libstd-rust-dev for the machine's own processor), or choose other targets with --target
"
    );
    assert_eq!(fs::read_to_string(dir.join("asked")).unwrap(), "target add aarch64-unknown-linux-musl\n");
}

#[test]
fn a_full_disk_is_said_and_leaves_no_half_package() {
    // A separate file system that is too small for a package.
    let dir = scratch("full");
    let cargo = env!("CARGO");
    let script = format!(
        "mkdir disk
         exec unshare --mount sh -euc '
             mount -t tmpfs -o size=100k tmpfs disk
             cd {root}
             ! {cargo} xtask dist rovi --format deb --target x86_64-unknown-linux-musl --out {dir}/disk 2>&1 | tail -n 1
             ls {dir}/disk
             mount -o remount,size=10M {dir}/disk
             {cargo} xtask dist rovi --format deb --target x86_64-unknown-linux-musl --out {dir}/disk 2>&1 | tail -n 1
             mount -o remount,ro {dir}/disk
             {cargo} xtask dist rovi --format deb --target x86_64-unknown-linux-musl --out {dir}/disk 2>&1 | tail -n 1'",
        root = root().display(),
        dir = dir.display()
    );
    let said = sh(&dir, &script).replace(dir.to_str().unwrap(), "DIR");
    let deb = "DIR/disk/rovi-services_0.1.0_amd64.deb";
    assert_eq!(
        said,
        format!(
            "error: cannot write `{deb}`: No space left on device (os error 28)
{deb}
error: cannot write `{deb}`: Read-only file system (os error 30)
"
        )
    );
}

#[test]
fn two_runs_at_once_do_not_mix_their_files() {
    let dir = scratch("at-once");
    let path = |name: &str| dir.join(name).display().to_string();
    for (name, summary) in [("one.toml", "reads first"), ("two.toml", "reads second")] {
        fs::write(path(name), WEATHER.replace("reads the wind", summary)).unwrap();
    }
    let start = |name: &str| {
        let mut command =
            xtask(&["dist", "--format", "deb", "--target", "x86_64-unknown-linux-musl", "--catalog"]);
        command.arg(path(name)).arg("--out").arg(path(&format!("{name}.dist"))).spawn().unwrap()
    };
    let mut runs = [start("one.toml"), start("two.toml")];
    assert!(runs.iter_mut().all(|run| run.wait().unwrap().success()));
    for (name, summary) in [("one.toml", "reads first"), ("two.toml", "reads second")] {
        let said = sh(&dir, &format!("dpkg-deb -f {name}.dist/*.deb Description"));
        assert!(said.starts_with(summary), "{said}");
    }
}

#[test]
fn runs_again_without_a_network() {
    // A network namespace without access. Without the rights to create one, cargo's offline switch.
    let dist = dist();
    let cargo = env!("CARGO");
    let script = format!(
        "export CARGO_NET_OFFLINE=true; try() {{ unshare -rn \"$@\" 2>/dev/null || \"$@\"; }}; try {cargo} xtask dist rovi --target x86_64-unknown-linux-musl --out {}/again 2>/dev/null",
        dist.dir.display()
    );
    let paths = sh(root(), &script);
    for path in paths.lines().map(Path::new) {
        let first = dist.dir.join(path.file_name().unwrap());
        assert!(
            fs::read(path).unwrap() == fs::read(&first).unwrap(),
            "{} differs from {}",
            path.display(),
            first.display()
        );
    }
    assert_eq!(paths.lines().count(), 2);
}
