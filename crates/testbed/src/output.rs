//! The result of a command, on a machine or on a stage.

use std::time::Duration;
use std::{fmt, process as system};

use crate::process::{Ended, OUT_OF_TIME};

/// Default time limit of a command.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Makes programs print English without colors, pagers and prompts.
pub(crate) const PLAIN: [(&str, &str); 5] = [
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("LANG", "C.UTF-8"),
    ("SYSTEMD_COLORS", "0"),
    ("SYSTEMD_PAGER", ""),
    ("TERM", "dumb"),
];

/// Additional evidence for a failure message from the place where a command ran.
pub(crate) trait Evidence: Sync {
    /// Returns the last lines of journal and console.
    fn evidence(&self) -> String;
}

/// Clears the host's environment for a command that runs inside.
pub(crate) fn clear_environment(command: &mut system::Command) -> &mut system::Command {
    command.env_clear().env("PATH", PATH).env("HOME", "/root").envs(PLAIN)
}

/// The result of a command. Checks return it again, so they can be chained. A failing check panics with the
/// command, its output, and the last lines of journal and console.
pub struct Output<'m> {
    /// The command and its user.
    pub command: String,
    /// Exit status as in a shell: 128 plus the signal number after a signal, 124 after a timeout.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Duration, including about five milliseconds to enter the machine.
    pub took: Duration,
    evidence: Option<&'m dyn Evidence>,
}

impl<'m> Output<'m> {
    pub(crate) fn new(command: String, ended: Ended, evidence: Option<&'m dyn Evidence>) -> Self {
        let Ended { status, stdout, stderr, took } = ended;
        Self { command, status, stdout, stderr, took, evidence }
    }

    /// Returns whether the status is 0.
    pub fn success(&self) -> bool {
        self.status == 0
    }

    /// Returns standard output without surrounding white space.
    pub fn text(&self) -> &str {
        self.stdout.trim()
    }

    /// Checks that the status is 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Checks that the status is not 0 and that the command did not time out.
    #[track_caller]
    pub fn fails(self) -> Self {
        if self.success() || self.status == OUT_OF_TIME { self.complain("a failure") } else { self }
    }

    /// Checks that the status is this one.
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        if self.status == status { self } else { self.complain(&format!("status {status}")) }
    }

    /// Checks that standard output or standard error contains a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        if self.stdout.contains(text) || self.stderr.contains(text) {
            self
        } else {
            self.complain(&format!("{text:?}"))
        }
    }

    #[track_caller]
    fn complain(self, expected: &str) -> ! {
        let (output, evidence) =
            (self.to_string(), self.evidence.map(Evidence::evidence).unwrap_or_default());
        panic!("expected {expected}: {}{evidence}", output.trim_end());
    }
}

/// Formats the command and its output for messages.
impl fmt::Display for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let late = if self.status == OUT_OF_TIME { " (timed out)" } else { "" };
        writeln!(f, "{}\nstatus {} after {:.2} s{late}", self.command, self.status, self.took.as_secs_f64())?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(f, "--- {name}\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
