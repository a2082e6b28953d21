//! What somebody else has written, as every program shows it in an error: text on one line, whatever terminal it is.

use std::ffi::OsStr;
use std::process::Command;

use base::plain::deceives;

use crate::command::{root, run};

pub const HOSTILE: &str = "a\u{1b}]0;owned\u{7}b\u{1b}[2Jc\r\nerror: d\u{7f}e\u{9b}31mf\u{202e}g\u{200b}h";

/// Asserts that a command fails and says why, in one line of text.
#[track_caller]
pub fn refuses(program: impl AsRef<OsStr>, args: &[&str]) {
    let mut command = Command::new(program);
    let output = run(command.args(args).current_dir("/").env("CARGO_MANIFEST_DIR", root()));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{command:?}: {said:?}");
    assert!(
        said.starts_with("error: ") && said.contains("owned\u{fffd}b\u{fffd}[2Jc"),
        "{command:?}: {said:?}"
    );
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[1..].iter().all(|line| line.starts_with("  ")), "{command:?}: {said:?}");
    assert!(!lines.concat().chars().any(deceives), "{command:?}: {said:?}");
}

/// Whether a text would look like another one on a terminal.
pub fn is_plain(text: &str) -> bool {
    !text.replace('\n', "").chars().any(deceives)
}
