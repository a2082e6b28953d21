//! Real programs from PyPI for machines, which have no network: a virtual environment made once by the host's pip, and
//! laid over a suite's root.
//!
//! Its folder in the cache is named by the suite, the place and the list of requirements with their versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::suite::Suite;
use crate::{cache, host};

/// Makes the environment; the only user of the network.
const MAKE: &str = include_str!("python/make.sh");

/// An environment that a machine shall have.
#[derive(Debug, Clone)]
pub(crate) struct Python {
    /// Where it is on the machine.
    pub(crate) place: String,
    /// As `pip install --requirement` reads it, with every package that is needed, each with its version.
    pub(crate) requirements: String,
}

impl Python {
    /// The folder to lay over `root`, made now if it is not in the cache.
    pub(crate) fn cached(&self, suite: Suite, root: &Path) -> Result<PathBuf> {
        let key =
            cache::key(&format!("python-{suite}"), &[suite.name(), &self.place, &self.requirements, MAKE]);
        cache::cached(&key, |draft, lock| {
            host::need(&[("pip3", "python3-pip"), ("unshare", "util-linux")])?;
            eprintln!(
                "test machine: making `{}` for {suite}, once; this takes about half a minute",
                self.place
            );
            fs::create_dir_all(draft)?;
            let list = draft.join("requirements.txt");
            fs::write(&list, &self.requirements)?;
            let mut make = Command::new("sh");
            make.args(["-c", MAKE, "make.sh"]).arg(draft).arg(root).arg(&self.place).arg(&list);
            let made = cache::step("pip", &mut make, Stdio::from(lock.try_clone()?));
            fs::remove_file(list)?;
            made
        })
    }
}
