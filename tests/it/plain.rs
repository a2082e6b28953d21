//! Untrusted names and contents of files and packages in the toolchain's error messages.

use std::fs;

use support::command::program;
use support::plain::{HOSTILE, refuses};
use support::scratch::scratch;

#[test]
fn no_error_of_the_toolchain_is_more_than_text_on_a_line() {
    let dir = scratch("plain");
    let file = dir.join(HOSTILE.replace('/', ""));
    fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    refuses(program(), &["image", "rovi", "--board", "pi4", "--deb", file, "--out", dir.to_str().unwrap()]);
    refuses(program(), &["image", "rovi", "--board", HOSTILE]);
    refuses(program(), &["dist", "--catalog", file]);
}
