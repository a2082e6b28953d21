//! Writes files atomically, so that a power loss leaves the old or the new file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Replaces a file and creates its directory; does nothing if the content is the same. `mode` is `None` on
/// file systems without modes.
pub fn replace(path: &Path, mode: Option<u32>, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let same_mode =
        |meta: fs::Metadata| meta.is_file() && mode.is_none_or(|m| meta.permissions().mode() & 0o7777 == m);
    if fs::symlink_metadata(path).is_ok_and(same_mode) && fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let draft = draft(path);
    let _ = fs::remove_file(&draft);
    let written = (|| {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode.unwrap_or(0o600)).open(&draft)?;
        if let Some(mode) = mode {
            file.set_permissions(fs::Permissions::from_mode(mode))?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written?;
    File::open(folder)?.sync_all()
}

/// Replaces a symlink.
pub fn link(path: &Path, target: &str) -> io::Result<()> {
    if fs::read_link(path).is_ok_and(|old| old == Path::new(target)) {
        return Ok(());
    }
    let draft = draft(path);
    let _ = fs::remove_file(&draft);
    std::os::unix::fs::symlink(target, &draft)?;
    fs::rename(&draft, path)?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Removes a file if it exists.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        Err(_) => Ok(()),
        Ok(()) => File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all(),
    }
}

/// Reads at most `most` bytes of a file; returns `None` if it does not exist.
pub fn read(path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
    use std::io::Read;
    let file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// A path in the same directory, for the rename; no program reads files of this name as configuration.
fn draft(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}~"))
}
