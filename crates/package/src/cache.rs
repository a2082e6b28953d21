//! Packages that were packed before: takes a key of everything that a package is made of, gives its bytes, which are made
//! only if no earlier run has kept them. Compressing is most of what a package takes.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use common::checksum::sha256;
use workspace::output;

/// How long what nobody asks for is kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The package of that key: of an earlier run, or made now and kept in `folder`.
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
    forget(folder)?;
    output::replace(&file, &[sha256(&bytes).as_bytes(), &bytes].concat())?;
    Ok(bytes)
}

/// What is there, if it is whole: after its own checksum, because a cut of the current may leave a part.
fn read_kept(file: &Path) -> Option<Vec<u8>> {
    let mut bytes = fs::read(file).ok()?;
    let sum = bytes.drain(..64.min(bytes.len())).collect::<Vec<_>>();
    // Its age is that of its last use.
    let used = File::options().write(true).open(file).and_then(|file| file.set_modified(SystemTime::now()));
    (used.is_ok() && sum == sha256(&bytes).as_bytes()).then_some(bytes)
}

/// Removes what was of no use for long.
fn forget(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let age = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > KEPT) {
            // Another run may have been quicker.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}
