//! Real programs from PyPI for machines, which have no network: a virtual environment built once by the
//! host's pip and laid over a suite's root.
//!
//! The cache key consists of the suite, the path and the requirements.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::suite::Suite;
use crate::{cache, host};

/// Builds the environment; nothing else uses the network.
const MAKE: &str = include_str!("python/make.sh");

/// A virtual environment for a machine.
#[derive(Debug, Clone)]
pub(crate) struct Python {
    /// Its path on the machine.
    pub(crate) place: String,
    /// Contents of a requirements file that pins every package.
    pub(crate) requirements: String,
}

impl Python {
    /// Returns the cached folder to lay over `root`, or builds it.
    pub(crate) fn cached(&self, suite: Suite, root: &Path) -> Result<PathBuf> {
        let key =
            cache::key(&format!("python-{suite}"), &[suite.name(), &self.place, &self.requirements, MAKE]);
        cache::cached(&key, |draft, lock| {
            host::need(&[("pip3", "python3-pip"), ("unshare", "util-linux")])?;
            eprintln!(
                "test machine: building `{}` for {suite} into the cache; this takes about half a minute",
                self.place
            );
            fs::create_dir_all(draft)?;
            let list = draft.join("requirements.txt");
            fs::write(&list, &self.requirements)?;
            let mut make = Command::new("sh");
            make.args(["-c", MAKE, "make.sh"]).arg(draft).arg(root).arg(&self.place).arg(&list);
            let result = cache::step("pip", &mut make, Stdio::from(lock.try_clone()?));
            fs::remove_file(list)?;
            result
        })
    }
}
