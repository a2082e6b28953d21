//! The processes that a killed holder of the lock left running.
//!
//! The kernel releases the lock as soon as its holder dies, and `kill -9` gives the holder no time to stop
//! its launch. Under systemd, the unit's processes are then stopped, which may take all of `TimeoutStopSec=`;
//! by hand, nothing stops them. A record in a free lock shows that this happened. Then the next launch looks
//! for these processes before it starts a second stack. The record may be forged, so only facts from the
//! kernel count.

use std::fs;

use crate::holder::Holder;
use crate::processes;

/// Variable that identifies the processes of a launch by hand: `PID.STARTTIME` of its run_stack.
pub const MARK: &str = "RUN_STACK_ID";

/// First user id of a person. Users with lower ids are services, and must not have a service manager of their
/// own.
const FIRST_PERSON: u32 = 1000;

/// Returns the processes of that holder, never this process; a negative number is a process group. `unit` is
/// the unit of its service, `owner` the owner of the lock file.
///
/// Any user who may take the lock may write the record, and others see the result as a command. Therefore no
/// process counts because of the record alone. The unit's processes are those that systemd has put into its
/// control group, whatever group the record names.
///
/// Two stacks at once are worse than a refused start. If processes of a killed launch belong to a user whose
/// environment is not readable, their process group is enough to refuse the next launch. It is enough for a
/// command only if the holder led the group.
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
        // A group's number is not used for a new process while the group exists, so this is the group that
        // the holder led.
        strangers
    } else if !strangers.is_empty() || has_hidden_strangers(holder.group) {
        vec![-holder.group]
    } else {
        Vec::new()
    }
}

/// Finds processes of a service's user that started after `since` in the user's own service manager or a
/// login session. No unit of the service stops or limits them.
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
    // The manager itself does not count.
    path.is_some_and(|path| !path.ends_with("/init.scope")) && processes::read_user(process.pid) == Some(user)
}

/// Returns whether the process is in the unit. Users can choose any names for their own units, so those count
/// only for themselves.
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

/// Returns whether the process is in the holder's group, is not part of a service, and belongs to a user
/// whose environment is not readable.
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

/// Returns whether a group contains processes of other users where `/proc` shows only this user's
/// (`ProtectProc=invisible`). Signal 0 needs no permission to reveal that a process exists.
fn has_hidden_strangers(group: i32) -> bool {
    let others_are_hidden = processes::process(1).is_none();
    let others = || processes::pid(group).map(rustix::process::test_kill_process_group);
    others_are_hidden && others() == Some(Err(rustix::io::Errno::PERM))
}
