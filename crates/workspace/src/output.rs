//! Writes files that others read. A file is written under a temporary name and renamed, so no reader sees a
//! partial file and an interrupted run leaves the previous one.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes a file atomically.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_added_extension("new");
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("cannot write `{}`", path.display()))
}

/// Copies a file atomically.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let beside = to.with_added_extension("new");
    let written = fs::copy(from, &beside).and_then(|_| fs::rename(&beside, to));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("cannot write `{}`", to.display()))
}
