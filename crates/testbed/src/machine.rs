//! A machine that runs: a stage and its present boot.

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

/// A booted machine. Dropping it kills everything on it and leaves nothing; when the test panics, its journal
/// and its console go to standard error before.
pub struct Machine {
    // In this order: without the stage, the boot has ended.
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

    /// The name of its cgroup on the host; inside, every machine is called `robot`.
    pub fn name(&self) -> &str {
        self.stage.name()
    }

    /// What it runs.
    pub fn suite(&self) -> Suite {
        self.stage.suite()
    }

    /// How long the present boot took, until systemd had nothing more to start.
    pub fn boot_time(&self) -> Duration {
        self.boot.took()
    }

    /// Writes a file, with the folders above it.
    ///
    /// # Panics
    /// When the machine has no place for it.
    #[track_caller]
    pub fn put(&self, path: &str, mode: u32, bytes: impl AsRef<[u8]>) {
        if let Err(error) = self.boot.tree().write(path, mode, bytes.as_ref()) {
            panic!("{error:#}{}", self.evidence());
        }
    }

    /// Copies a file of the host, with its mode.
    ///
    /// # Panics
    /// When the host has no such file, or the machine no place for it.
    #[track_caller]
    pub fn put_file(&self, host: impl AsRef<Path>, guest: &str) {
        if let Err(error) = self.boot.tree().copy(host.as_ref(), guest) {
            panic!("{error:#}{}", self.evidence());
        }
    }

    /// The text of a file, if it exists.
    pub fn read(&self, path: &str) -> Option<String> {
        self.read_bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The bytes of a file, if it exists.
    pub fn read_bytes(&self, path: &str) -> Option<Vec<u8>> {
        self.boot.tree().read(path).ok()
    }

    /// The names in a folder, sorted; none where there is no such folder.
    ///
    /// # Panics
    /// When it is no folder.
    #[track_caller]
    pub fn list(&self, path: &str) -> Vec<String> {
        self.boot.tree().list(path).unwrap_or_else(|error| panic!("`{path}`: {error}{}", self.evidence()))
    }

    /// Whether a file or folder exists.
    pub fn has(&self, path: &str) -> bool {
        self.boot.tree().has(path)
    }

    /// Waits until the probe answers `true` or `Some`; `what` names the awaited thing for the message.
    ///
    /// # Panics
    /// When there is no answer in time.
    #[track_caller]
    pub fn wait_for<A: Answer>(&self, what: &str, bound: Duration, probe: impl FnMut() -> A) -> A::Value {
        let value = moment::wait_for(bound, probe);
        value.unwrap_or_else(|| panic!("no {what} after {:.1} s{}", bound.as_secs_f64(), self.evidence()))
    }

    /// Waits until the machine reboots by itself, and is up again.
    pub fn wait_for_reboot(&mut self, bound: Duration) -> Result<()> {
        self.wait_for_end("reboot", REBOOT, bound)?;
        self.boot = Boot::start(&self.stage, &self.console)?;
        Ok(())
    }

    /// Waits until the machine turns itself off.
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

    /// What was printed on the console, of all boots.
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
            "\n--- journal, its end\n{}\n--- console, its end\n{}",
            last_lines(&self.journal(), 20),
            last_lines(&self.console(), 5)
        )
    }
}

impl Stage {
    /// Boots it.
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
