//! Tasks: takes `tasks` and `task-manager`, makes the place where a service manager for tasks is found.

use crate::finding::{known, shown};
use crate::model::service::Builder;
use crate::raw::{Manager, Service};

impl Builder<'_, '_> {
    /// Whether it is a manager for tasks.
    pub(super) fn is_task_manager(&self) -> bool {
        self.spec.tasks == Some(true)
    }

    /// Its own runtime directory, where its user finds it.
    pub(super) fn tasks(&mut self) -> Option<String> {
        if !self.is_task_manager() {
            return None;
        }
        if self.scope == Manager::User {
            self.fault(&["tasks"], "is a manager of the machine's, a user has one: use scope = \"system\"");
        }
        if self.spec.user.as_deref() == Some("root") {
            self.fault(&["user"], "is root, whose tasks may do anything: name an account");
        }
        Some(self.stem())
    }

    /// The runtime directory of the manager that it starts tasks in.
    pub(super) fn task_manager(&mut self) -> Option<String> {
        let wanted = self.spec.task_manager.as_ref()?;
        let managers = &self.known.task_managers;
        let Some(manager) = managers.get(wanted.as_str()) else {
            let text = format!("{} is no service with `tasks`: {}", shown(wanted), known(managers.keys()));
            self.fault(&["task-manager"], &text);
            return None;
        };
        if *manager != self.spec.user.as_deref() {
            // It obeys nobody else, and there is no privilege that could change that.
            let text = format!("{wanted} obeys its own user only: give both the same `user`");
            self.fault(&["task-manager"], &text);
        }
        Some(self.stem_of(wanted))
    }
}

/// The user of each manager for tasks.
pub(super) fn manager<'s>(name: &'s str, spec: &'s Service) -> Option<(&'s str, Option<&'s str>)> {
    (spec.tasks == Some(true)).then_some((name, spec.user.as_deref()))
}
