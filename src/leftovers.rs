//! What a killed holder of the lock left running.
//!
//! The kernel frees the lock the moment its holder dies, and `kill -9` gives the holder no time to stop what
//! it launched. Under systemd the unit's processes are then stopped, which may take its whole
//! `TimeoutStopSec=`; by hand nobody stops them. A record that is still there when the lock is free shows
//! that this happened, and then the next one looks for the processes before it starts a second stack beside
//! them.

use std::fs;

use crate::lock::Holder;
use crate::processes;

/// The variable by which the processes of a launch by hand are known: `PID.STARTTIME` of its run_stack.
pub const MARK: &str = "RUN_STACK_ID";

/// The processes that came from that holder, itself included; a negative number is a process group whose
/// processes cannot be told apart. Never this process.
pub fn of(holder: &Holder) -> Vec<i32> {
    let mark = format!("{MARK}={}", holder.id());
    let came_from = |pid: i32| match &holder.cgroup {
        Some(cgroup) => fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|all| {
            let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
            all.lines().any(|line| line.strip_prefix(cgroup.as_str()).is_some_and(below))
        }),
        None => match fs::read(format!("/proc/{pid}/environ")) {
            Ok(environ) => environ.split(|&b| b == 0).any(|entry| entry == mark.as_bytes()),
            Err(_) => false,
        },
    };
    // Another user's environment is not readable. A launch's processes stay in its group, and a shell gives each
    // job a group of its own, so that the group then tells. Who has ended since the look is not there at all.
    let unreadable = |pid: i32| {
        let environ = fs::File::open(format!("/proc/{pid}/environ"));
        environ.is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
    };
    let same_group =
        |p: &processes::Process| p.group == holder.group && p.started >= holder.started && unreadable(p.pid);
    let is_holder = |p: &processes::Process| p.pid == holder.pid && p.started == holder.started;
    let found = processes::all().into_iter().filter(|p| {
        p.pid != processes::this() && !p.zombie && (is_holder(p) || came_from(p.pid) || same_group(p))
    });
    let mut found: Vec<i32> = found.map(|p| p.pid).collect();
    if found.is_empty() && holder.cgroup.is_none() && others_are_hidden() && group_exists(holder.group) {
        found.push(-holder.group);
    }
    found
}

/// Whether `/proc` shows this user's processes only, as `ProtectProc=invisible` makes it: then other users' are to
/// be found by signals alone, which ask nobody's leave to say that there is somebody.
fn others_are_hidden() -> bool {
    processes::process(1).is_none()
}

/// Whether the group has processes that belong to others.
fn group_exists(group: i32) -> bool {
    let group = processes::pid(group).map(rustix::process::test_kill_process_group);
    group == Some(Err(rustix::io::Errno::PERM))
}

/// The line of `/proc/self/cgroup` that tells which unit we are in: of the unified hierarchy, or of systemd's
/// own.
pub fn own_cgroup() -> Option<String> {
    let all = fs::read_to_string("/proc/self/cgroup").ok()?;
    let named = |prefix: &str| {
        all.lines().find(|l| l.split_once(prefix).is_some_and(|(_, path)| path.len() > 1)).map(str::to_owned)
    };
    named("0::").or_else(|| named(":name=systemd:"))
}
