//! `tasks`: a service manager in which a user starts tasks.

use super::entry::Entry;
use crate::raw::Manager;

/// Returns the manager's own runtime directory, where its user finds it.
pub(super) fn resolve_tasks(entry: &mut Entry<'_, '_>) -> Option<String> {
    if entry.spec.tasks != Some(true) {
        return None;
    }
    if entry.scope == Manager::User {
        let text = "works only in system scope, because every user has a manager: use scope = \"system\"";
        entry.refuse(&["tasks"], text);
    }
    if entry.spec.user.as_deref() == Some("root") {
        entry.refuse(&["user"], "is root, whose tasks would have no restrictions: name an account");
    }
    Some(entry.stem())
}
