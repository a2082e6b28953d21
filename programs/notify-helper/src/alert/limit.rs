//! Limits alerts about one unit: the first is sent at once, then one per interval.
//!
//! The state is the modification time of an empty file in the unit's runtime directory: it causes no wear,
//! works on a full disk, and is forgotten at reboot. After a second failure within the interval, this process
//! waits for its end. Meanwhile systemd starts no second process, and the journal counts the failures.

use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// systemd's variable for the runtime directory.
const DIRECTORY: &str = "RUNTIME_DIRECTORY";

#[derive(Debug)]
pub(crate) struct Limit {
    stamp: PathBuf,
    interval: Duration,
}

/// When to send an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Now,
    /// Later, because an alert was already sent.
    Later {
        /// Remaining time.
        left: Duration,
        /// Time of the last alert.
        since: SystemTime,
    },
}

impl Limit {
    /// Returns `None` without a runtime directory: a person runs this by hand.
    pub(crate) fn from_environment(unit: &str, interval: Duration) -> Option<Limit> {
        let directory = std::env::var_os(DIRECTORY).filter(|d| !d.is_empty())?;
        Some(Limit { stamp: Path::new(&directory).join(unit), interval })
    }

    /// Decides whether to send an alert now.
    pub(crate) fn turn(&self, now: SystemTime) -> Turn {
        let told = fs::symlink_metadata(&self.stamp).and_then(|m| m.modified());
        // Ignore a time in the future, from before the clock was set back.
        match told.ok().and_then(|since| Some((since, now.duration_since(since).ok()?))) {
            Some((since, age)) if age < self.interval => Turn::Later { left: self.interval - age, since },
            _ => Turn::Now,
        }
    }

    /// Records an alert.
    pub(crate) fn note(&self, now: SystemTime) -> io::Result<()> {
        let file = File::options().create(true).append(true).open(&self.stamp)?;
        file.set_times(FileTimes::new().set_modified(now))
    }

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
