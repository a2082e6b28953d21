//! How a command ended, on a machine or on a stage.

use std::time::Duration;
use std::{fmt, process as system};

use crate::process::{Ended, OUT_OF_TIME};

/// How long a command may take unless it says otherwise.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Makes programs speak English, without colours, pagers and questions.
pub(crate) const PLAIN: [(&str, &str); 5] = [
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("LANG", "C.UTF-8"),
    ("SYSTEMD_COLORS", "0"),
    ("SYSTEMD_PAGER", ""),
    ("TERM", "dumb"),
];

/// What a failure's message ends with, of the place where a command ran.
pub(crate) trait Evidence: Sync {
    /// The last lines of journal and console.
    fn evidence(&self) -> String;
}

/// Takes the host's environment away from a command that runs inside.
pub(crate) fn clear_environment(command: &mut system::Command) -> &mut system::Command {
    command.env_clear().env("PATH", PATH).env("HOME", "/root").envs(PLAIN)
}

/// How a command ended. The checks return it again, so that they can follow each other; one that fails panics
/// with the command, its output, and the last lines of journal and console.
pub struct Output<'m> {
    /// What ran, and who ran it.
    pub command: String,
    /// Its exit status as a shell has it: 128 plus the number of the signal that ended it, 124 when its time
    /// was up.
    pub status: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
    /// How long it took, the way into the machine (about five milliseconds) included.
    pub took: Duration,
    evidence: Option<&'m dyn Evidence>,
}

impl<'m> Output<'m> {
    pub(crate) fn new(command: String, ended: Ended, evidence: Option<&'m dyn Evidence>) -> Self {
        let Ended { status, stdout, stderr, took } = ended;
        Self { command, status, stdout, stderr, took, evidence }
    }

    /// Whether it ended with status 0.
    pub fn success(&self) -> bool {
        self.status == 0
    }

    /// What it printed, without the white space around it.
    pub fn text(&self) -> &str {
        self.stdout.trim()
    }

    /// Checks that it ended with status 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Checks that it ended with another status than 0, by itself and in time.
    #[track_caller]
    pub fn fails(self) -> Self {
        if self.success() || self.status == OUT_OF_TIME { self.complain("a failure") } else { self }
    }

    /// Checks that it ended with this status.
    #[track_caller]
    pub fn exits(self, status: i32) -> Self {
        if self.status == status { self } else { self.complain(&format!("status {status}")) }
    }

    /// Checks that its output or its complaints contain a text.
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

/// The command and its output, for messages.
impl fmt::Display for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let late = if self.status == OUT_OF_TIME { ", its time was up" } else { "" };
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
