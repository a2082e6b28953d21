//! A cache of finished packages: takes a key of all inputs of a package, and returns the package's bytes. It packs only
//! if no earlier run kept them, because compression takes most of the time of a build.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use common::checksum::sha256;
use workspace::output;

/// How long an unused package is kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Returns the package for a key from `folder`, or makes it and keeps it there.
pub(crate) fn find_or_make(
    folder: &Path,
    key: &str,
    make: impl FnOnce() -> Result<Vec<u8>>,
) -> Result<Vec<u8>> {
    let file = folder.join(sha256(key.as_bytes()));
    if let Some(bytes) = read_kept(&file) {
        return Ok(bytes);
    }
    let bytes = make()?;
    fs::create_dir_all(folder).with_context(|| format!("`{}`: cannot be created", folder.display()))?;
    remove_old(folder)?;
    output::replace(&file, &[sha256(&bytes).as_bytes(), &bytes].concat())?;
    Ok(bytes)
}

/// Reads a kept package, which follows its own checksum in the file. Returns `None` if the checksum does not match,
/// because a power loss can leave a truncated file.
fn read_kept(file: &Path) -> Option<Vec<u8>> {
    let mut bytes = fs::read(file).ok()?;
    let sum = bytes.drain(..64.min(bytes.len())).collect::<Vec<_>>();
    // The file's time is the time of its last use.
    let used = File::options().write(true).open(file).and_then(|file| file.set_modified(SystemTime::now()));
    (used.is_ok() && sum == sha256(&bytes).as_bytes()).then_some(bytes)
}

fn remove_old(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let age = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > KEPT) {
            // Another run may have removed it first.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}
