//! References to other units: `after`, `before`, `wants`, `requires`, `part-of`, `on-failure`, `only-while`, `parent`,
//! `once-ready`, `task-manager` and `expects`.

use base::table::Expects;

use super::entry::Entry;
use crate::finding::{describe_invalid, describe_unknown, quote};
use crate::model::{Relations, WATCHER, unit_name, unit_stem};
use crate::raw::{Notice, OnFailure, Scope};
use crate::resolve::alert::alert_unit;
use crate::rule::{name, text};

/// What a reference may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Services,
    /// Services, and units of other packages.
    Units,
}

pub(super) fn resolve_relations(entry: &mut Entry<'_, '_>) -> Relations {
    const ONLINE: &str = "network-online.target";
    let spec = entry.spec;
    if spec.after.iter().any(|unit| unit == ONLINE) && !spec.wants.iter().any(|unit| unit == ONLINE) {
        let text = "names network-online.target, which is reached only if a unit wants it: add it to `wants`";
        entry.refuse(&["after"], text);
    }
    Relations {
        after: resolve_units(entry, "after", &spec.after),
        before: resolve_units(entry, "before", &spec.before),
        wants: resolve_units(entry, "wants", &spec.wants),
        requires: resolve_units(entry, "requires", &spec.requires),
        part_of: resolve_units(entry, "part-of", &spec.part_of),
        on_failure: match &spec.on_failure {
            OnFailure::Units(units) => resolve_units(entry, "on-failure", units),
            OnFailure::Notice(Notice::Alert) => vec![resolve_alert(entry)],
        },
    }
}

/// Resolves a field that names one service of this catalog, which has no instances.
pub(super) fn resolve_field(
    entry: &mut Entry<'_, '_>,
    field: &str,
    service: Option<&String>,
) -> Option<String> {
    resolve_single(entry, &[field], service?, Allowed::Services)
}

/// Resolves a list of services of this catalog.
pub(super) fn resolve_services(entry: &mut Entry<'_, '_>, field: &str, list: &[String]) -> Vec<String> {
    entry.check_list(field, list, |_| Ok(()));
    let services = list.iter().enumerate();
    services
        .filter_map(|(i, wanted)| resolve_service(entry, &[field, &i.to_string()], wanted, Allowed::Services))
        .collect()
}

/// Resolves a list of units: a name without a suffix is a service of this catalog.
fn resolve_units(entry: &mut Entry<'_, '_>, field: &str, list: &[String]) -> Vec<String> {
    entry.check_list(field, list, |_| Ok(()));
    let own = unit_name(&entry.product().name, entry.name());
    let mut units = Vec::new();
    for (i, wanted) in list.iter().enumerate() {
        let at = [field, &i.to_string()];
        if wanted.contains('.') {
            check_unit(entry, &at, wanted);
            units.extend(Some(wanted.clone()).filter(|unit| *unit != own));
        } else {
            units.extend(resolve_service(entry, &at, wanted, Allowed::Units));
        }
    }
    units
}

/// Returns the unit that is started when the service fails.
fn resolve_alert(entry: &mut Entry<'_, '_>) -> String {
    let product = entry.product();
    if !product.programs.iter().any(|program| program == WATCHER) {
        let text = format!("needs `{WATCHER}`: add it to product.programs");
        entry.refuse(&["on-failure"], &text);
    }
    alert_unit(&product.name)
}

/// Returns the runtime directory of the manager that the service starts tasks in.
pub(super) fn resolve_task_manager(entry: &mut Entry<'_, '_>) -> Option<String> {
    let wanted = entry.spec.task_manager.as_ref()?;
    let managers = &entry.context.task_managers;
    let Some(manager) = managers.get(wanted.as_str()) else {
        let text = describe_unknown("service with `tasks`", wanted, managers.keys());
        entry.refuse(&["task-manager"], &text);
        return None;
    };
    if *manager != entry.spec.user.as_deref() {
        let text = format!("{wanted} runs tasks only of its own user: give both services the same `user`");
        entry.refuse(&["task-manager"], &text);
    }
    Some(unit_stem(&entry.product().name, wanted))
}

