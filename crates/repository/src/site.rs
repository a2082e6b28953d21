//! The folder that is served: writes into it so that whoever reads meanwhile sees the old state or the new one. A file
//! appears whole, and what others refer to is there before them.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use workspace::output;

use super::moment::Moment;

/// How long what no index names any more is kept: for clients that have read the index before, and for caches of
/// proxies that keep an index for hours.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// The right to write to a site, until it is dropped. Suites whose last run has not ended are remembered in the lock's
/// file: such a run may have left files that nothing names.
#[derive(Debug)]
pub(super) struct Turn {
    lock: File,
    unfinished: BTreeSet<String>,
}

impl Turn {
    /// Whether the last run for a suite did not end.
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
        let written =
            lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(text.as_bytes()));
        written.context("`.lock`: cannot be written")
    }
}

/// A folder of the site.
#[derive(Debug, Clone)]
pub(super) struct Site {
    root: PathBuf,
}

impl Site {
    /// The site in a folder, made now if need be, and the right to write to it.
    pub(super) fn open(root: &Path) -> Result<(Site, Turn)> {
        let shown = root.display();
        fs::create_dir_all(root).with_context(|| format!("`{shown}`: cannot be created"))?;
        // The lock dies with its process, however that ends.
        let path = root.join(".lock");
        let lock = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut lock = lock.with_context(|| format!("`{}`: cannot be created", path.display()))?;
        if lock.try_lock().is_err() {
            eprintln!("waiting for another run in `{shown}`");
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

    /// The bytes of a file, if there is one.
    pub(super) fn read(&self, relative: &str) -> Result<Option<Vec<u8>>> {
        match fs::read(self.path(relative)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("`{relative}`: cannot be read")),
        }
    }

    /// Puts a file into place, with the folders above it.
    pub(super) fn put(&self, relative: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("`{}`: cannot be created", parent.display()))?;
        }
        output::replace(&path, bytes)
    }

    /// Puts an index into place, with the publication's moment as its time: a web server goes by that when a client
    /// asks whether there is something new, and two publications within a second would have the same.
    pub(super) fn put_index(&self, relative: &str, bytes: &[u8], moment: Moment) -> Result<()> {
        self.put(relative, bytes)?;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(moment.now);
        let dated = File::options().write(true).open(self.path(relative)).and_then(|f| f.set_modified(time));
        dated.with_context(|| format!("`{relative}`: cannot set its time"))
    }

    /// Gives a file a second name; where the disk knows no such thing, it is copied.
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

    /// Puts a file into place that is there under another name.
    pub(super) fn name(&self, from: &str, to: &str) -> Result<()> {
        let [from, path] = [from, to].map(|relative| self.path(relative));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("`{}`: cannot be created", parent.display()))?;
        }
        let beside = path.with_added_extension("new");
        let _ = fs::remove_file(&beside);
        let made = fs::hard_link(&from, &beside).or_else(|_| fs::copy(&from, &beside).map(drop));
        let made = made.and_then(|()| fs::rename(&beside, &path));
        // Where both were the same file already, renaming does nothing.
        let _ = fs::remove_file(&beside);
        made.with_context(|| format!("`{}`: cannot be written", path.display()))
    }

    /// Removes a folder that nobody reads.
    pub(super) fn clear(&self, relative: &str) -> Result<()> {
        match fs::remove_dir_all(self.path(relative)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("`{relative}`: cannot be removed"))
            }
            _ => Ok(()),
        }
    }

    /// Puts a folder in the place of another in one step, and removes that.
    pub(super) fn replace_folder(&self, place: &str, fresh: &str) -> Result<()> {
        let [from, to] = [fresh, place].map(|relative| self.path(relative));
        let moved = if to.exists() {
            let swapped = renameat_with(CWD, &from, CWD, &to, RenameFlags::EXCHANGE).map_err(io::Error::from);
            // Some disks over a network cannot; there is a moment without the folder then.
            swapped.or_else(|_| fs::remove_dir_all(&to).and_then(|()| fs::rename(&from, &to)))
        } else {
            fs::rename(&from, &to)
        };
        moved.with_context(|| format!("`{place}`: cannot be replaced"))?;
        self.clear(fresh)
    }

    /// Names of what is in a folder; none when there is no such folder.
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

    /// Removes from a folder what is not among `kept` for longer than clients may still ask for it. When that began is
    /// kept as the file's own time.
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
