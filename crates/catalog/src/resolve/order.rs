//! The start order of services, which must not have circles.

use std::collections::{BTreeMap, BTreeSet};

use super::report::Report;
use crate::model::Service;

/// Reports every circle of `after`, `before` and the fields that imply them, at its first service.
pub(super) fn check_order(services: &[Service], report: &mut Report<'_>) {
    let waits = collect_waits(services);
    let service_names: BTreeMap<&str, &str> =
        services.iter().map(|s| (s.unit.as_str(), s.name.as_str())).collect();
    let mut seen: BTreeSet<BTreeSet<&str>> = BTreeSet::new();
    for service in services {
        if let Some(circle) = find_circle(&service.unit, &waits)
            && seen.insert(circle.iter().copied().collect())
        {
            let names: Vec<&str> = circle.iter().map(|unit| service_names[unit]).collect();
            let text = format!(
                "waits for itself: {}: remove one `after`, `before`, `only-while`, `once-ready` or `parent`",
                names.join(" -> ")
            );
            report.refuse(&["service", &service.name], &text);
        }
    }
}

/// Collects for each unit the units of the product that it starts after.
fn collect_waits(services: &[Service]) -> BTreeMap<&str, Vec<&str>> {
    let mut waits: BTreeMap<&str, Vec<&str>> =
        services.iter().map(|s| (s.unit.as_str(), Vec::new())).collect();
    for service in services {
        for other in &service.relations.after {
            if let (true, Some(list)) =
                (services.iter().any(|s| s.unit == *other), waits.get_mut(service.unit.as_str()))
            {
                list.push(other);
            }
        }
        for other in &service.relations.before {
            if let Some(list) = waits.get_mut(other.as_str()) {
                list.push(&service.unit);
            }
        }
    }
    waits
}

/// Finds a way from a unit back to itself.
fn find_circle<'a>(start: &'a str, waits: &BTreeMap<&'a str, Vec<&'a str>>) -> Option<Vec<&'a str>> {
    let mut ways: Vec<Vec<&str>> = vec![vec![start]];
    let mut visited: Vec<&str> = Vec::new();
    while let Some(way) = ways.pop() {
        let last = way.last().copied().unwrap_or(start);
        for next in &waits[last] {
            let mut longer = way.clone();
            longer.push(next);
            if *next == start {
                return Some(longer);
            }
            if !visited.contains(next) {
                visited.push(next);
                ways.push(longer);
            }
        }
    }
    None
}
