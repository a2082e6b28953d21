//! Defaults: takes the tables as written, makes each service whole by following its `use`.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::finding::{known, shown};
use crate::model::place::{Chain, Place};
use crate::raw::{Catalog, Service};
use crate::rule::name;

/// Every service with the fields of its default tables filled in.
///
/// The tables are merged as they were written in `text`: an empty list or a `false` there takes a default back.
pub(super) fn services(catalog: &Catalog, text: &Table, place: &mut Place<'_>) -> Vec<(Chain, Service)> {
    let mut circles = BTreeSet::new();
    for (name, table) in &catalog.default {
        place.rule(&["default", name], name::ours(name));
        if let Some(parent) = &table.r#use {
            check_use(catalog, &["default", name, "use"], parent, place);
            let kinds = chain(catalog, table);
            if kinds.contains(name) && circles.insert(BTreeSet::from_iter(kinds.clone())) {
                let shown: Vec<&str> =
                    [name.as_str()].into_iter().chain(kinds.iter().map(String::as_str)).collect();
                place.fault(
                    &["default", name, "use"],
                    &format!("goes in a circle: {}: take one `use` away", shown.join(" -> ")),
                );
            }
        }
    }
    let mut services = Vec::new();
    for (name, service) in &catalog.service {
        if let Some(parent) = &service.r#use {
            check_use(catalog, &["service", name, "use"], parent, place);
        }
        let kinds = chain(catalog, service);
        let whole = merged(text, name, &kinds);
        services.push((Chain { name: name.clone(), kinds }, whole));
    }
    services
}

/// The same, of a catalog whose faults are nobody's business yet.
pub(super) fn whole<'c>(catalog: &'c Catalog, text: &Table) -> Vec<(&'c str, Service)> {
    let services = catalog.service.iter();
    services.map(|(name, service)| (name.as_str(), merged(text, name, &chain(catalog, service)))).collect()
}

fn merged(text: &Table, name: &str, kinds: &[String]) -> Service {
    let mut whole = Table::new();
    let kinds = kinds.iter().rev().map(|kind| ("default", kind.as_str()));
    for (of, name) in kinds.chain([("service", name)]) {
        merge(&mut whole, text[of][name].as_table().cloned().unwrap_or_default());
    }
    Value::Table(whole).try_into().expect("merged tables have the fields of their parts")
}

/// The default tables of a service, nearest first; a circle is left at its second turn.
fn chain(catalog: &Catalog, service: &Service) -> Vec<String> {
    let (mut kinds, mut seen) = (Vec::new(), BTreeSet::new());
    let mut next = service.r#use.as_ref();
    while let Some((name, table)) = next.and_then(|n| catalog.default.get_key_value(n)) {
        if !seen.insert(name) {
            break;
        }
        kinds.push(name.clone());
        next = table.r#use.as_ref();
    }
    kinds
}

fn check_use(catalog: &Catalog, path: &[&str], parent: &str, place: &mut Place<'_>) {
    if !catalog.default.contains_key(parent) {
        place.fault(
            path,
            &format!("{} names no default table: {}", shown(parent), known(catalog.default.keys())),
        );
    }
}

/// Lays `over` on top of `base`: tables are merged, everything else is replaced.
fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
