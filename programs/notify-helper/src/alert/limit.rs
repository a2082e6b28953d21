//! How often people are told of one unit: at once, and then once in an interval.
//!
//! The memory is an empty file's time in the unit's runtime directory: nothing wears out, a full disk does not
//! matter, and after a reboot the first failure is told again. Who fails a second time within the interval waits for
//! its end in this process; while it does, systemd starts no second one, and the journal does the counting.

use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Where systemd says the directory is.
const DIRECTORY: &str = "RUNTIME_DIRECTORY";

/// Of one unit.
#[derive(Debug)]
pub(crate) struct Limit {
    stamp: PathBuf,
    interval: Duration,
}

/// When it may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// At once.
    Now,
    /// Then, because it was told already.
    Later {
        /// How long that is.
        left: Duration,
        /// When it was told.
        since: SystemTime,
    },
}

impl Limit {
    /// Nothing is limited without a directory: a person runs this by hand.
    pub(crate) fn from_environment(unit: &str, interval: Duration) -> Option<Limit> {
        let directory = std::env::var_os(DIRECTORY).filter(|d| !d.is_empty())?;
        Some(Limit { stamp: Path::new(&directory).join(unit), interval })
    }

    /// Whose turn it is at this time.
    pub(crate) fn turn(&self, now: SystemTime) -> Turn {
        let told = fs::symlink_metadata(&self.stamp).and_then(|m| m.modified());
        // One of the future was written before the clock was set back: it says nothing.
        match told.ok().and_then(|since| Some((since, now.duration_since(since).ok()?))) {
            Some((since, age)) if age < self.interval => Turn::Later { left: self.interval - age, since },
            _ => Turn::Now,
        }
    }

    /// From now on it has been told.
    pub(crate) fn note(&self, now: SystemTime) -> io::Result<()> {
        let file = File::options().create(true).append(true).open(&self.stamp)?;
        file.set_times(FileTimes::new().set_modified(now))
    }

    /// Where that is noted.
    pub(crate) fn path(&self) -> &Path {
        &self.stamp
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn turns() {
        let stamp = std::env::temp_dir().join(format!("limit-{}", std::process::id()));
        let limit = Limit { stamp: stamp.clone(), interval: Duration::from_secs(60) };
        let at = |s: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + s);
        assert_eq!(limit.turn(at(0)), Turn::Now);
        limit.note(at(0)).unwrap();
        assert_eq!(limit.turn(at(10)), Turn::Later { left: Duration::from_secs(50), since: at(0) });
        assert_eq!(limit.turn(at(60)), Turn::Now);
        limit.note(at(500)).unwrap();
        assert_eq!(limit.turn(at(100)), Turn::Now);
        fs::remove_file(stamp).unwrap();
    }
}
