//! Checks the permissions of this user: membership in the operators' group, and access to the journal.

use base::diagnosis::Finding;
use base::table::Table;

use crate::executor::doctor::word;
use crate::executor::log;
use crate::executor::standing::{self, Standing};

/// From this version on, polkit uses the groups of the calling process; before, it used the user database.
const CREDENTIALS: u32 = 126;

/// Members of this group may read the log of system services.
const READERS: &str = "systemd-journal";

/// Checks membership in the operators' group.
pub(super) fn group(table: &Table, polkit: Option<u32>) -> Option<Finding> {
    let group = table.operators.as_deref()?;
    let user = standing::user();
    let by_credentials = polkit.is_none_or(|version| version >= CREDENTIALS);
    match standing::look_up(group) {
        Standing::NoGroup => Some(Finding::problem(
            "group",
            group,
            format!("the group {group} does not exist, so only root can control the services"),
            "systemd-sysusers",
        )),
        Standing::Stranger if !standing::is_root() => Some(Finding::problem(
            "group",
            group,
            format!(
                "{user} is not in the group {group} and cannot control the services: the group takes \
                 effect at the next login"
            ),
            format!("usermod --append --groups {group} {}", word(user)),
        )),
        Standing::LogInAgain if by_credentials && !standing::is_root() => Some(log_in_again(group)),
        _ => None,
    }
}

/// Checks access to the journal.
pub(super) fn journal() -> Option<Finding> {
    if standing::is_root() || log::readable() {
        return None;
    }
    let user = standing::user();
    let may_not = format!("{user} may not read the log of system services, and cannot see why one fails");
    let (what, fix) = match standing::look_up(READERS) {
        Standing::LogInAgain => {
            return Some(Finding { check: "journal".to_owned(), ..log_in_again(READERS).note() });
        }
        Standing::Member => (
            format!("{may_not}: the journal files do not belong to {READERS}"),
            "systemd-tmpfiles --create --prefix=/var/log/journal --prefix=/run/log/journal".to_owned(),
        ),
        _ => (may_not, format!("usermod --append --groups {READERS} {}", word(user))),
    };
    Some(Finding::problem("journal", READERS, what, fix).note())
}

fn log_in_again(group: &str) -> Finding {
    let user = standing::user();
    let what = format!(
        "{user} was added to {group} after this login: log out and in again, or start a shell that has the \
         group"
    );
    Finding::problem("group", group, what, format!("newgrp {group}")).by_you()
}
