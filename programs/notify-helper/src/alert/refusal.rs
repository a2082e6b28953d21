//! Why a try to tell somebody has not worked.

use std::process::Command;
use std::time::Duration;

use base::failure::reason;

use super::child;

/// Why a try has not worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The next one may.
    ForNow(String),
    /// No other will.
    ForGood(String),
}

/// A program's end as that of a try.
pub(crate) fn run_bounded(command: &mut Command, input: &[u8], bound: Duration) -> Result<(), Refusal> {
    match child::run(command, input, 0, bound) {
        Ok((status, _)) if status.success() => Ok(()),
        Ok((status, _)) => Err(Refusal::ForNow(format!("it ended with {status}"))),
        Err(e) if e.kind() == std::io::ErrorKind::TimedOut => Err(Refusal::ForNow(reason(&e))),
        Err(e) => {
            let name = command.get_program().to_string_lossy().into_owned();
            Err(Refusal::ForGood(format!("`{name}`: {}", reason(&e))))
        }
    }
}
