//! What a killed holder of the lock left running.
//!
//! The kernel frees the lock the moment its holder dies, and `kill -9` gives the holder no time to stop what
//! it launched. Under systemd the unit's processes are then stopped, which may take its whole
//! `TimeoutStopSec=`; by hand nobody stops them. A record that is still there when the lock is free says
//! that this happened, and then the next one looks for the processes before it starts a second stack beside
//! them. The record may be forged: what counts is what the kernel says of processes.

use std::fs;

use crate::holder::Holder;
use crate::processes;

/// The variable by which the processes of a launch by hand are known: `PID.STARTTIME` of its run_stack.
pub const MARK: &str = "RUN_STACK_ID";

/// The first number of a person. Whoever has a lower one is a service's user, and has no business in a service manager
/// of its own.
const FIRST_PERSON: u32 = 1000;

/// The processes that came from that holder; a negative number is a process group of which no more is known. Never this
/// process. `unit` is that of its service, and `owner` the user of the lock file.
///
/// Whoever may take the lock may write anything into the record, and others read what comes of it as a command: nobody
/// is found by the record's word alone. The unit's processes are those that systemd has put into its control group,
/// whatever group the record names.
///
/// Two stacks at once are worse than a start that is refused: where a killed one's processes belong to a user whom we may
/// not look at, its process group is enough to keep the next one out. It is enough for a command only if the holder led it.
pub fn find(holder: &Holder, unit: &str, owner: u32) -> Vec<i32> {
    let mark = format!("{MARK}={}", holder.id());
    let by_hand = holder.cgroup.is_none();
    let came_from = |p: &processes::Process| match by_hand {
        false => is_in_unit(p.pid, unit) || is_outside(p, owner, holder.started),
        true => is_marked(p.pid, &mark),
    };
    let all: Vec<_> =
        processes::all().into_iter().filter(|p| p.pid != processes::this() && !p.zombie).collect();
    let found: Vec<i32> = all.iter().filter(|p| came_from(p)).map(|p| p.pid).collect();
    if !found.is_empty() || !by_hand || holder.group <= 1 || !holder.is_gone() {
        return found;
    }
    let strangers: Vec<i32> = all.iter().filter(|p| is_stranger_of(p, holder)).map(|p| p.pid).collect();
    if !strangers.is_empty() && holder.group == holder.pid {
        // No process gets a group's number while the group exists: this is the one that the holder led.
        strangers
    } else if !strangers.is_empty() || has_hidden_strangers(holder.group) {
        vec![-holder.group]
    } else {
        Vec::new()
    }
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

/// Whether the process is in the holder's group, is no service's, and belongs to a user whose environment we may not read.
fn is_stranger_of(process: &processes::Process, holder: &Holder) -> bool {
    let is_unreadable = || {
        let environ = fs::File::open(format!("/proc/{}/environ", process.pid));
        environ.is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
    };
    let is_service = || {
        let path = processes::read_cgroup(process.pid).unwrap_or_default();
        path.split('/').any(|part| part.ends_with(".service") && !part.starts_with("user@"))
    };
    process.group == holder.group && process.started >= holder.started && is_unreadable() && !is_service()
}

/// Whether a group has processes of others where `/proc` shows this user's only, as `ProtectProc=invisible` makes it. A
/// signal that is none asks nobody's leave to say that there is somebody.
fn has_hidden_strangers(group: i32) -> bool {
    let others_are_hidden = processes::process(1).is_none();
    let others = || processes::pid(group).map(rustix::process::test_kill_process_group);
    others_are_hidden && others() == Some(Err(rustix::io::Errno::PERM))
}
