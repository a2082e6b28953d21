//! What a killed holder of the lock left running.
//!
//! The kernel frees the lock the moment its holder dies, and `kill -9` gives the holder no time to stop what
//! it launched. Under systemd the unit's processes are then stopped, which may take its whole
//! `TimeoutStopSec=`; by hand nobody stops them. A record that is still there when the lock is free says
//! that this happened, and then the next one looks for the processes before it starts a second stack beside
//! them. The record may be forged: what counts is what the kernel says of processes.

use std::fs;

use crate::lock::Holder;
use crate::processes;

/// The variable by which the processes of a launch by hand are known: `PID.STARTTIME` of its run_stack.
pub const MARK: &str = "RUN_STACK_ID";

/// The first number of a person. Whoever has a lower one is a service's user, and has no business in a service manager
/// of its own.
const FIRST_PERSON: u32 = 1000;

/// The processes that came from that holder; a negative number is a process group whose processes cannot be told apart.
/// Never this process. `unit` is that of its service, and `owner` the user of the lock file.
///
/// Whoever may take the lock may write anything into the record, and others read what comes of it as a command: nobody
/// is found by the record's word alone. The unit's processes are those that systemd has put into its control group,
/// whatever group the record names.
pub fn of(holder: &Holder, unit: &str, owner: u32) -> Vec<i32> {
    let mark = format!("{MARK}={}", holder.id());
    let came_from = |p: &processes::Process| match holder.cgroup {
        Some(_) => is_in_unit(p.pid, unit) || is_outside(p, owner, holder.started),
        None => is_marked(p.pid, &mark) || is_of_group(p, holder),
    };
    let found = processes::all().into_iter();
    let found = found.filter(|p| p.pid != processes::this() && !p.zombie && came_from(p));
    let mut found: Vec<i32> = found.map(|p| p.pid).collect();
    let by_hand = holder.cgroup.is_none();
    if found.is_empty() && by_hand && others_are_hidden() && group_exists(holder.group) {
        found.push(-holder.group);
    }
    found
}

/// Finds the processes of a service's user that run since then (a start time) in a service manager or session of its
/// own. No unit of the service stops or bounds them.
pub fn find_outside(user: u32, since: u64) -> Vec<i32> {
    let all = processes::all().into_iter().filter(|p| !p.zombie && is_outside(p, user, since));
    all.map(|p| p.pid).collect()
}

fn is_outside(process: &processes::Process, user: u32, since: u64) -> bool {
    if !(1..FIRST_PERSON).contains(&user) || process.started < since {
        return false;
    }
    let own = format!("/user.slice/user-{user}.slice/");
    let path = processes::read_cgroup(process.pid).filter(|path| path.starts_with(&own));
    // The manager itself is no process of the service.
    path.is_some_and(|path| !path.ends_with("/init.scope")) && processes::read_user(process.pid) == Some(user)
}

/// Whether systemd has put the process into the unit. Users name units of their own as they like, and those count for
/// nobody else.
fn is_in_unit(pid: i32, unit: &str) -> bool {
    let Some(path) = processes::read_cgroup(pid) else { return false };
    let own = format!("/user.slice/user-{}.slice/", rustix::process::getuid().as_raw());
    let may_count = !path.starts_with("/user.slice/") || path.starts_with(&own);
    let is_it = |part: &str| match unit.split_once("@.") {
        Some((name, suffix)) => {
            let instance = part.strip_prefix(name).and_then(|rest| rest.strip_prefix('@'));
            instance.is_some_and(|rest| rest.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')))
        }
        None => part == unit,
    };
    may_count && path.split('/').any(is_it)
}

fn is_marked(pid: i32, mark: &str) -> bool {
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environ.split(|&b| b == 0).any(|entry| entry == mark.as_bytes())
}

/// Another user's environment is not readable. A launch's processes stay in its group, and a shell gives each job a group
/// of its own, so that the group then tells: one whose leader, the killed holder, has ended, and which is no service's.
fn is_of_group(process: &processes::Process, holder: &Holder) -> bool {
    let is_unreadable = || {
        let environ = fs::File::open(format!("/proc/{}/environ", process.pid));
        environ.is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
    };
    let is_service = || {
        let path = processes::read_cgroup(process.pid).unwrap_or_default();
        path.split('/').any(|part| part.ends_with(".service") && !part.starts_with("user@"))
    };
    process.group == holder.group
        && process.started >= holder.started
        && has_lost_its_leader(holder.group)
        && is_unreadable()
        && !is_service()
}

/// Whether `/proc` shows this user's processes only, as `ProtectProc=invisible` makes it: then other users' are to
/// be found by signals alone, which ask nobody's leave to say that there is somebody.
fn others_are_hidden() -> bool {
    processes::process(1).is_none()
}

/// Whether the group has processes that belong to others, and none of them leads it.
fn group_exists(group: i32) -> bool {
    let others = processes::pid(group).map(rustix::process::test_kill_process_group);
    others == Some(Err(rustix::io::Errno::PERM)) && has_lost_its_leader(group)
}

/// Whether a process group's leader has ended. The kernel gives its number to nobody else while the group exists.
fn has_lost_its_leader(group: i32) -> bool {
    let Some(leader) = processes::pid(group).filter(|_| group > 1) else { return false };
    let is_gone = rustix::process::test_kill_process(leader) == Err(rustix::io::Errno::SRCH);
    is_gone || processes::process(group).is_some_and(|p| p.zombie)
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
