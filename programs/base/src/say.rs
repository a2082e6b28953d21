//! What a program says beside its results: a line on standard error.
//!
//! Perhaps nobody is there to read it: the terminal went away, the reader of the pipe has ended, the disk is full. That
//! must not end who supervises a robot, as `eprintln!` does.

use std::fmt::Display;
use std::io::{self, Write};

use crate::plain::Plain;

/// Says it, in one piece.
pub fn say(line: impl Display) {
    say_after("", line);
}

/// Says it after a mark of our own, which may be in a colour.
pub fn say_after(mark: &str, line: impl Display) {
    let _ = io::stderr().write_all(format!("{mark}{}\n", Plain(line)).as_bytes());
}
