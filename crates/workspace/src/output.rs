//! Files that others read: written beside their place and renamed, so that nobody ever sees half of one and a run that
//! is killed leaves the earlier one.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Puts a file into place.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_added_extension("new");
    let written = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("`{}`: cannot be written", path.display()))
}
