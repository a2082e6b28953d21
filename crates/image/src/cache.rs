//! The cache of base root file systems. A root gets its final name only when it is complete. What an
//! interrupted run leaves behind is removed by the next run.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use super::root::Made;

/// Unused roots are removed after this time. Each one takes half a gigabyte, and every state of the packages
/// has its own.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// A locked cache entry.
#[derive(Debug)]
pub(super) struct Place {
    /// Path of the root file system's tar.
    pub(super) tar: PathBuf,
    _turn: File,
}

impl Place {
    /// Locks an entry, waiting for another run that builds the same root, and cleans up the cache.
    pub(super) fn take(roots: &Path, name: &str) -> Result<Place> {
        fs::create_dir_all(roots).with_context(|| format!("cannot create `{}`", roots.display()))?;
        let tar = roots.join(format!("{name}.tar"));
        // Lock files are never removed: a run waiting for a removed one would hold a lock that others do not
        // see.
        let turn = File::create(tar.with_extension("lock"))
            .with_context(|| format!("cannot write to `{}`", roots.display()))?;
        if turn.try_lock().is_err() {
            eprintln!("waiting for another run that builds the same root file system");
            turn.lock()?;
        }
        let place = Place { tar, _turn: turn };
        place.tidy(roots).with_context(|| format!("cannot clean up `{}`", roots.display()))?;
        Ok(place)
    }

    /// Returns the metadata of the cached root, if it is complete.
    pub(super) fn made(&self) -> Result<Option<Made>> {
        let about = self.tar.with_extension("json");
        if !self.tar.exists() || !about.exists() {
            return Ok(None);
        }
        let parsed = serde_json::from_slice(&fs::read(&about)?);
        let made = parsed.with_context(|| format!("`{}`", about.display()))?;
        // Marks the root as used today. If that fails, the root is only rebuilt earlier.
        let _ = File::options().write(true).open(&self.tar).and_then(|f| f.set_modified(SystemTime::now()));
        Ok(Some(made))
    }

    /// Path of the tar while it is being written.
    pub(super) fn draft(&self) -> PathBuf {
        draft(&self.tar)
    }

    /// Moves the finished tar to its final name.
    pub(super) fn keep(&self, made: &Made) -> Result<()> {
        fs::write(self.tar.with_extension("json"), serde_json::to_vec(made)?)?;
        fs::rename(self.draft(), &self.tar)?;
        Ok(())
    }

    /// Removes an unfinished tar.
    pub(super) fn forget(&self) -> io::Result<()> {
        forget(&self.draft())
    }

    /// Removes unfinished tars and roots that have not been used for a long time.
    fn tidy(&self, roots: &Path) -> io::Result<()> {
        self.forget()?;
        for entry in fs::read_dir(roots)? {
            let lock = entry?.path();
            let tar = lock.with_extension("tar");
            if lock.extension().is_none_or(|kind| kind != "lock") || tar == self.tar {
                continue;
            }
            // Another run that builds this root holds its lock.
            let turn = File::open(&lock)?;
            if turn.try_lock().is_err() {
                continue;
            }
            forget(&draft(&tar))?;
            let used = fs::metadata(&tar).and_then(|meta| meta.modified());
            if used.is_ok_and(|used| used.elapsed().is_ok_and(|time| time > KEPT)) {
                fs::remove_file(&tar)?;
                fs::remove_file(tar.with_extension("json"))?;
            }
        }
        Ok(())
    }
}

fn draft(tar: &Path) -> PathBuf {
    let name = tar.file_name().unwrap_or_default().to_string_lossy();
    tar.with_file_name(format!(".{name}"))
}

fn forget(draft: &Path) -> io::Result<()> {
    fs::remove_file(draft)
        .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::SystemTime;

    use super::{KEPT, Place};

    #[test]
    fn what_nobody_makes_or_uses_goes_and_everything_else_stays() {
        let roots = std::env::temp_dir().join(format!("roots-{}", std::process::id()));
        let _ = fs::remove_dir_all(&roots);
        fs::create_dir_all(&roots).expect("a folder");
        for name in ["killed", "busy", "old", "used"] {
            File::create(roots.join(format!("{name}.lock"))).expect("a lock");
        }
        for name in [".killed.tar", ".busy.tar", "old.json", "used.json", "note.txt"] {
            fs::write(roots.join(name), "").expect("a file");
        }
        for (name, age) in [("old.tar", KEPT + KEPT), ("used.tar", KEPT / 2)] {
            let file = File::create(roots.join(name)).expect("a root");
            file.set_modified(SystemTime::now() - age).expect("its time");
        }
        let busy = Place::take(&roots, "busy").expect("a turn");
        fs::write(roots.join(".busy.tar"), "").expect("a draft");
        drop(Place::take(&roots, "new").expect("a turn"));
        let mut left: Vec<String> = fs::read_dir(&roots)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .filter(|name| !name.ends_with(".lock"))
            .collect();
        left.sort();
        assert_eq!(left, [".busy.tar", "note.txt", "used.json", "used.tar"]);
        drop(busy);
        fs::remove_dir_all(&roots).expect("removes the folder");
    }
}
