//! The description of a machine to boot.

use std::path::PathBuf;

use anyhow::Result;

use crate::machine::Machine;
use crate::stage::Stage;
use crate::suite::Suite;
use crate::{host, root};

/// The state of a machine when its test starts.
#[must_use = "a plan does nothing until you boot it"]
pub struct Plan {
    suite: Suite,
    further: Vec<String>,
    files: Vec<(String, u32, Vec<u8>)>,
    packages: Vec<PathBuf>,
    users: Vec<(String, Vec<String>)>,
    options: Vec<String>,
}

impl Machine {
    /// Starts the description of a machine.
    pub fn on(suite: Suite) -> Plan {
        Plan::new(suite)
    }
}

impl Plan {
    pub(crate) fn new(suite: Suite) -> Self {
        Self {
            suite,
            further: Vec::new(),
            files: Vec::new(),
            packages: Vec::new(),
            users: Vec::new(),
            options: Vec::new(),
        }
    }

    /// Adds a file, owned by root, before the boot.
    pub fn file(mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), mode, bytes.into()));
        self
    }

    /// Adds several files: path, mode, content.
    pub fn files<'f>(self, files: impl IntoIterator<Item = (&'f str, u32, &'f str)>) -> Self {
        files.into_iter().fold(self, |plan, (path, mode, text)| plan.file(path, mode, text))
    }

    /// Adds packages of the suite to the root, which is built and cached with them.
    pub fn with(mut self, packages: &[&str]) -> Self {
        self.further.extend(packages.iter().map(|&package| package.to_owned()));
        self
    }

    /// Installs a package after the boot and before the users are added, as on a robot.
    pub fn install(mut self, package: impl Into<PathBuf>) -> Self {
        self.packages.push(package.into());
        self
    }

    /// Adds a regular user who is a member of these groups.
    pub fn user(mut self, name: &str, groups: &[&str]) -> Self {
        self.users.push((name.to_owned(), groups.iter().map(|&group| group.to_owned()).collect()));
        self
    }

    /// Adds an option for systemd-nspawn. For example, device policies of units require `--capability=all`
    /// and `--system-call-filter=@known`.
    pub fn nspawn(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// Boots the machine; returns when systemd has started everything and packages and users are there.
    pub fn boot(self) -> Result<Machine> {
        let stage = self.stage_files()?;
        let machine = Machine::start(stage)?;
        for package in &self.packages {
            machine.install(package).ok();
        }
        for (name, groups) in &self.users {
            machine.add_user(name, &groups.iter().map(String::as_str).collect::<Vec<_>>());
        }
        Ok(machine)
    }

    /// Returns the cached root or builds it. It is read-only for the caller, who may lay an overlay above it.
    pub fn root(self) -> Result<PathBuf> {
        host::prepare()?;
        root::cached(self.suite, &self.further)
    }

    /// Creates only the root with its files: programs can run in it, but systemd does not. An image builder
    /// sees this; [`Stage::boot`] boots it later. A plan with packages or users cannot be staged.
    pub fn stage(self) -> Result<Stage> {
        anyhow::ensure!(
            self.packages.is_empty() && self.users.is_empty(),
            "plan: packages and users require a running system: use `Stage::run` or `boot`"
        );
        self.stage_files()
    }

    fn stage_files(&self) -> Result<Stage> {
        let stage = Stage::new(self.suite, &self.further, self.options.clone())?;
        for (path, mode, bytes) in &self.files {
            stage.put(path, *mode, bytes)?;
        }
        Ok(stage)
    }
}
