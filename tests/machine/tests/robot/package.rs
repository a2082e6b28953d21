//! The packages under test, built once for all scenarios, and machines with them installed.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use machine::{Machine, Plan, Suite, ros};

pub(crate) use crate::dist::dist;

/// The suites that every scenario runs on.
pub(crate) const SUITES: [Suite; 2] = [Suite::Trixie, Suite::Bookworm];

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The flagship product's package for this processor, `deb` or `rpm`.
pub(crate) fn package(format: &str) -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| dist(&["rovi"], "robot"));
    built.iter().find(|path| path.extension().is_some_and(|e| e == format)).unwrap()
}

/// A machine with the stand-in for ROS and an operator `op`, on which the package will be installed.
pub(crate) fn robot(suite: Suite) -> Plan {
    Machine::on(suite).files(ros::stand_in()).install(package("deb")).user("op", &["rovi-ops"])
}
