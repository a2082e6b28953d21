//! Messages on standard error.
//!
//! Writing may fail, because the terminal is closed, the reader has ended or the disk is full. Unlike
//! `eprintln!`, this does not panic then.

use std::fmt::Display;
use std::io::{self, Write};

use crate::plain::Plain;

/// Writes a line at once.
pub fn say(line: impl Display) {
    say_after("", line);
}

/// Writes a line after a prefix, which may have a color.
pub fn say_after(mark: &str, line: impl Display) {
    let _ = io::stderr().write_all(format!("{mark}{}\n", Plain(line)).as_bytes());
}
