//! What a suite has to remember between two publications and what no index says: `SUITE.json`, beside the
//! repositories. It holds nothing secret, and is written before anything that follows from it.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use workspace::output;

/// A suite's memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct State {
    /// When it was published last, in seconds since 1970.
    pub(super) published: u64,
    /// `NAME=VERSION` of what was taken back: it is not published again.
    pub(super) withdrawn: BTreeSet<String>,
    /// The package that brings keys and sources.
    pub(super) keyring: Keyring,
}

/// Which state of keys and sources has which version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Keyring {
    /// Counts up with every change.
    pub(super) version: u32,
    /// What is in it.
    pub(super) sha256: String,
    /// The day of the change.
    pub(super) date: String,
}

impl State {
    /// Reads that of a suite; an empty one before its first publication.
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
