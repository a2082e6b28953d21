//! Compares the environment of running services with their files and with what other services expect.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use base::diagnosis::Finding;
use base::report::State;
use base::table::{Expects, Service, Table};
use base::{bounded, env_file};

use crate::executor::doctor::setup::assign;
use crate::executor::running::{Variable, variable};
use crate::executor::unit::Unit;

/// A service and the value it expects.
type Expectation<'t> = (&'t Service, &'t str);

/// Returns a finding for each variable with an unexpected value.
pub(super) fn differences(table: &Table, units: &[Unit]) -> Vec<Finding> {
    let all = || table.services.iter().flat_map(|s| s.expects.iter().map(move |e| (s, e)));
    let names: BTreeSet<(&str, &str)> = all()
        .flat_map(|(_, e)| e.environment.keys().map(|name| (e.service.as_str(), name.as_str())))
        .collect();
    let mut findings = Vec::new();
    for (service, name) in names {
        let Some(other) = table.service(service) else { continue };
        let Some(unit) = units.iter().find(|u| u.name == other.unit && u.state() == State::Running) else {
            continue;
        };
        let of_it = |e: &Expects| e.service == service;
        let expected: Vec<Expectation<'_>> = all()
            .filter(|(_, e)| of_it(e))
            .filter_map(|(s, e)| Some((s, e.environment.get(name)?.as_str())))
            .collect();
        let has = match variable(unit, name) {
            Variable::Is(value) => Some(value),
            Variable::Unset => None,
            Variable::Unknown => continue,
        };
        findings.extend(one(table, other, name, has.as_deref(), &expected, units));
    }
    findings
}

fn one(
    table: &Table,
    other: &Service,
    name: &str,
    has: Option<&str>,
    expected: &[Expectation<'_>],
    units: &[Unit],
) -> Option<Finding> {
    let unit = &other.unit;
    let file = other.launch.as_ref()?.env_file.as_deref()?;
    let restart = format!("systemctl restart {unit}");
    let with = |value: Option<&str>| value.map_or(format!("without {name}"), |v| format!("with {name}={v}"));
    // Another check reports errors in the file itself.
    let says = value_in(file, name)?;
    if says.as_deref() != has {
        let what = format!(
            "`{unit}` runs {}, but `{}` has changed since it started: a restart reads the file, and also \
             stops all units that run only while `{unit}` runs",
            with(has),
            file.display()
        );
        return Some(Finding::problem("expectation", unit, what, restart));
    }
    let runs = |s: &Service| {
        let state = units.iter().find(|u| u.name == s.unit).map(Unit::state);
        matches!(state, Some(State::Running | State::Starting))
    };
    let disappointed = expected.iter().find(|(s, value)| runs(s) && Some(*value) != has);
    let (who, value) = match disappointed {
        Some((service, value)) => (format!("{} is running and expects {name}={value}", service.name), *value),
        None if expected.iter().any(|(_, value)| Some(*value) == has) => return None,
        None => {
            let shipped = table.env_files.iter().find(|f| f.path == file)?.environment.get(name)?;
            (format!("no service expects that, and the package sets {name}={shipped}"), shipped.as_str())
        }
    };
    let what = format!("`{unit}` runs {}: {who}", with(has));
    Some(Finding::problem("expectation", unit, what, format!("{} && {restart}", assign(file, name, value))))
}

/// Returns the value in the file, if the file is readable and has no errors.
fn value_in(file: &Path, name: &str) -> Option<Option<String>> {
    let content = bounded::read(file, bounded::ENVIRONMENT)
        .ok()
        .filter(|content| env_file::faults(content).is_empty())?;
    let entries = env_file::parse(&content);
    let entry = entries.into_iter().rfind(|(n, _)| n.as_bytes() == name.as_bytes());
    Some(entry.map(|(_, value)| value.to_string_lossy().into_owned()))
}
