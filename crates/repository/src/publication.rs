//! What every part of a publication needs to know.

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use catalog::rule::name;
use package::pack::Package;

use super::description::Description;
use super::key::Key;
use super::site::Site;

/// How far the clock may be behind the last publication: further, and it is wrong.
const PATIENCE: Duration = Duration::from_secs(5);

/// One publication.
pub(super) struct Publication<'a> {
    pub(super) site: &'a Site,
    pub(super) description: &'a Description,
    /// The first one signs where there is room for one signature.
    pub(super) keys: &'a [Key],
    pub(super) moment: Moment,
}

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

/// A version of a package, `NAME=VERSION`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Name of the package.
    pub name: String,
    /// Version as the package has it.
    pub version: String,
}

impl Version {
    /// That of a package.
    pub(super) fn of(package: &Package) -> Version {
        Version { name: package.package.clone(), version: package.version.clone() }
    }

    /// Reads `NAME=VERSION`.
    pub fn parse(text: &str) -> Result<Version, String> {
        let Some((package, version)) = text.split_once('=') else {
            return Err("expected NAME=VERSION".to_owned());
        };
        name::check_package(package)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".+~-".contains(&b);
        if version.is_empty() || !version.bytes().all(plain) {
            return Err(format!("invalid version {version:?}: expected NAME=VERSION"));
        }
        Ok(Version { name: package.to_owned(), version: version.to_owned() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.version)
    }
}
