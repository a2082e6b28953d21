//! The holder of a lock: its record in the lock file, and checks of its process.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::{moment, processes};

/// The program that takes the lock for a service.
const PROGRAM: &str = "run_stack";

/// The holder of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Name of the service.
    pub service: String,
    /// ID of its run_stack process.
    pub pid: i32,
    /// Time when it took the lock.
    pub since: String,
    /// Start time of the process in clock ticks since boot.
    pub started: u64,
    /// Process group of the process.
    pub group: i32,
    /// Line of `/proc/PID/cgroup` if systemd started it: all processes of the launch are in that cgroup.
    pub cgroup: Option<String>,
}

impl Holder {
    /// Creates a record for this process.
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

    /// Returns an id that is unique since boot.
    pub fn id(&self) -> String {
        format!("{}.{}", self.pid, self.started)
    }

    /// Returns a description for people.
    pub fn describe(&self) -> String {
        format!("{} (pid {}, since {})", self.service, self.pid, self.since)
    }

    /// Parses a record; returns `None` if it is empty or incomplete.
    pub(crate) fn parse(record: &str) -> Option<Holder> {
        let field = |name: &str| record.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix('='));
        let pid = field("pid")?.parse().ok()?;
        Some(Holder {
            service: field("service")?.to_owned(),
            pid,
            // Any user who may take the lock may write anything here, and it is shown on terminals.
            since: field("since").filter(|since| moment::is_one(since))?.to_owned(),
            started: field("started")?.parse().ok()?,
            // A run_stack of an older version did not write this.
            group: field("group").and_then(|group| group.parse().ok()).unwrap_or(pid),
            cgroup: field("cgroup").filter(|c| !c.is_empty()).map(str::to_owned),
        })
    }

    /// Returns whether the process runs run_stack, as far as this user can see.
    pub(crate) fn is_launch(&self) -> bool {
        processes::runs(self.pid, PROGRAM) || processes::process(self.pid).is_none()
    }

    /// Returns whether the process has ended.
    pub(crate) fn is_gone(&self) -> bool {
        !self.lives()
    }

    /// Returns whether the process that wrote the record is still running.
    pub(crate) fn lives(&self) -> bool {
        match processes::process(self.pid) {
            Some(process) => process.started == self.started && !process.zombie,
            // The process may be hidden (`hidepid`). But the kernel reports to every user when a process does
            // not exist or has ended, even if its parent has not reaped it.
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
