//! The description of a machine that is to be.

use std::path::PathBuf;

use anyhow::Result;

use crate::machine::Machine;
use crate::python::Python;
use crate::stage::Stage;
use crate::suite::Suite;
use crate::{host, root};

/// What a machine shall be when its test begins.
#[must_use = "a plan is no machine until it is booted"]
pub struct Plan {
    suite: Suite,
    further: Vec<String>,
    files: Vec<(String, u32, Vec<u8>)>,
    packages: Vec<PathBuf>,
    users: Vec<(String, Vec<String>)>,
    options: Vec<String>,
    pythons: Vec<Python>,
}

impl Machine {
    /// Begins the description of a machine.
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
            pythons: Vec::new(),
        }
    }

    /// A file that is there before the boot, owned by root.
    pub fn file(mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), mode, bytes.into()));
        self
    }

    /// Several such files: path, mode, content.
    pub fn files<'f>(self, files: impl IntoIterator<Item = (&'f str, u32, &'f str)>) -> Self {
        files.into_iter().fold(self, |plan, (path, mode, text)| plan.file(path, mode, text))
    }

    /// Further packages of the suite in the root itself, which is made anew for them and kept.
    pub fn with(mut self, packages: &[&str]) -> Self {
        self.further.extend(packages.iter().map(|&package| package.to_owned()));
        self
    }

    /// A virtual environment of Python at that place, with real programs from PyPI: `requirements` lists every package
    /// that is needed, with its version. It is made once and kept; machines themselves have no network.
    pub fn python(mut self, place: &str, requirements: &str) -> Self {
        self.pythons.push(Python { place: place.to_owned(), requirements: requirements.to_owned() });
        self
    }

    /// A package that is installed after the boot and before the users are added, as on a robot.
    pub fn install(mut self, package: impl Into<PathBuf>) -> Self {
        self.packages.push(package.into());
        self
    }

    /// An ordinary user, a member of these groups.
    pub fn user(mut self, name: &str, groups: &[&str]) -> Self {
        self.users.push((name.to_owned(), groups.iter().map(|&group| group.to_owned()).collect()));
        self
    }

    /// A further option for systemd-nspawn. Device policies of units, for example, take effect only with
    /// `--capability=all` and `--system-call-filter=@known`.
    pub fn nspawn(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// Boots the machine, and returns when it has nothing more to start and has its packages and users.
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

    /// The root itself, made now if it is not in the cache, for who lays something over it: it is never written to.
    pub fn root(self) -> Result<PathBuf> {
        host::prepare()?;
        root::cached(self.suite, &self.further)
    }

    /// Only makes the root with its files: a tree in which programs can run, but no systemd does. This is
    /// what an image builder sees; [`Stage::boot`] boots it afterwards. A plan with packages or users cannot
    /// be staged.
    pub fn stage(self) -> Result<Stage> {
        anyhow::ensure!(
            self.packages.is_empty() && self.users.is_empty(),
            "plan: packages and users need a running system: install them with `Stage::run`, or say `boot`"
        );
        self.stage_files()
    }

    fn stage_files(&self) -> Result<Stage> {
        let stage = Stage::new(self.suite, &self.further, &self.pythons, self.options.clone())?;
        for (path, mode, bytes) in &self.files {
            stage.put(path, *mode, bytes)?;
        }
        Ok(stage)
    }
}
