//! The other ends of references: what a unit needs to know about the services that refer to it.

use super::report::Report;
use crate::finding::quote;
use crate::model::{Permit, Service};
use crate::raw::OnUpgrade;

/// Adds the units that are not in the list yet.
pub(super) fn add_missing<'s>(list: &mut Vec<String>, more: impl IntoIterator<Item = &'s String>) {
    for unit in more {
        if !list.contains(unit) {
            list.push(unit.clone());
        }
    }
}

/// Resolves the other end of `parent`.
pub(super) fn link_children(services: &mut [Service]) {
    let ends: Vec<(String, String)> = services
        .iter()
        .filter(|s| !s.is_template())
        .filter_map(|s| Some((s.parent.clone()?, s.unit.clone())))
        .collect();
    for service in services {
        let of_it = ends.iter().filter(|(unit, _)| *unit == service.unit);
        service.children = of_it.map(|(_, child)| child.clone()).collect();
        add_missing(&mut service.relations.wants, &service.children);
        add_missing(&mut service.relations.after, &service.children);
    }
}

/// Resolves the other end of `only-while`.
pub(super) fn link_dependents(services: &mut [Service]) {
    let ends: Vec<(String, String)> =
        services.iter().filter_map(|s| Some((s.only_while.clone()?, s.pattern()))).collect();
    for service in services {
        let of_it = ends.iter().filter(|(unit, _)| *unit == service.unit);
        service.dependents = of_it.map(|(_, dependent)| dependent.clone()).collect();
    }
}

/// Protects services that others with a permit depend on: whoever may start a service must not be able to control the one
/// in its `only-while`.
pub(super) fn guard_dependencies(services: &mut [Service], permits: &[Permit], report: &mut Report<'_>) {
    for service in services.iter_mut() {
        service.permitted = permits.iter().any(|permit| permit.covers(&service.unit));
        if service.permitted {
            // Its unit has DefaultDependencies=no.
            add_missing(
                &mut service.relations.after,
                ["sysinit.target", "basic.target"].map(str::to_owned).iter(),
            );
        }
    }
    let needed: Vec<String> =
        services.iter().filter(|s| s.permitted).filter_map(|s| s.only_while.clone()).collect();
    for service in services.iter_mut() {
        service.guarded = needed.contains(&service.unit);
    }
    for service in services.iter().filter(|s| s.permitted && s.only_while.is_some()) {
        let at = ["service", service.name.as_str(), "only-while"];
        // A dependency in the unit would give control over the other service, so run_stack watches it instead.
        if service.launch.is_none() {
            let text = "needs `run_stack`, because a permit lets others start the service: write `launch` instead of `exec`";
            report.refuse(&at, text);
        } else if service.restart != "no" {
            let text =
                "does not go with `restart` if a permit lets others start the service: remove `restart`";
            report.refuse(&at, text);
        }
        let has_no_process = |other: &&Service| other.r#type == "oneshot" || !other.children.is_empty();
        if let Some(other) =
            services.iter().find(|s| Some(&s.unit) == service.only_while.as_ref()).filter(has_no_process)
        {
            let text = format!(
                "names {}, which runs no process: name a service that runs a program",
                quote(&other.name)
            );
            report.refuse(&at, &text);
        }
    }
}

/// Finds services whose restart would stop a service that an upgrade must keep.
pub(super) fn hold_upgrades(services: &mut [Service]) {
    let kept: Vec<Service> = services.iter().filter(|s| s.on_upgrade == OnUpgrade::Keep).cloned().collect();
    for service in services {
        let needs = |k: &Service| {
            k.only_while.as_ref() == Some(&service.unit)
                || k.relations.requires.contains(&service.unit)
                || k.relations.part_of.contains(&service.unit)
        };
        service.holds_kept = service.on_upgrade == OnUpgrade::Restart && kept.iter().any(needs);
    }
}
