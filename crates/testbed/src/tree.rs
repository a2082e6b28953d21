//! Files of a machine, accessed through a handle on its root folder: no process runs inside, and symlinks
//! cannot lead to host files.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{CWD, Dir, Mode, OFlags, ResolveFlags, fchmod, mkdirat, openat, openat2, renameat};
use rustix::io::Errno;

/// The files of a machine.
pub(crate) struct Tree {
    root: OwnedFd,
}

impl Tree {
    /// Opens a folder of the host, or `/proc/PID/root`.
    pub(crate) fn open(root: &str) -> Result<Self> {
        let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .with_context(|| format!("cannot open `{root}`"))?;
        Ok(Self { root })
    }

    /// Writes a file as `install` does: creates parent folders, and atomically replaces what was there, such
    /// as a symlink.
    pub(crate) fn write(&self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        self.replace(Path::new(path), mode, bytes)
            .with_context(|| format!("cannot write `{path}` in the machine"))
    }

    /// Copies a host file with its mode.
    pub(crate) fn copy(&self, host: &Path, path: &str) -> Result<()> {
        let what = || format!("cannot read `{}`", host.display());
        let mode = fs::metadata(host).with_context(what)?.permissions().mode();
        self.write(path, mode & 0o7777, &fs::read(host).with_context(what)?)
    }

    fn replace(&self, path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file name"));
        };
        let folder = self.folder(folder)?;
        let mut draft = OsStr::new(".").to_owned();
        draft.push(name);
        draft.push(".draft");
        let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&folder, &draft, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(bytes)?;
        fchmod(&file, Mode::from_raw_mode(mode))?;
        Ok(renameat(&folder, &draft, &folder, name)?)
    }

    fn folder(&self, path: &Path) -> io::Result<OwnedFd> {
        let open = || self.open_at(path, OFlags::PATH | OFlags::DIRECTORY);
        match (open(), path.parent(), path.file_name()) {
            (Err(Errno::NOENT), Some(parent), Some(name)) => {
                match mkdirat(&self.folder(parent)?, name, Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => Ok(open()?),
                    Err(error) => Err(error.into()),
                }
            }
            (opened, ..) => Ok(opened?),
        }
    }

    /// Reads a file; an error of kind `NotFound` if it does not exist.
    pub(crate) fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::from(self.open_at(Path::new(path), OFlags::RDONLY)?).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Returns the sorted names in a folder; empty if it does not exist.
    pub(crate) fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let folder = match self.open_at(Path::new(path), OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(Errno::NOENT) => return Ok(Vec::new()),
            opened => opened?,
        };
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Returns whether a path exists; false for a dangling symlink.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.open_at(Path::new(path), OFlags::PATH).is_ok()
    }

    fn open_at(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        openat2(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT)
    }
}
