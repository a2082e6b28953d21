//! Why an attempt to deliver an alert failed.

use std::process::Command;
use std::time::Duration;

use base::failure::reason;

use super::child;

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The next attempt may succeed.
    ForNow(String),
    /// No other attempt can succeed.
    ForGood(String),
}

/// Runs a program; converts its exit status to the result of an attempt.
pub(crate) fn run_bounded(command: &mut Command, input: &[u8], bound: Duration) -> Result<(), Refusal> {
    match child::run(command, input, 0, bound) {
        Ok((status, _)) if status.success() => Ok(()),
        Ok((status, _)) => Err(Refusal::ForNow(format!("ended with {status}"))),
        Err(e) if e.kind() == std::io::ErrorKind::TimedOut => Err(Refusal::ForNow(reason(&e))),
        Err(e) => {
            let name = command.get_program().to_string_lossy().into_owned();
            Err(Refusal::ForGood(format!("`{name}`: {}", reason(&e))))
        }
    }
}
