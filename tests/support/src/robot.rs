//! The packages under test, built once, and machines to install them on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use testbed::{Machine, Plan, Suite, ros};

use crate::command::{root, tmp};
pub use crate::packages::dist;

/// The suites that every scenario runs on.
pub const SUITES: [Suite; 2] = Suite::STABLE;

pub const SECOND: Duration = Duration::from_secs(1);

/// Returns the flagship product's package for this processor, `deb` or `rpm`.
pub fn package(format: &str) -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| dist(&["rovi"], "robot"));
    built.iter().find(|path| path.extension().is_some_and(|e| e == format)).unwrap()
}

/// Returns the next version, `deb` or `rpm`. Every unit and both environment files differ, the gateway has
/// another `[Install]` link, and there is another stack.
pub fn next(format: &str) -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let file = tmp().join("next.toml");
        fs::write(&file, next_catalog()).unwrap();
        dist(&["--catalog", file.to_str().unwrap()], "next")
    });
    built.iter().find(|path| path.extension().is_some_and(|e| e == format)).unwrap()
}

fn next_catalog() -> String {
    let first = root().join("catalog/rovi.toml");
    let mut text = fs::read_to_string(first).unwrap();
    for (old, new) in [
        (
            "[[release]]\n",
            "[[release]]\nversion = \"0.2.0\"\ndate = \"2026-12-20\"\nchanges = [\"Next.\"]\n\n[[release]]\n",
        ),
        ("description = \"ROVI ", "description = \"Next ROVI "),
        ("The workspace. Change", "Here is the one place for the workspace. Change"),
        ("{ value = \"77\"", "{ value = \"78\""),
        ("boot = true\n", "boot = true\ndirectives.Install.Alias = \"rovi-main.service\"\n"),
        (
            "[[permit]]\n",
            "[service.dock]\nuse = \"stack\"\ndescription = \"ROVI stack: dock\"\n\n[[permit]]\n",
        ),
    ] {
        assert!(text.contains(old), "the catalog no longer has {old:?}");
        text = text.replacen(old, new, if old.starts_with("desc") { 99 } else { 1 });
    }
    text
}

/// Returns a machine with the stand-in for ROS and an operator `op`, without the package.
pub fn robot(suite: Suite) -> Plan {
    Machine::on(suite).files(ros::stand_in()).install(package("deb")).user("op", &["rovi-ops"])
}
