//! `only_while`: refuses to start a service unless another unit is active, and stops the service when the
//! main process of that unit ends.
//!
//! No directive does this. A job mode bypasses `Requisite=`, and the job that `Requisite=` queues cancels a
//! waiting stop of the other unit. `StopPropagatedFrom=` adds the service to every stop of the other unit,
//! and systemd then refuses that stop while an irreversible job of the service is queued.

use std::io;

use base::failure::{Failure, reason};
use base::manager::Manager;
use base::processes;
use rustix::process::{PidfdFlags, pidfd_open};

use crate::supervisor::Guard;

/// The states that `systemctl is-active` accepts.
const WORKING: [&str; 3] = ["active", "reloading", "refreshing"];

/// Checks that `unit` is active. `manager` is `None` where systemd is not running; `without` is true with
/// `--no-systemd`.
pub(crate) fn check(
    service: &str,
    unit: &str,
    manager: Option<&mut Manager>,
    without: bool,
) -> Result<(), Failure> {
    let Some(manager) = manager else {
        if without {
            return Ok(());
        }
        return Err(Failure::refused(format!(
            "{service}: runs only while `{unit}` is active, but systemd is not running: on a developer's \
             machine, use `--no-systemd`"
        )));
    };
    if without {
        return Err(Failure::usage("`--no-systemd`: systemd is running: omit the option"));
    }
    let state = manager.active_state(unit).map_err(|e| unanswered(unit, &e))?;
    if !WORKING.contains(&state.as_str()) {
        return Err(Failure::refused(format!(
            "{service}: `{unit}` is {state}, but must be active: an administrator must run `systemctl \
             start {unit}`"
        )));
    }
    Ok(())
}

/// Returns the main process of the unit, if it has one. Call this before [`check`]: if the process ends in
/// between, the state shows it.
pub(crate) fn follow(unit: &str, manager: &mut Manager) -> Result<Option<Guard>, Failure> {
    let process = match manager.main_pid(unit) {
        Ok(Some(pid)) => open(pid),
        Ok(None) => return Ok(None),
        // A unit that is not a service has no such property, and systemd answers with an error.
        Err(e) if e.kind() == io::ErrorKind::Other => return Ok(None),
        Err(e) => Err(e),
    };
    let process = process.map_err(|e| unanswered(unit, &e))?;
    Ok(Some(Guard { process, unit: unit.to_owned() }))
}

pub(crate) fn unanswered(unit: &str, error: &io::Error) -> Failure {
    Failure::refused(format!(
        "`{unit}`: cannot query systemd: {}: see `systemctl status dbus.service`",
        reason(error)
    ))
}

fn open(pid: i32) -> io::Result<std::os::fd::OwnedFd> {
    let pid = processes::pid(pid).ok_or(io::ErrorKind::InvalidData)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}
