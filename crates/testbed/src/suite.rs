//! The Debian releases of test machines, and the packages on every one.

use std::str::FromStr;
use std::{fmt, panic, thread};

use anyhow::{Result, bail};

/// A Debian release; tests depend on its systemd and polkit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// Debian 12: systemd 252, polkit 122.
    Bookworm,
    /// Debian 13: systemd 257, polkit 126.
    Trixie,
    /// Debian unstable, as of when its root was built.
    Sid,
}

impl Suite {
    /// All suites, oldest first.
    pub const ALL: [Self; 3] = [Self::Bookworm, Self::Trixie, Self::Sid];

    /// The suites that the products support.
    pub const STABLE: [Self; 2] = [Self::Trixie, Self::Bookworm];

    /// Returns the suite's name in the archive.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    /// Returns the packages of a root in addition to the essential ones. Machines have no network, so this
    /// includes all dependencies of the packages under test.
    pub(crate) fn packages(self) -> &'static [&'static str] {
        &[
            "dbus",
            // The user bus, as installed by default on Debian.
            "dbus-user-session",
            "init",
            "iproute2",
            "libnss-systemd",
            "libpam-systemd",
            // Not essential since trixie.
            "login",
            "passwd",
            "polkitd",
            "procps",
            // For stand-ins of real programs, such as the one for ROS.
            "python3",
            "rpm",
            "systemd",
            "systemd-sysv",
        ]
    }
}

/// Runs a scenario for all cases (such as suites) in parallel, because it mostly waits.
pub fn at_once<C: Send>(
    cases: impl IntoIterator<Item = C>,
    scenario: impl Fn(C) -> Result<()> + Sync,
) -> Result<()> {
    let scenario = &scenario;
    thread::scope(|scope| {
        let runs: Vec<_> = cases.into_iter().map(|case| scope.spawn(move || scenario(case))).collect();
        // Joins all threads, even after a failure.
        let ended: Vec<_> = runs.into_iter().map(thread::ScopedJoinHandle::join).collect();
        ended.into_iter().try_for_each(|run| run.unwrap_or_else(|panic| panic::resume_unwind(panic)))
    })
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Suite {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        match Self::ALL.into_iter().find(|suite| suite.name() == name) {
            Some(suite) => Ok(suite),
            None => bail!("unknown suite `{name}`: expected one of {}", Self::ALL.map(Self::name).join(", ")),
        }
    }
}
