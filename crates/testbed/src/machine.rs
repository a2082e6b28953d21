//! A running machine: a stage and its current boot.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::boot::{Boot, REBOOT};
use crate::console::Console;
use crate::moment::{self, Answer};
use crate::output::Evidence;
use crate::process::last_lines;
use crate::stage::Stage;
use crate::suite::Suite;

/// A booted machine. Dropping it kills all its processes and removes it. If the test panics, its journal and
/// console are printed to standard error first.
pub struct Machine {
    // In this order, because dropping the stage ends the boot.
    stage: Stage,
    boot: Boot,
    console: Console,
}

impl Machine {
    pub(crate) fn start(stage: Stage) -> Result<Self> {
        let console = Console::default();
        let boot = Boot::start(&stage, &console)?;
        Ok(Self { stage, boot, console })
    }

    /// Returns the name of its cgroup on the host; its own host name is always `robot`.
    pub fn name(&self) -> &str {
        self.stage.name()
    }

    /// Returns its suite.
    pub fn suite(&self) -> Suite {
        self.stage.suite()
    }

    /// Returns how long the current boot took, until systemd had started everything.
    pub fn boot_time(&self) -> Duration {
        self.boot.took()
    }

    /// Writes a file, creating parent folders.
    ///
    ///
    /// # Panics
    ///
    ///
    /// If the file cannot be written.
    #[track_caller]
    pub fn put(&self, path: &str, mode: u32, bytes: impl AsRef<[u8]>) {
        if let Err(error) = self.boot.tree().write(path, mode, bytes.as_ref()) {
            panic!("{error:#}{}", self.evidence());
        }
    }

    /// Copies a host file with its mode.
    ///
    ///
    /// # Panics
    ///
    ///
    /// If it cannot be read or written.
    #[track_caller]
    pub fn put_file(&self, host: impl AsRef<Path>, guest: &str) {
        if let Err(error) = self.boot.tree().copy(host.as_ref(), guest) {
            panic!("{error:#}{}", self.evidence());
        }
    }

    /// Reads a text file; `None` if it does not exist.
    pub fn read(&self, path: &str) -> Option<String> {
        self.read_bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads a file; `None` if it does not exist.
    pub fn read_bytes(&self, path: &str) -> Option<Vec<u8>> {
        self.boot.tree().read(path).ok()
    }

    /// Returns the sorted names in a folder; empty if it does not exist.
    ///
    ///
    /// # Panics
    ///
    ///
    /// If it is not a folder.
    #[track_caller]
    pub fn list(&self, path: &str) -> Vec<String> {
        self.boot.tree().list(path).unwrap_or_else(|error| panic!("`{path}`: {error}{}", self.evidence()))
    }

    /// Returns whether a file or folder exists.
    pub fn has(&self, path: &str) -> bool {
        self.boot.tree().has(path)
    }

    /// Waits until the probe returns `true` or `Some`; `what` describes it for the message.
    ///
    ///
    /// # Panics
    ///
    ///
    /// If it does not in time.
    #[track_caller]
    pub fn wait_for<A: Answer>(&self, what: &str, bound: Duration, probe: impl FnMut() -> A) -> A::Value {
        let value = moment::wait_for(bound, probe);
        value.unwrap_or_else(|| panic!("no {what} after {:.1} s{}", bound.as_secs_f64(), self.evidence()))
    }

    /// Waits until the machine reboots by itself and is up again.
    pub fn wait_for_reboot(&mut self, bound: Duration) -> Result<()> {
        self.wait_for_end("reboot", REBOOT, bound)?;
        self.boot = Boot::start(&self.stage, &self.console)?;
        Ok(())
    }

    /// Waits until the machine powers off by itself.
    pub fn wait_for_poweroff(&mut self, bound: Duration) -> Result<()> {
        self.wait_for_end("power off", 0, bound)
    }

    fn wait_for_end(&mut self, how: &str, status: i32, bound: Duration) -> Result<()> {
        match self.boot.wait(bound)? {
            Some(ended) if ended.code() == Some(status) => Ok(()),
            Some(ended) => {
                bail!("machine: it did not {how}: systemd-nspawn ended with {ended}{}", self.evidence())
            }
            None => bail!("machine: it did not {how} within {} s{}", bound.as_secs(), self.evidence()),
        }
    }

    /// Returns the console output of all boots.
    pub fn console(&self) -> String {
        self.console.text()
    }

    pub(crate) fn leader(&self) -> u32 {
        self.boot.leader()
    }

    pub(crate) fn is_up(&self) -> bool {
        self.boot.alive()
    }

    pub(crate) fn folder(&self) -> String {
        self.stage.folder()
    }
}

impl Evidence for Machine {
    fn evidence(&self) -> String {
        format!(
            "\n--- end of the journal\n{}\n--- end of the console\n{}",
            last_lines(&self.journal(), 20),
            last_lines(&self.console(), 5)
        )
    }
}

impl Stage {
    /// Boots the stage.
    pub fn boot(self) -> Result<Machine> {
        Machine::start(self)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if thread::panicking() {
            let (suite, journal, console) = (self.suite(), self.journal(), self.console());
            eprintln!(
                "--- journal of the {suite} machine\n{journal}--- console of the {suite} machine\n{console}---"
            );
        }
    }
}
