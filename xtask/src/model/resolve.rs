//! Defaults: takes the tables as written, makes each service whole by following its `use`.

use toml::{Table, Value};

use crate::catalog::{Catalog, Service};
use crate::finding::known;
use crate::model::place::{Chain, Place};

/// Every service with the fields of its default tables filled in.
pub(super) fn services(catalog: &Catalog, place: &mut Place<'_>) -> Vec<(Chain, Service)> {
    for (name, table) in &catalog.default {
        if let Some(parent) = &table.r#use {
            check_use(catalog, &["default", name, "use"], parent, place);
            let kinds = chain(catalog, table);
            if kinds.contains(name) {
                let shown: Vec<&str> =
                    [name.as_str()].into_iter().chain(kinds.iter().map(String::as_str)).collect();
                place.fault(&["default", name, "use"], &format!("goes in a circle: {}", shown.join(" -> ")));
            }
        }
    }
    let mut services = Vec::new();
    for (name, service) in &catalog.service {
        if let Some(parent) = &service.r#use {
            check_use(catalog, &["service", name, "use"], parent, place);
        }
        let kinds = chain(catalog, service);
        let mut whole = Table::new();
        for table in kinds.iter().rev().map(|kind| &catalog.default[kind]).chain([service]) {
            merge(
                &mut whole,
                Table::try_from(table).expect("what was read from TOML can be written as TOML"),
            );
        }
        let whole = Value::Table(whole).try_into().expect("merged tables have the fields of their parts");
        services.push((Chain { name: name.clone(), kinds }, whole));
    }
    services
}

/// The default tables of a service, nearest first; a circle is left at its second turn.
fn chain(catalog: &Catalog, service: &Service) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    let mut next = service.r#use.as_ref();
    while let Some((name, table)) = next.and_then(|n| catalog.default.get_key_value(n)) {
        if kinds.contains(name) {
            break;
        }
        kinds.push(name.clone());
        next = table.r#use.as_ref();
    }
    kinds
}

fn check_use(catalog: &Catalog, path: &[&str], parent: &str, place: &mut Place<'_>) {
    if !catalog.default.contains_key(parent) {
        place.fault(path, &format!("\"{parent}\" names no default table: {}", known(catalog.default.keys())));
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
