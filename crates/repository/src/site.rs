//! The folder that a web server serves. Clients that read during a publication see either the old state or the new one:
//! each file is replaced atomically, and a file is written before any file that refers to it.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use workspace::output;

use super::moment::Moment;

/// How long files stay after no index names them. Clients may have read an earlier index, and proxies cache an index
/// for hours.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// Exclusive write access to a site, until it is dropped. The lock file lists suites whose last run did not end,
/// because such a run may have left unreferenced files.
#[derive(Debug)]
pub(super) struct Turn {
    lock: File,
    unfinished: BTreeSet<String>,
}

impl Turn {
    /// Returns whether the last run for a suite did not end.
    pub(super) fn is_unfinished(&self, suite: &str) -> bool {
        self.unfinished.contains(suite)
    }

    pub(super) fn begin(&mut self, suite: &str) -> Result<()> {
        if self.unfinished.insert(suite.to_owned()) { self.write() } else { Ok(()) }
    }

    pub(super) fn end(mut self, suite: &str) -> Result<()> {
        self.unfinished.remove(suite);
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        let text: String = self.unfinished.iter().map(|suite| format!("{suite}\n")).collect();
        let lock = &mut self.lock;
        let result =
            lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(text.as_bytes()));
        result.context("`.lock`: cannot be written")
    }
}

/// The root folder of the site. Other paths are relative to it.
#[derive(Debug, Clone)]
pub(super) struct Site {
    root: PathBuf,
}

impl Site {
    /// Opens or creates a site, and waits for exclusive write access to it.
    pub(super) fn open(root: &Path) -> Result<(Site, Turn)> {
        let folder = root.display();
        fs::create_dir_all(root).with_context(|| format!("`{folder}`: cannot be created"))?;
        // The kernel releases the lock when the process ends, even if it is killed.
        let path = root.join(".lock");
        let lock = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut lock = lock.with_context(|| format!("`{}`: cannot be created", path.display()))?;
        if lock.try_lock().is_err() {
            eprintln!("waiting for another run in `{folder}`");
            lock.lock()?;
        }
        let mut text = String::new();
        lock.read_to_string(&mut text).with_context(|| format!("`{}`: cannot be read", path.display()))?;
        let unfinished = text.lines().map(str::to_owned).collect();
        Ok((Site { root: root.to_owned() }, Turn { lock, unfinished }))
    }

    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Reads a file, if it exists.
    pub(super) fn read(&self, relative: &str) -> Result<Option<Vec<u8>>> {
        match fs::read(self.path(relative)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("`{relative}`: cannot be read")),
        }
    }

    /// Writes a file atomically, and creates the folders above it.
    pub(super) fn put(&self, relative: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("`{}`: cannot be created", parent.display()))?;
        }
        output::replace(&path, bytes)
    }

    /// Writes an index with the publication's time as its modification time. A web server compares that time when a
    /// client asks for changes, and two publications never have the same one.
    pub(super) fn put_index(&self, relative: &str, bytes: &[u8], moment: Moment) -> Result<()> {
        self.put(relative, bytes)?;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(moment.now);
        let result = File::options().write(true).open(self.path(relative)).and_then(|f| f.set_modified(time));
        result.with_context(|| format!("`{relative}`: cannot set its time"))
    }

    /// Hard-links a file unless `to` exists; copies it on a file system without hard links.
    pub(super) fn link(&self, from: &str, to: &str) -> Result<()> {
        let [from, to] = [from, to].map(|relative| self.path(relative));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("`{}`: cannot be created", parent.display()))?;
        }
        if to.exists() || fs::hard_link(&from, &to).is_ok() {
            return Ok(());
        }
        fs::copy(&from, &to).map(drop).with_context(|| format!("`{}`: cannot be created", to.display()))
    }

    /// Replaces `to` by a hard link to `from`; copies it on a file system without hard links.
    pub(super) fn name(&self, from: &str, to: &str) -> Result<()> {
        let [from, path] = [from, to].map(|relative| self.path(relative));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("`{}`: cannot be created", parent.display()))?;
        }
        let beside = path.with_added_extension("new");
        let _ = fs::remove_file(&beside);
        let result = fs::hard_link(&from, &beside).or_else(|_| fs::copy(&from, &beside).map(drop));
        let result = result.and_then(|()| fs::rename(&beside, &path));
        // A rename between two links of the same file does nothing and leaves both.
        let _ = fs::remove_file(&beside);
        result.with_context(|| format!("`{}`: cannot be written", path.display()))
    }

    /// Removes a folder, if it exists.
    pub(super) fn clear(&self, relative: &str) -> Result<()> {
        match fs::remove_dir_all(self.path(relative)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("`{relative}`: cannot be removed"))
            }
            _ => Ok(()),
        }
    }

    /// Replaces the folder `place` by `fresh` in one step, and removes the old one.
    pub(super) fn replace_folder(&self, place: &str, fresh: &str) -> Result<()> {
        let [from, to] = [fresh, place].map(|relative| self.path(relative));
        let moved = if to.exists() {
            let swapped = renameat_with(CWD, &from, CWD, &to, RenameFlags::EXCHANGE).map_err(io::Error::from);
            // Some network file systems cannot exchange folders; there, the folder is missing for a moment.
            swapped.or_else(|_| fs::remove_dir_all(&to).and_then(|()| fs::rename(&from, &to)))
        } else {
            fs::rename(&from, &to)
        };
        moved.with_context(|| format!("`{place}`: cannot be replaced"))?;
        self.clear(fresh)
    }

    /// Returns the sorted names in a folder, or nothing if the folder does not exist.
    pub(super) fn names(&self, relative: &str) -> Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(relative)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("`{relative}`: cannot be read")),
        };
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        Ok(names)
    }

    /// Removes files from a folder that have not been in `kept` for [`GRACE`]. Files in `leaving` are no longer kept
    /// from now on; their modification time records that moment.
    pub(super) fn prune(
        &self,
        relative: &str,
        kept: &BTreeSet<String>,
        leaving: &BTreeSet<String>,
    ) -> Result<()> {
        let now = SystemTime::now();
        for name in self.names(relative)? {
            let path = self.path(&format!("{relative}/{name}"));
            if kept.contains(&name) || path.is_dir() {
                continue;
            }
            if leaving.contains(&name) {
                File::open(&path)?.set_times(FileTimes::new().set_modified(now))?;
                continue;
            }
            let since = fs::metadata(&path)?.modified()?;
            if now.duration_since(since).is_ok_and(|time| time > GRACE) {
                fs::remove_file(&path).with_context(|| format!("`{}`: cannot be removed", path.display()))?;
            }
        }
        Ok(())
    }
}
