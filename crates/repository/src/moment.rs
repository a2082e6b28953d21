//! When a publication happens.

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use super::key::Key;

/// How far the clock may be behind the last publication: further, and it is wrong.
const PATIENCE: Duration = Duration::from_secs(5);

/// When it happens.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Seconds since 1970, later than at every publication before.
    pub now: u64,
    /// For how many days clients may believe it; for ever when not said.
    pub valid_for: Option<u16>,
    /// The environment says so, and not the clock.
    is_given: bool,
}

impl Moment {
    /// What the clock says, or the environment in its place.
    pub fn read(valid_for: Option<u16>) -> Result<Moment> {
        let given = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(text) => Some(text.parse().with_context(|| {
                format!("invalid SOURCE_DATE_EPOCH \"{text}\": expected seconds since 1970")
            })?),
            Err(_) => None,
        };
        Ok(Moment { now: given.unwrap_or_else(|| clock().as_secs()), valid_for, is_given: given.is_some() })
    }

    /// Later than that publication, because clients refuse what is older than what they have; and not in the future,
    /// because newer ones refuse a signature from there: a second publication within a second waits for the next.
    pub(super) fn after(mut self, published: u64) -> Result<Moment> {
        if self.is_given {
            self.now = self.now.max(published + 1);
        }
        while self.now <= published {
            let ahead = Duration::from_secs(published + 1).saturating_sub(clock());
            let todo = "set the clock";
            ensure!(ahead < PATIENCE, "the last publication is {} s in the future: {todo}", ahead.as_secs());
            sleep(ahead);
            self.now = clock().as_secs();
        }
        Ok(self)
    }

    /// The same as OpenPGP writes it; no earlier than the keys themselves.
    pub(super) fn signed(self, keys: &[Key]) -> Result<u32> {
        let now =
            u32::try_from(self.now).context("the clock is later than OpenPGP can express: set the clock")?;
        for key in keys {
            ensure!(key.created() <= now, "the clock is earlier than the key: set the clock");
        }
        Ok(now)
    }
}

/// The time since 1970.
fn clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
