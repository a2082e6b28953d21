//! The time of a publication: the clock or `SOURCE_DATE_EPOCH`, and always later than the last publication.

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use super::key::Key;

/// How far the clock may be behind the last publication. If it is further behind, it is wrong.
const PATIENCE: Duration = Duration::from_secs(5);

/// The time and validity of a publication.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Seconds since 1970.
    pub now: u64,
    /// Number of days that clients accept the indices; `None` means forever.
    pub valid_for: Option<u16>,
    /// Whether the time comes from the environment.
    is_fixed: bool,
}

impl Moment {
    /// Reads the time from `SOURCE_DATE_EPOCH` or from the clock.
    pub fn read(valid_for: Option<u16>) -> Result<Moment> {
        let fixed = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(text) => Some(text.parse().with_context(|| {
                format!("invalid SOURCE_DATE_EPOCH \"{text}\": expected seconds since 1970")
            })?),
            Err(_) => None,
        };
        Ok(Moment {
            now: fixed.unwrap_or_else(|| read_clock().as_secs()),
            valid_for,
            is_fixed: fixed.is_some(),
        })
    }

    /// Returns a time after the last publication, because clients refuse indices that are older than theirs. Newer
    /// clients also refuse signatures from the future, so a second publication within one second waits.
    pub(super) fn after(mut self, published: u64) -> Result<Moment> {
        if self.is_fixed {
            self.now = self.now.max(published + 1);
        }
        while self.now <= published {
            let ahead = Duration::from_secs(published + 1).saturating_sub(read_clock());
            let todo = "set the clock";
            ensure!(ahead < PATIENCE, "the last publication is {} s in the future: {todo}", ahead.as_secs());
            sleep(ahead);
            self.now = read_clock().as_secs();
        }
        Ok(self)
    }

    /// Returns the time of OpenPGP signatures, or an error if a key is newer.
    pub(super) fn signed(self, keys: &[Key]) -> Result<u32> {
        let now =
            u32::try_from(self.now).context("the clock is later than OpenPGP can express: set the clock")?;
        for key in keys {
            ensure!(key.created() <= now, "the clock is earlier than the key: set the clock");
        }
        Ok(now)
    }
}

/// Returns the time since 1970.
fn read_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
