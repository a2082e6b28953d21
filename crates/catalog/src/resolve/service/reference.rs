//! What a service says of other units: `after` and its like, `only-while`, `parent`, `once-ready`, `task-manager`,
//! `expects`. Every name becomes a unit that the package ships, or one of somebody else.

use base::table::Expects;

use super::entry::Entry;
use crate::finding::{known, quote};
use crate::model::{Relations, WATCHER, unit_name, unit_stem};
use crate::raw::{Notice, OnFailure, Scope};
use crate::resolve::alert::alert_unit;
use crate::rule::{name, text};

pub(super) fn resolve_relations(entry: &mut Entry<'_, '_>) -> Relations {
    const ONLINE: &str = "network-online.target";
    let spec = entry.spec;
    if spec.after.iter().any(|unit| unit == ONLINE) && !spec.wants.iter().any(|unit| unit == ONLINE) {
        let text = "network-online.target is only reached when something wants it: add it to `wants`";
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
    resolve_single(entry, &[field], service?, "")
}

/// Resolves a list of services of this catalog.
pub(super) fn resolve_services(entry: &mut Entry<'_, '_>, field: &str, list: &[String]) -> Vec<String> {
    entry.check_list(field, list, |_| Ok(()));
    let services = list.iter().enumerate();
    services.filter_map(|(i, wanted)| resolve_service(entry, &[field, &i.to_string()], wanted, "")).collect()
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
            units.extend(resolve_service(entry, &at, wanted, "; another unit is written with its suffix"));
        }
    }
    units
}

/// Returns the unit that is started when the service fails.
fn resolve_alert(entry: &mut Entry<'_, '_>) -> String {
    let product = entry.product();
    if !product.programs.iter().any(|program| program == WATCHER) {
        let text = format!("needs `{WATCHER}`, which is not packed: add it to product.programs");
        entry.refuse(&["on-failure"], &text);
    }
    alert_unit(&product.name)
}

/// Returns the runtime directory of the manager that the service starts tasks in.
pub(super) fn resolve_task_manager(entry: &mut Entry<'_, '_>) -> Option<String> {
    let wanted = entry.spec.task_manager.as_ref()?;
    let managers = &entry.context.task_managers;
    let Some(manager) = managers.get(wanted.as_str()) else {
        let text = format!("{} is no service with `tasks`: {}", quote(wanted), known(managers.keys()));
        entry.refuse(&["task-manager"], &text);
        return None;
    };
    if *manager != entry.spec.user.as_deref() {
        // It obeys nobody else, and there is no privilege that could change that.
        let text = format!("{wanted} obeys its own user only: give both the same `user`");
        entry.refuse(&["task-manager"], &text);
    }
    Some(unit_stem(&entry.product().name, wanted))
}

/// Returns the variables that other services should be running with.
pub(super) fn resolve_expects(entry: &mut Entry<'_, '_>) -> Vec<Expects> {
    let mut expects = Vec::new();
    for (other, environment) in &entry.spec.expects {
        let Some(unit) = resolve_single(entry, &["expects", other], other, "") else { continue };
        if environment.is_empty() {
            entry.refuse(&["expects", other], "expects nothing: write variables and their values");
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

/// Checks a unit's whole name: one that looks like a unit of this catalog must be one.
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
        resolve_service(entry, at, own, "");
    } else {
        let text =
            format!("{} is no unit that this package ships: {}", quote(wanted), known(services.keys()));
        entry.refuse(at, &text);
    }
}

/// Returns the unit of a service of this catalog, or of an instance: `SERVICE@INSTANCE`.
fn resolve_service(entry: &mut Entry<'_, '_>, at: &[&str], wanted: &str, hint: &str) -> Option<String> {
    let Some((service, instance)) = wanted.split_once('@') else {
        return resolve_single(entry, at, wanted, hint);
    };
    entry.check(at, name::check_instance(instance));
    let context = entry.context;
    if !context.templates.contains(service) && context.catalog.service.contains_key(service) {
        entry.refuse(at, &format!("{} names an instance of {service}, which has none", quote(wanted)));
    }
    let unit = resolve_name(entry, at, service, hint)?;
    Some(unit.replacen(".service", &format!("@{instance}.service"), 1))
}

/// Returns the unit of a service of this catalog that has no instances.
fn resolve_single(entry: &mut Entry<'_, '_>, at: &[&str], wanted: &str, hint: &str) -> Option<String> {
    let unit = resolve_name(entry, at, wanted, hint)?;
    if entry.context.templates.contains(wanted) {
        let text = format!("{wanted} has instances: name one, such as {wanted}@NAME, or leave it out");
        entry.refuse(at, &text);
    }
    Some(unit)
}

fn resolve_name(entry: &mut Entry<'_, '_>, at: &[&str], wanted: &str, hint: &str) -> Option<String> {
    let services = &entry.context.catalog.service;
    if wanted == entry.name() {
        entry.refuse(at, "names the service itself: take it away");
        return None;
    }
    if !services.contains_key(wanted) {
        let text = format!("{} names no service: {}{hint}", quote(wanted), known(services.keys()));
        entry.refuse(at, &text);
        return None;
    }
    let scope = entry.context.scopes.get(wanted).copied().unwrap_or_default();
    if !scope.managers().contains(&entry.scope) {
        let what = match scope {
            Scope::User => "runs in user scope, which the system's manager does not see",
            _ => "runs in system scope, which a user's manager does not see",
        };
        entry.refuse(at, &format!("{wanted} {what}: put both in one scope"));
    }
    Some(unit_name(&entry.product().name, wanted))
}
