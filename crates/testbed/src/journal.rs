//! Reads a machine's journal, as a whole or from a mark, and waits for lines.

use std::process::{self as system, Stdio};
use std::time::{Duration, Instant};

use crate::command::enter;
use crate::machine::Machine;
use crate::output::Evidence;
use crate::process::{self, Tap};

const READ_BOUND: Duration = Duration::from_secs(15);

/// A position in a journal, from [`Machine::mark`]. Take it before you cause an event, and you cannot miss
/// its lines.
#[derive(Debug, Clone)]
pub struct Mark {
    cursor: String,
}

impl Machine {
    /// Returns the journal of all boots, even if the machine no longer runs.
    pub fn journal(&self) -> String {
        self.journalctl(&[])
    }

    /// Returns the messages of a unit, and those of systemd about it.
    pub fn journal_of(&self, unit: &str) -> String {
        self.journalctl(&[&format!("--unit={unit}")])
    }

    /// Returns the journal since a mark.
    pub fn journal_since(&self, mark: &Mark) -> String {
        self.journalctl(&[&format!("--after-cursor={}", mark.cursor)])
    }

    /// Returns the current end of the journal.
    ///
    ///
    /// # Panics
    ///
    ///
    /// If the journal does not respond.
    #[track_caller]
    pub fn mark(&self) -> Mark {
        let output = self.run("journalctl --sync && journalctl --quiet --lines=1 --output=export").ok();
        let cursor = output.stdout.lines().find_map(|field| field.strip_prefix("__CURSOR="));
        Mark { cursor: cursor.expect("an entry of the journal has a cursor").to_owned() }
    }

    /// Waits until a line that contains the text appears after the mark, and returns the line.
    ///
    ///
    /// # Panics
    ///
    ///
    /// If there is none in time.
    #[track_caller]
    pub fn wait_for_journal(&self, mark: &Mark, text: &str, bound: Duration) -> String {
        let cursor = format!("--after-cursor={}", mark.cursor);
        let follow = ["journalctl", "--follow", "--no-tail", "--output=short-monotonic", &cursor];
        let mut command = enter(self, &follow);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("`nsenter` starts");
        let mut lines = Tap::new(child.stdout.take()).expect("a pipe that was just made");
        let line = lines.wait_for(Instant::now() + bound, |lines| {
            // The last line may be incomplete.
            let whole = &lines[..lines.rfind('\n')?];
            whole.lines().find(|line| line.contains(text)).map(str::to_owned)
        });
        process::end(&mut child);
        line.ok().flatten().unwrap_or_else(|| {
            panic!(
                "no line with {text:?} in the journal after {:.1} s{}",
                bound.as_secs_f64(),
                self.evidence()
            )
        })
    }

    fn journalctl(&self, options: &[&str]) -> String {
        let format = ["--no-pager", "--quiet", "--output=short-monotonic"];
        if self.is_up() {
            let sync = self.command(&["journalctl", "--sync"]).within(READ_BOUND).run();
            let argv = [&["journalctl"], &format[..], options].concat();
            let output = self.command(&argv).within(READ_BOUND).run();
            if sync.success() && output.success() {
                return output.stdout;
            }
        }
        // The system does not respond, but its files are still readable.
        let mut command = system::Command::new("journalctl");
        command.arg(format!("--directory={}/var/log/journal", self.folder())).args(format).args(options);
        process::run(&mut command, READ_BOUND).map(|ended| ended.stdout).unwrap_or_default()
    }
}
