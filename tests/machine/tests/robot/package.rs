//! The packages under test, built once for all scenarios, and machines with them installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use machine::{Machine, Plan, Suite, ros};

/// The suites that every scenario runs on.
pub(crate) const SUITES: [Suite; 2] = [Suite::Trixie, Suite::Bookworm];

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The flagship product's package for this processor, `deb` or `rpm`.
pub(crate) fn package(format: &str) -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| dist(&["rovi"], "robot"));
    built.iter().find(|path| path.extension().is_some_and(|e| e == format)).unwrap()
}

/// Packages for this processor, made by `cargo xtask dist ARGS` into a folder of that name.
pub(crate) fn dist(args: &[&str], folder: &str) -> Vec<PathBuf> {
    // Two calls would stage the same product in the same folder.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let _ = std::fs::remove_dir_all(&out);
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["xtask", "dist", "--target", &triple, "--out"])
        .arg(&out)
        .args(args);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{command:?}: {}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().lines().map(PathBuf::from).collect()
}

/// A machine with the stand-in for ROS and an operator `op`, on which the package will be installed.
pub(crate) fn robot(suite: Suite) -> Plan {
    Machine::on(suite).files(ros::stand_in()).install(package("deb")).user("op", &["rovi-ops"])
}
