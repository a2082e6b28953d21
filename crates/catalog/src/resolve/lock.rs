//! Lock files, and who may take them.

use std::collections::BTreeSet;

use super::report::Report;
use crate::model::{Lock, Permit, Service};
use crate::raw::Catalog;
use crate::rule::{name, text};

pub(super) fn resolve_locks(catalog: &Catalog, report: &mut Report<'_>) -> Vec<Lock> {
    let mut locks = Vec::new();
    for (name, lock) in &catalog.lock {
        report.check(&["lock", name], name::check_own(name));
        report.check(&["lock", name, "description"], text::check_line(&lock.description));
        let path = format!("/run/{}/{name}.lock", catalog.product.name);
        let (user, group) = ("root".to_owned(), "root".to_owned());
        locks.push(Lock { name: name.clone(), path, description: lock.description.clone(), user, group });
    }
    locks
}

/// Gives each lock to the user of its services, and to the group that may start them.
pub(super) fn assign_owners(
    locks: &mut [Lock],
    services: &[Service],
    permits: &[Permit],
    report: &mut Report<'_>,
) {
    for lock in locks {
        let holds = |s: &&Service| s.lock.as_ref() == Some(&lock.path);
        let holders: Vec<&Service> = services.iter().filter(holds).collect();
        let users: BTreeSet<_> =
            holders.iter().filter_map(|s| s.user.as_deref()).filter(|u| *u != "root").collect();
        if users.len() > 1 {
            let names = Vec::from_iter(users).join(", ");
            let text = format!("is used by services of several accounts ({names}): use one account");
            report.refuse(&["lock", &lock.name], &text);
        }
        if let Some(user) = holders.iter().find_map(|s| s.user.clone()) {
            lock.group = user.clone();
            lock.user = user;
        }
        let may_start = |p: &&Permit| holders.iter().any(|s| p.covers(&s.unit));
        if let Some(group) = permits.iter().filter(may_start).find_map(|p| p.group.clone()) {
            lock.group = group;
        }
    }
}
