//! The Debian releases that machines run, and what is installed on every one of them.

use std::str::FromStr;
use std::{fmt, panic, thread};

use anyhow::{Result, bail};

/// A Debian release; what matters here is its systemd and its polkit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// Debian 12: systemd 252, polkit 122.
    Bookworm,
    /// Debian 13: systemd 257, polkit 126.
    Trixie,
    /// Debian unstable, as it was when its root was made.
    Sid,
}

impl Suite {
    /// Every suite, oldest first.
    pub const ALL: [Self; 3] = [Self::Bookworm, Self::Trixie, Self::Sid];

    /// Those that the products are made for.
    pub const STABLE: [Self; 2] = [Self::Trixie, Self::Bookworm];

    /// The suite's name in the archive.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    /// What a root has beside Debian's essential packages. Machines have no network, so this holds every
    /// dependency of the packages that are installed on them.
    pub(crate) fn packages(self) -> &'static [&'static str] {
        &[
            "dbus",
            // The user manager's own bus, as on any Debian that was installed with recommendations.
            "dbus-user-session",
            "init",
            "iproute2",
            "libnss-systemd",
            "libpam-systemd",
            // Both left the essential set in trixie.
            "login",
            "passwd",
            "polkitd",
            "procps",
            // For stand-ins of real programs, the one for ROS among them.
            "python3",
            "rpm",
            "systemd",
            "systemd-sysv",
        ]
    }
}

/// Plays a scenario in every case, say on every suite, at once: most of each is waiting.
pub fn at_once<C: Send>(
    cases: impl IntoIterator<Item = C>,
    scenario: impl Fn(C) -> Result<()> + Sync,
) -> Result<()> {
    let scenario = &scenario;
    thread::scope(|scope| {
        let runs: Vec<_> = cases.into_iter().map(|case| scope.spawn(move || scenario(case))).collect();
        // Each is waited for, whatever became of the others.
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
            None => bail!(
                "suite `{name}`: no machine runs it: use one of {}",
                Self::ALL.map(Self::name).join(", ")
            ),
        }
    }
}
