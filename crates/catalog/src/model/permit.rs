//! Who may control what: takes the catalog's permits, makes rules with the exact names of units that the package
//! ships, and with its templates, whose instances' names follow one pattern. A name whose unit is not installed would let
//! its holder run anything as root; a template that is installed is the unit of every such name.

use std::collections::BTreeSet;

use crate::finding::{known, shown};
use crate::model::place::Place;
use crate::model::{Permit, Service};
use crate::raw::{Catalog, Manager, Verb};
use crate::rule::text;

/// The permits, resolved.
pub(super) fn permits(catalog: &Catalog, services: &[Service], place: &mut Place<'_>) -> Vec<Permit> {
    let mut permits = Vec::new();
    for (i, permit) in catalog.permit.iter().enumerate() {
        let i = i.to_string();
        let at = |field| ["permit", i.as_str(), field];
        place.rule(&at("why"), text::line(&permit.why));
        match (&permit.group, &permit.user) {
            (Some(group), None) if !catalog.group.contains_key(group) => {
                let groups = known(catalog.group.keys());
                place.fault(
                    &at("group"),
                    &format!("{} names no group of this catalog: {groups}", shown(group)),
                );
            }
            (None, Some(user)) if !catalog.account.contains_key(user) => {
                let accounts = known(catalog.account.keys());
                place.fault(
                    &at("user"),
                    &format!("{} names no account of this catalog: {accounts}", shown(user)),
                );
            }
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(_)) => {
                place.fault(&["permit", &i], "has both `group` and `user`: keep one, or write two permits")
            }
            (None, None) => place.fault(&["permit", &i], "is for nobody: write `group` or `user`"),
        }
        let no_service = permit.kinds.is_empty() && permit.services.is_empty();
        let only_powers = !permit.powers.is_empty() && no_service;
        if permit.verbs.is_empty() && !only_powers {
            place.fault(&["permit", &i], "permits nothing: write `verbs = [\"start\", …]`");
        }
        place.list(&at("kinds"), &permit.kinds);
        place.list(&at("services"), &permit.services);
        let mut units = BTreeSet::new();
        for (k, kind) in permit.kinds.iter().enumerate() {
            let found: Vec<&Service> = services.iter().filter(|s| s.kinds.contains(kind)).collect();
            if found.is_empty() {
                let kinds: BTreeSet<&String> = services.iter().flat_map(|s| &s.kinds).collect();
                let text = format!("{} is the kind of no service: {}", shown(kind), known(kinds));
                place.fault(&["permit", &i, "kinds", &k.to_string()], &text);
            }
            units.extend(found.into_iter().map(|s| s.unit.clone()));
        }
        for (k, wanted) in permit.services.iter().enumerate() {
            match services.iter().find(|s| s.name == *wanted) {
                Some(service) => _ = units.insert(service.unit.clone()),
                None => {
                    let names = known(services.iter().map(|s| &s.name));
                    let text = format!("{} is no service that this package ships: {names}", shown(wanted));
                    place.fault(&["permit", &i, "services", &k.to_string()], &text);
                }
            }
        }
        for service in services.iter().filter(|s| units.contains(&s.unit) && s.scope == Manager::User) {
            let text = format!(
                "{} runs in user scope, where each user controls their own: leave it out",
                service.name
            );
            place.fault(&["permit", &i], &text);
        }
        if no_service && !(only_powers && permit.verbs.is_empty()) {
            place.fault(&["permit", &i], "is about no service: write `kinds` or `services`");
        }
        let in_order = services.iter().map(|s| s.unit.clone()).filter(|u| units.contains(u));
        permits.push(Permit {
            why: permit.why.clone(),
            group: permit.group.clone(),
            user: permit.user.clone(),
            units: in_order.clone().filter(|u| !u.contains('@')).collect(),
            templates: in_order.filter(|u| u.contains('@')).collect(),
            verbs: BTreeSet::from_iter(&permit.verbs).into_iter().map(|v| verb(*v).to_owned()).collect(),
            powers: BTreeSet::from_iter(permit.powers.iter().copied()).into_iter().collect(),
        });
    }
    permits
}

impl Permit {
    /// Whether it is about a unit, or about any instance of a template.
    pub fn covers(&self, unit: &str) -> bool {
        self.units.iter().chain(&self.templates).any(|u| u == unit)
    }
}

/// The verb as systemd tells it to polkit.
fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Start => "start",
        Verb::Stop => "stop",
        Verb::Restart => "restart",
        Verb::Reload => "reload",
        Verb::ResetFailed => "reset-failed",
    }
}
