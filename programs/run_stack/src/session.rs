//! The session file names the running launch for as long as it runs.
//!
//! It is complete or absent, never partial. It is not synced to disk: after a power loss the next launch
//! removes it, and waiting for an SD card would delay every start.

use std::path::{Path, PathBuf};
use std::{fs, io};

use base::environment::Environment;
use base::failure::{Failure, reason};
use base::table::Session;

/// An existing session file; dropping this removes it.
#[derive(Debug)]
pub(crate) struct Written(PathBuf);

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Returns the path, which is below the home directory.
pub(crate) fn path(session: &Session, environment: &Environment) -> Result<PathBuf, Failure> {
    match environment.get("HOME").filter(|home| !home.is_empty()) {
        Some(home) => Ok(Path::new(home).join(&session.path)),
        None => Err(Failure::configuration(format!(
            "`{}`: HOME is not set: set HOME, or User= in the unit",
            session.path.display()
        ))),
    }
}

/// Removes the file that a killed launch left behind. The caller must hold the lock.
pub(crate) fn clear(path: &Path) {
    let _ = fs::remove_file(path);
    let _ = fs::remove_file(beside(path));
}

/// Writes the file and creates its directories.
pub(crate) fn write(session: &Session, path: &Path) -> Result<Written, Failure> {
    let temporary = beside(path);
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&temporary, format!("{}\n", session.content)))
        .and_then(|()| fs::rename(&temporary, path));
    match written {
        Ok(()) => Ok(Written(path.to_owned())),
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(failure(path, &error))
        }
    }
}

/// In the same directory, because a rename cannot cross file systems.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    let shown = format!("`{}`: cannot write the session file: {}", path.display(), reason(error));
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Failure::failed(format!("{shown}: free space on its file system"))
        }
        _ => Failure::configuration(format!("{shown}: give this user write access")),
    }
}
