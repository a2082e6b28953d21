//! What a service is and whom it runs as: `description`, `documentation`, `user`, `syslog-identifier`, `processes`,
//! `frame`.

use super::entry::Entry;
use crate::finding::{describe_unknown, join_or, quote};
use crate::raw::Manager;
use crate::rule::{about, name, text};

pub(super) fn resolve_description(entry: &mut Entry<'_, '_>) -> String {
    let Some(description) = &entry.spec.description else {
        entry.refuse(&["description"], "is missing: describe the service in one line");
        return String::new();
    };
    entry.check(&["description"], text::check_line(description));
    description.clone()
}

/// Checks the fields that are copied without a change.
pub(super) fn check_identity(entry: &mut Entry<'_, '_>) {
    let spec = entry.spec;
    entry.check_list("documentation", &spec.documentation, about::check_documentation);
    entry.check_list("processes", &spec.processes, name::check_process);
    entry.check_optional(&["frame"], spec.frame.as_ref(), name::check_frame);
}

/// Returns `User=`, which exists in system scope only.
pub(super) fn resolve_user(entry: &mut Entry<'_, '_>, is_parent: bool) -> Option<String> {
    let accounts = &entry.context.catalog.account;
    let users = || accounts.keys().map(String::as_str).filter(|user| *user != "root").chain(["root"]);
    match (&entry.spec.user, entry.scope) {
        (None, Manager::System) if !is_parent => {
            let choices = join_or(users().map(quote));
            let text = format!("is missing, so the service would run as root: expected {choices}");
            entry.refuse(&["user"], &text);
        }
        (Some(_), Manager::User) => entry
            .refuse(&["user"], "has no meaning in user scope, where a service runs as its owner: remove it"),
        (Some(user), Manager::System) if user != "root" && !accounts.contains_key(user) => {
            let verdict = text::check_setting(user);
            let malformed = verdict.is_err();
            entry.check(&["user"], verdict);
            if !malformed {
                entry.refuse(&["user"], &describe_unknown("account", user, users()));
            }
        }
        _ => {}
    }
    entry.spec.user.clone().filter(|_| entry.scope == Manager::System)
}

/// Returns the groups that a user joins if they exist.
pub(super) fn optional_groups(entry: &Entry<'_, '_>, user: Option<&str>) -> Vec<String> {
    let account = user.and_then(|user| entry.context.catalog.account.get(user));
    account.map(|account| account.groups_if_present.clone()).unwrap_or_default()
}

/// Returns `StateDirectory=`: the user's home directory, if it is below `/var/lib`.
pub(super) fn state_directory(entry: &Entry<'_, '_>, user: Option<&str>) -> Option<String> {
    let account = user.and_then(|user| entry.context.catalog.account.get(user))?;
    account.home.as_deref()?.strip_prefix("/var/lib/").map(str::to_owned)
}

/// Returns `SyslogIdentifier=`. A watched service needs one, because otherwise the journal shows the name of its watcher.
pub(super) fn resolve_identifier(entry: &mut Entry<'_, '_>) -> Option<String> {
    if let Some(identifier) = &entry.spec.syslog_identifier {
        let verdict = text::check_setting(identifier).and_then(|()| name::check_process(identifier));
        entry.check(&["syslog-identifier"], verdict);
        entry.check_specifiers(&["syslog-identifier"], identifier);
        return Some(identifier.clone());
    }
    let instance = if entry.is_template() { "@%i" } else { "" };
    let stem = entry.stem();
    entry.spec.ready.as_ref().map(|_| format!("{stem}{instance}"))
}
