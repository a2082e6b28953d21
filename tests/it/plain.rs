//! What somebody else has written, as every program shows it in an error: text on one line, whatever terminal it is.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;

use rovi_services::plain::deceives;
use support::command::{program, root, run};
use support::scratch::scratch;

const HOSTILE: &str = "a\u{1b}]0;owned\u{7}b\u{1b}[2Jc\r\nerror: d\u{7f}e\u{9b}31mf\u{202e}g\u{200b}h";

/// Asserts that a command fails and says why, in one line of text.
#[track_caller]
fn refuses(program: impl AsRef<OsStr>, args: &[&str]) {
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

#[test]
fn no_programs_error_is_more_than_text_on_a_line() {
    refuses(env!("CARGO_BIN_EXE_rovi"), &[HOSTILE]);
    refuses(env!("CARGO_BIN_EXE_run_stack"), &[&format!("--{HOSTILE}")]);
    refuses(env!("CARGO_BIN_EXE_notify-helper"), &[HOSTILE]);
    refuses(env!("CARGO_BIN_EXE_first-boot"), &[HOSTILE]);
    // The names of files, what is in them, and what is in packages.
    let dir = scratch("plain");
    let file = dir.join(HOSTILE.replace('/', ""));
    fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    refuses(program(), &["image", "rovi", "--board", "pi4", "--deb", file, "--out", dir.to_str().unwrap()]);
    refuses(program(), &["image", "rovi", "--board", HOSTILE]);
    refuses(program(), &["dist", "--catalog", file]);
    // What is wrong with a file, as `first-boot check` lists it, and the one that is written beside it.
    let list = dir.join("custom.toml");
    fs::write(&list, format!("config_version = 1\n[{}]\n", HOSTILE.replace("\r\n", ""))).unwrap();
    let output = run(Command::new(env!("CARGO_BIN_EXE_first-boot")).arg("check").arg(&list));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains('\u{fffd}') && !said.replace('\n', "").chars().any(deceives), "{said:?}");
}
