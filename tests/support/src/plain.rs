//! Untrusted text in error messages: every program prints it on one line and without control characters.

use std::ffi::OsStr;
use std::process::Command;

use base::plain::deceives;

use crate::command::{root, run};

pub const HOSTILE: &str = "a\u{1b}]0;owned\u{7}b\u{1b}[2Jc\r\nerror: d\u{7f}e\u{9b}31mf\u{202e}g\u{200b}h";

/// Asserts that a command fails with one line of plain text.
#[track_caller]
pub fn refuses(program: impl AsRef<OsStr>, args: &[&str]) {
    let mut command = Command::new(program);
    let output = run(command.args(args).current_dir("/").env("CARGO_MANIFEST_DIR", root()));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{command:?}: {stderr:?}");
    assert!(
        stderr.starts_with("error: ") && stderr.contains("owned\u{fffd}b\u{fffd}[2Jc"),
        "{command:?}: {stderr:?}"
    );
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines[1..].iter().all(|line| line.starts_with("  ")), "{command:?}: {stderr:?}");
    assert!(!lines.concat().chars().any(deceives), "{command:?}: {stderr:?}");
}

/// Returns whether a text contains no characters that deceive on a terminal.
pub fn is_plain(text: &str) -> bool {
    !text.replace('\n', "").chars().any(deceives)
}