/// Returns the variables that other services should be running with.
pub(super) fn resolve_expects(entry: &mut Entry<'_, '_>) -> Vec<Expects> {
    let mut expects = Vec::new();
    for (other, environment) in &entry.spec.expects {
        let Some(unit) = resolve_single(entry, &["expects", other], other, Allowed::Services) else {
            continue;
        };
        if environment.is_empty() {
            entry.refuse(&["expects", other], "is empty: write variables and their values");
        }
        for (key, value) in environment {
            entry.check(&["expects", other, key], name::check_variable(key));
            entry.check(&["expects", other, key], text::check_variable(value));
        }
        expects.push(Expects {
            service: other.clone(),
            unit,
            environment: environment.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        });
    }
    expects
}

/// Checks the full name of a unit: one that starts like the units of this catalog must be one of them.
pub(super) fn check_unit(entry: &mut Entry<'_, '_>, at: &[&str], wanted: &str) {
    entry.check(at, name::check_unit(wanted));
    let services = &entry.context.catalog.service;
    let product = entry.product().name.as_str();
    let prefix = format!("{product}-");
    let own = wanted.strip_suffix(".service").and_then(|name| {
        let is_product = name == product && services.contains_key(product);
        name.strip_prefix(&prefix).or(is_product.then_some(product))
    });
    let Some(own) = own else { return };
    if services.contains_key(own.split('@').next().unwrap_or(own)) {
        resolve_service(entry, at, own, Allowed::Services);
    } else {
        let service = own.split('@').next().unwrap_or(own);
        let unknown = describe_unknown("service", service, services.keys());
        entry.refuse(at, &format!("{} names an {unknown}", quote(wanted)));
    }
}

/// Returns the unit of a service of this catalog, or of an instance: `SERVICE@INSTANCE`.
fn resolve_service(entry: &mut Entry<'_, '_>, at: &[&str], wanted: &str, allowed: Allowed) -> Option<String> {
    let Some((service, instance)) = wanted.split_once('@') else {
        return resolve_single(entry, at, wanted, allowed);
    };
    entry.check(at, name::check_instance(instance));
    let context = entry.context;
    if !context.templates.contains(service) && context.catalog.service.contains_key(service) {
        entry.refuse(
            at,
            &format!("{} names an instance, but {service} has none: write {service}", quote(wanted)),
        );
    }
    let unit = resolve_name(entry, at, service, allowed)?;
    Some(unit.replacen(".service", &format!("@{instance}.service"), 1))
}

/// Returns the unit of a service of this catalog that has no instances.
fn resolve_single(entry: &mut Entry<'_, '_>, at: &[&str], wanted: &str, allowed: Allowed) -> Option<String> {
    let unit = resolve_name(entry, at, wanted, allowed)?;
    if entry.context.templates.contains(wanted) {
        let text = format!("{wanted} has instances: name one, such as {wanted}@NAME, or remove it");
        entry.refuse(at, &text);
    }
    Some(unit)
}

fn resolve_name(entry: &mut Entry<'_, '_>, at: &[&str], wanted: &str, allowed: Allowed) -> Option<String> {
    let services = &entry.context.catalog.service;
    if wanted == entry.name() {
        entry.refuse(at, "names the service itself: remove it");
        return None;
    }
    if !services.contains_key(wanted) {
        let others: Vec<&String> = services.keys().filter(|name| *name != entry.name()).collect();
        let mut text = describe_unknown("service", wanted, &others);
        match allowed {
            Allowed::Services if others.is_empty() => {
                text = format!("unknown service {}: no other service is defined", quote(wanted));
            }
            Allowed::Units if others.is_empty() => {
                text = describe_invalid("unit name", wanted, "a full name, such as network.target");
            }
            Allowed::Units if !text.ends_with('?') => text.push_str(", or the full name of another unit"),
            _ => {}
        }
        entry.refuse(at, &text);
        return None;
    }
    let scope = entry.context.scopes.get(wanted).copied().unwrap_or_default();
    if !scope.managers().contains(&entry.scope) {
        let what = match scope {
            Scope::User => "runs in user scope, which is invisible to system services",
            _ => "runs in system scope, which is invisible to user services",
        };
        entry.refuse(at, &format!("{wanted} {what}: put both in one scope"));
    }
    Some(unit_name(&entry.product().name, wanted))
}
