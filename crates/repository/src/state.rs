//! The state of a suite that its indices do not contain. `SUITE.json` in the site's folder holds it between
//! publications. The file contains no secrets, and is written before any file that depends on it.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use workspace::output;

/// Content of `SUITE.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct State {
    /// Time of the last publication, in seconds since 1970.
    pub(super) published: u64,
    /// Withdrawn versions as `NAME=VERSION`, which are not published again.
    pub(super) withdrawn: BTreeSet<String>,
    /// The last keyring package.
    pub(super) keyring: Keyring,
}

/// Version and content of a keyring package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Keyring {
    /// Number that each change increments.
    pub(super) version: u32,
    /// Hash of the content.
    pub(super) sha256: String,
    /// Day of the change.
    pub(super) date: String,
}

impl State {
    /// Reads the state of a suite, or returns an empty one before the first publication.
    pub(super) fn read(repo: &Path, suite: &str) -> Result<State> {
        let path = path(repo, suite);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("`{}`: invalid content: restore it from a copy", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(error).with_context(|| format!("`{}`: cannot be read", path.display())),
        }
    }

    pub(super) fn write(&self, repo: &Path, suite: &str) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        output::replace(&path(repo, suite), text.as_bytes())
    }
}

fn path(repo: &Path, suite: &str) -> PathBuf {
    repo.join(format!("{suite}.json"))
}
