use std::fs;
use std::process::Command;

use support::command::run;
use support::plain::{HOSTILE, is_plain, refuses};
use support::scratch::scratch;

#[test]
fn no_error_is_more_than_text_on_a_line() {
    refuses(env!("CARGO_BIN_EXE_first-boot"), &[HOSTILE]);
    // The list of faults that `first-boot check` prints.
    let dir = scratch("plain");
    let list = dir.join("custom.toml");
    fs::write(&list, format!("config_version = 1\n[{}]\n", HOSTILE.replace("\r\n", ""))).unwrap();
    let output = run(Command::new(env!("CARGO_BIN_EXE_first-boot")).arg("check").arg(&list));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains('\u{fffd}') && is_plain(&stdout), "{stdout:?}");
}
