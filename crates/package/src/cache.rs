//! A cache of finished packages: takes a key of all inputs of a package, and returns the package's file. It packs only
//! if no earlier run kept it, because compression takes most of the time of a build.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use common::checksum::{sha256, sha256_file};
use workspace::output;

/// How long an unused package is kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// A kept package.
#[derive(Debug)]
pub(crate) struct Packed {
    /// Its file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// Returns the package for a key from `folder`, or lets `make` write it and keeps it there.
pub(crate) fn find_or_make(
    folder: &Path,
    key: &str,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<Packed> {
    let path = folder.join(sha256(key.as_bytes()));
    let sum = path.with_extension("sha256");
    if let Some(packed) = find(&path, &sum) {
        return Ok(packed);
    }
    fs::create_dir_all(folder).with_context(|| format!("`{}`: cannot be created", folder.display()))?;
    remove_old(folder)?;
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let made = make(&draft).and_then(|()| {
        let (size, sha256) = (fs::metadata(&draft)?.len(), sha256_file(&draft)?);
        output::replace(&sum, sha256.as_bytes())?;
        fs::rename(&draft, &path)?;
        Ok(Packed { path, size, sha256 })
    });
    if made.is_err() {
        let _ = fs::remove_file(&draft);
    }
    made
}

/// Returns a kept package if it has the checksum that was kept with it, because a power loss can leave a truncated file.
fn find(path: &Path, sum: &Path) -> Option<Packed> {
    let sha256 = sha256_file(path).ok()?;
    let size = fs::metadata(path).ok()?.len();
    let is_whole = fs::read_to_string(sum).ok()? == sha256;
    // A file's time is the time of its last use.
    for file in [path, sum] {
        File::options().write(true).open(file).and_then(|file| file.set_modified(SystemTime::now())).ok()?;
    }
    is_whole.then(|| Packed { path: path.to_owned(), size, sha256 })
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
