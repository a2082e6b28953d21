//! Permits. A rule for polkit names exactly the units and templates that the package installs: whoever may start a unit
//! that is not installed could run anything as root.

use std::collections::BTreeSet;

use super::report::Report;
use crate::finding::describe_unknown;
use crate::model::{Permit, Service};
use crate::raw::{Catalog, Manager, Verb};
use crate::rule::text;

pub(super) fn resolve_permits(
    catalog: &Catalog,
    services: &[Service],
    report: &mut Report<'_>,
) -> Vec<Permit> {
    let mut permits = Vec::new();
    for (i, permit) in catalog.permit.iter().enumerate() {
        let i = i.to_string();
        let at = |field| ["permit", i.as_str(), field];
        report.check(&at("why"), text::check_line(&permit.why));
        match (&permit.group, &permit.user) {
            (Some(group), None) if !catalog.group.contains_key(group) => {
                report.refuse(&at("group"), &describe_unknown("group", group, catalog.group.keys()));
            }
            (None, Some(user)) if !catalog.account.contains_key(user) => {
                report.refuse(&at("user"), &describe_unknown("account", user, catalog.account.keys()));
            }
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(_)) => report
                .refuse(&["permit", &i], "has both `group` and `user`: remove one, or write two permits"),
            (None, None) => report.refuse(&["permit", &i], "names nobody: write `group` or `user`"),
        }
        let no_service = permit.kinds.is_empty() && permit.services.is_empty();
        let only_powers = !permit.powers.is_empty() && no_service;
        if permit.verbs.is_empty() && !only_powers {
            report.refuse(&["permit", &i], "allows nothing: write `verbs = [\"start\", …]`");
        }
        report.check_list(&at("kinds"), &permit.kinds, |_| Ok(()));
        report.check_list(&at("services"), &permit.services, |_| Ok(()));
        let mut units = BTreeSet::new();
        for (k, kind) in permit.kinds.iter().enumerate() {
            let of_kind: Vec<&Service> = services.iter().filter(|s| s.kinds.contains(kind)).collect();
            if of_kind.is_empty() {
                let kinds: BTreeSet<&String> = services.iter().flat_map(|s| &s.kinds).collect();
                let text = describe_unknown("kind", kind, kinds);
                report.refuse(&["permit", &i, "kinds", &k.to_string()], &text);
            }
            units.extend(of_kind.into_iter().map(|s| s.unit.clone()));
        }
        for (k, wanted) in permit.services.iter().enumerate() {
            match services.iter().find(|s| s.name == *wanted) {
                Some(service) => _ = units.insert(service.unit.clone()),
                None => {
                    let text = describe_unknown("service", wanted, services.iter().map(|s| &s.name));
                    report.refuse(&["permit", &i, "services", &k.to_string()], &text);
                }
            }
        }
        for service in services.iter().filter(|s| units.contains(&s.unit) && s.scope == Manager::User) {
            let text = format!(
                "{} runs in user scope, where users control their own services: remove it",
                service.name
            );
            report.refuse(&["permit", &i], &text);
        }
        if no_service && !(only_powers && permit.verbs.is_empty()) {
            report.refuse(&["permit", &i], "names no service: write `kinds` or `services`");
        }
        let in_order = services.iter().map(|s| s.unit.clone()).filter(|u| units.contains(u));
        permits.push(Permit {
            why: permit.why.clone(),
            group: permit.group.clone(),
            user: permit.user.clone(),
            units: in_order.clone().filter(|u| !u.contains('@')).collect(),
            templates: in_order.filter(|u| u.contains('@')).collect(),
            verbs: BTreeSet::from_iter(&permit.verbs).into_iter().map(|v| name_verb(*v).to_owned()).collect(),
            powers: BTreeSet::from_iter(permit.powers.iter().copied()).into_iter().collect(),
        });
    }
    permits
}

/// Names a verb as systemd passes it to polkit.
fn name_verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Start => "start",
        Verb::Stop => "stop",
        Verb::Restart => "restart",
        Verb::Reload => "reload",
        Verb::ResetFailed => "reset-failed",
    }
}
