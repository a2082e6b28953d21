//! Compares the environment of a running service with what other services expect. A difference is a warning,
//! not an error.

use crate::manager::Manager;
use crate::table::{Expects, Service, Table};

/// Returns a warning for each variable that differs. Ignores services that are not running, and those whose
/// environment this user may not read.
pub fn warnings(table: &Table, service: &Service, manager: &mut Manager) -> Vec<String> {
    service.expects.iter().flat_map(|expects| differences(table, &service.name, expects, manager)).collect()
}

fn differences(table: &Table, name: &str, expects: &Expects, manager: &mut Manager) -> Vec<String> {
    let Ok(Some(pid)) = manager.main_pid(&expects.unit) else { return Vec::new() };
    let Ok(environ) = std::fs::read(format!("/proc/{pid}/environ")) else { return Vec::new() };
    let value = |name: &str| {
        let entry =
            environ.split(|&b| b == 0).find_map(|e| e.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        entry.map(|v| String::from_utf8_lossy(v).into_owned())
    };
    let differs = expects.environment.iter().filter_map(|(variable, expected)| {
        let has = value(variable);
        (has.as_ref() != Some(expected)).then(|| warning(table, name, expects, variable, has.as_deref()))
    });
    differs.collect()
}

/// Returns the warning about a variable with another value or without one.
pub fn warning(table: &Table, name: &str, expects: &Expects, variable: &str, has: Option<&str>) -> String {
    let file = table.service(&expects.service).and_then(|s| s.launch.as_ref()?.env_file.as_ref());
    let place = file.map(|f| format!("set it in `{}` and ", f.display())).unwrap_or_default();
    let has = match has {
        Some(value) => format!("with {variable}={value}"),
        None => format!("without {variable}"),
    };
    let expected = expects.environment.get(variable).map(String::as_str).unwrap_or_default();
    format!(
        "`{unit}` runs {has}, but {name} expects {variable}={expected}: an administrator must {place}run \
         `systemctl restart {unit}`",
        unit = expects.unit,
    )
}
