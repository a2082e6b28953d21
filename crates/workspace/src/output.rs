//! Writes files that others read. A file is written under a temporary name and renamed, so no reader sees a
//! partial file and an interrupted run leaves the previous one.

use std::path::Path;
use std::{fs, io};

use anyhow::{Context, Result};

/// Writes a file atomically.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    write_beside(path, |beside| fs::write(beside, bytes))
}

/// Copies a file atomically.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    write_beside(to, |beside| fs::copy(from, beside).map(|_| ()))
}

fn write_beside(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    let beside = path.with_added_extension("new");
    let written = write(&beside).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("cannot write `{}`", path.display()))
}
