//! Who holds the lock: what a launch writes into the lock file, and what the kernel says of its process.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::{moment, processes};

/// The program that takes it for a service.
const PROGRAM: &str = "run_stack";

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The service.
    pub service: String,
    /// Its run_stack.
    pub pid: i32,
    /// When it took the lock, for a person.
    pub since: String,
    /// Start time of the process in clock ticks since boot.
    pub started: u64,
    /// Its process group.
    pub group: i32,
    /// Its line of `/proc/PID/cgroup`, when systemd started it: what is in there came from it.
    pub cgroup: Option<String>,
}

impl Holder {
    /// This process, for that service.
    pub fn this(service: &str, by_systemd: bool) -> Holder {
        let pid = processes::this();
        Holder {
            service: service.to_owned(),
            pid,
            since: moment::now(),
            started: processes::process(pid).map_or(0, |p| p.started),
            group: rustix::process::getpgrp().as_raw_nonzero().get(),
            cgroup: if by_systemd { processes::own_cgroup() } else { None },
        }
    }

    /// What tells this holder from every other since the machine was started.
    pub fn id(&self) -> String {
        format!("{}.{}", self.pid, self.started)
    }

    /// For a person.
    pub fn describe(&self) -> String {
        format!("{} (pid {}, since {})", self.service, self.pid, self.since)
    }

    /// Reads a record; none, or half a one, is `None`.
    pub(crate) fn parse(record: &str) -> Option<Holder> {
        let field = |name: &str| record.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('='));
        let pid = field("pid")?.parse().ok()?;
        Some(Holder {
            service: field("service")?.to_owned(),
            pid,
            // Who may take the lock may write anything here, and others read it on their terminals.
            since: field("since").filter(|since| moment::is_one(since))?.to_owned(),
            started: field("started")?.parse().ok()?,
            // A run_stack of before an upgrade has not written it.
            group: field("group").and_then(|group| group.parse().ok()).unwrap_or(pid),
            cgroup: field("cgroup").filter(|c| !c.is_empty()).map(str::to_owned),
        })
    }

    /// Whether it runs the program that takes the lock, as far as we are allowed to see it.
    pub(crate) fn is_launch(&self) -> bool {
        processes::runs(self.pid, PROGRAM) || processes::process(self.pid).is_none()
    }

    /// Whether its process has ended.
    pub(crate) fn is_gone(&self) -> bool {
        !self.lives()
    }

    /// Whether the process of the record is still the one that wrote it.
    pub(crate) fn lives(&self) -> bool {
        match processes::process(self.pid) {
            Some(process) => process.started == self.started && !process.zombie,
            // We may not be allowed to see it (`hidepid`). A process without that number is surely gone, and the kernel
            // tells anybody when one ends, also when nobody has taken its status yet.
            None => processes::pid(self.pid).is_some_and(|pid| {
                let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
                let mut ended = [PollFd::new(&process, PollFlags::IN)];
                poll(&mut ended, Some(&Timespec::default())) == Ok(0)
            }),
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Holder { service, pid, since, started, group, cgroup } = self;
        let cgroup = cgroup.as_deref().unwrap_or_default();
        write!(f, "service={service}\npid={pid}\nsince={since}\nstarted={started}\n")?;
        write!(f, "group={group}\ncgroup={cgroup}\n")
    }
}
