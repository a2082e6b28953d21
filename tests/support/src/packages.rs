//! Builds packages for scenarios with the command line; included in each test binary.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use crate::command::{root, tmp};

/// Builds packages for this processor with `cargo xtask dist ARGS` in a folder of that name.
pub fn dist(args: &[&str], folder: &str) -> Vec<PathBuf> {
    // Two calls would stage the same product in the same folder.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let out = tmp().join(folder);
    let _ = std::fs::remove_dir_all(&out);
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(["xtask", "dist", "--target", &triple, "--out"]).arg(&out).args(args);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(PathBuf::from).collect()
}

/// Returns the text of a product's catalog for another folder: paths of a catalog are relative to it.
pub fn relocate(product: &str, text: &str) -> String {
    let folder = root().join("catalog").join(product);
    text.replace(&format!("\"{product}/"), &format!("\"{}/", folder.display()))
}
