//! Default tables, which services follow with `use`.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::report::Report;
use crate::finding::describe_unknown;
use crate::raw::{Catalog, Service};
use crate::rule::name;

/// A service's name, and the default tables that it comes from, nearest first.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) name: String,
    pub(super) kinds: Vec<String>,
}

/// Fills in the fields of every service from its default tables.
///
/// The tables are merged as written in `text`, where an empty list or a `false` can undo a default.
pub(super) fn resolve_services(
    catalog: &Catalog,
    text: &Table,
    report: &mut Report<'_>,
) -> Vec<(Chain, Service)> {
    let mut circles = BTreeSet::new();
    for (name, table) in &catalog.default {
        report.check(&["default", name], name::check_own(name));
        if let Some(parent) = &table.r#use {
            check_use(catalog, &["default", name, "use"], parent, report);
            let kinds = follow_use(catalog, table);
            if kinds.contains(name) && circles.insert(BTreeSet::from_iter(kinds.clone())) {
                let names: Vec<&str> =
                    [name.as_str()].into_iter().chain(kinds.iter().map(String::as_str)).collect();
                report.refuse(
                    &["default", name, "use"],
                    &format!("is a circle: {}: remove one `use`", names.join(" -> ")),
                );
            }
        }
    }
    let mut services = Vec::new();
    for (name, service) in &catalog.service {
        if let Some(parent) = &service.r#use {
            check_use(catalog, &["service", name, "use"], parent, report);
        }
        let kinds = follow_use(catalog, service);
        let spec = merge_tables(text, name, &kinds);
        services.push((Chain { name: name.clone(), kinds }, spec));
    }
    services
}

/// Merges the tables of every service without checking anything.
pub(crate) fn merge_services<'c>(catalog: &'c Catalog, text: &Table) -> Vec<(&'c str, Service)> {
    let services = catalog.service.iter();
    services
        .map(|(name, service)| (name.as_str(), merge_tables(text, name, &follow_use(catalog, service))))
        .collect()
}

fn merge_tables(text: &Table, name: &str, kinds: &[String]) -> Service {
    let mut merged = Table::new();
    let kinds = kinds.iter().rev().map(|kind| ("default", kind.as_str()));
    for (of, name) in kinds.chain([("service", name)]) {
        merge(&mut merged, text[of][name].as_table().cloned().unwrap_or_default());
    }
    Value::Table(merged).try_into().expect("merged tables have the fields of their parts")
}

/// Returns the default tables of a service, nearest first; stops where a circle begins again.
fn follow_use(catalog: &Catalog, service: &Service) -> Vec<String> {
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

fn check_use(catalog: &Catalog, path: &[&str], parent: &str, report: &mut Report<'_>) {
    if !catalog.default.contains_key(parent) {
        report.refuse(path, &describe_unknown("default table", parent, catalog.default.keys()));
    }
}

/// Merges `over` into `base`: tables are merged, everything else is replaced.
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
