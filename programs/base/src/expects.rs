//! What a service needs another, running one to have been started with: a difference is a warning, never a
//! refusal.

use crate::manager::Manager;
use crate::table::{Expects, Service, Table};

/// One line for each variable that a running service has otherwise. Nothing is said about a service that
/// does not run or whose environment this user may not read.
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

/// The line about a variable that the running service has with another value, or has not.
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
