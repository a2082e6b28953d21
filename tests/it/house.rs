//! The allowed dependencies between crates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use support::command::{ok, root};

/// The layers, from the bottom up. A crate may only depend on crates of lower layers. Tests may depend on
/// anything; only other tests may depend on them.
const FLOORS: [&[&str]; 8] = [
    &["base", "common", "repo-index", "testbed", "workspace"],
    &["catalog", "first-boot", "notify-helper", "rovi", "run_stack"],
    &["debian"],
    &["disk", "package"],
    &["image", "repository", "trial"],
    &["xtask"],
    &["support"],
    &["tests"],
];

/// Crates that only tests may use.
const FOR_TESTS: [&str; 2] = ["support", "tests"];

/// Returns each crate of the workspace with its dependencies, and with the additional ones of its tests.
fn read_crates() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    let text =
        ok(cargo.current_dir(root()).args(["metadata", "--locked", "--no-deps", "--format-version", "1"]));
    let metadata: Value = serde_json::from_str(&text).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let own: BTreeSet<String> = packages.iter().map(name).collect();
    let dependencies = |package: &Value, of_tests: bool| {
        let all = package["dependencies"].as_array().unwrap().iter();
        let meant = all.filter(|one| (one["kind"] == "dev") == of_tests);
        meant.map(name).filter(|name| own.contains(name)).collect::<BTreeSet<String>>()
    };
    packages.iter().map(|p| (name(p), (dependencies(p, false), dependencies(p, true)))).collect()
}

#[test]
fn dependencies_point_down() {
    let floor = |name: &str| {
        let floor = FLOORS.iter().position(|crates| crates.contains(&name));
        floor.unwrap_or_else(|| panic!("`{name}` stands on no floor: give it one in {}", file!()))
    };
    let crates = read_crates();
    assert!(crates.len() >= 18, "{crates:?}");
    let mut faults = Vec::new();
    for (name, (built_from, tested_with)) in &crates {
        for other in built_from {
            if floor(other) >= floor(name) {
                faults.push(format!("`{name}` depends on `{other}`, which does not stand below it"));
            }
            if FOR_TESTS.contains(&other.as_str()) && !FOR_TESTS.contains(&name.as_str()) {
                faults.push(format!("`{name}` depends on `{other}`, which is for tests"));
            }
        }
        for other in tested_with {
            if !FOR_TESTS.contains(&other.as_str()) && floor(other) > floor(name) {
                faults.push(format!("the tests of `{name}` depend on `{other}`, which stands above it"));
            }
        }
    }
    assert_eq!(faults, [""; 0]);
}

/// Only the executor uses D-Bus; no other program on a machine links a library for it.
#[test]
fn only_rovi_links_a_library_for_the_bus() {
    for program in ["first-boot", "notify-helper", "run_stack"] {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.current_dir(root()).args([
            "tree",
            "--locked",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--package",
        ]);
        let tree = ok(cargo.arg(program));
        assert!(tree.contains("base v"), "{tree}");
        assert!(!tree.contains("zbus"), "{program}:\n{tree}");
    }
}
