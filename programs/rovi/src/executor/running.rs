//! The environment of running services, as far as other services expect something of it.

use std::fs;

use base::report::State;
use base::table::{Service, Table};
use base::{effective, expects};

use crate::executor::unit::Unit;

/// A variable of a running service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// It has this value.
    Is(String),
    /// It is not set.
    Unset,
    /// This user cannot read it.
    Unknown,
}

/// Returns a variable of a running unit: from its status text, or from its main process if this user may read
/// that.
pub fn variable(unit: &Unit, name: &str) -> Variable {
    let known = |value: Option<String>| value.map_or(Variable::Unset, Variable::Is);
    if let Some(told) = unit.text.as_deref().and_then(|line| effective::read(line, name)) {
        return known(told);
    }
    let Some(pid) = unit.pid else { return Variable::Unknown };
    let Ok(environ) = fs::read(format!("/proc/{pid}/environ")) else { return Variable::Unknown };
    let mut entries = environ.split(|&b| b == 0);
    let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    known(value.map(|v| String::from_utf8_lossy(v).into_owned()))
}

/// Returns a warning for each variable of a running service that differs from what `service` expects.
pub fn warnings(table: &Table, service: &Service, units: &[Unit]) -> Vec<String> {
    let mut lines = Vec::new();
    for expects in &service.expects {
        let running = units.iter().find(|u| u.name == expects.unit && u.state() == State::Running);
        let Some(unit) = running else { continue };
        for (name, expected) in &expects.environment {
            let warning = |has| expects::warning(table, &service.name, expects, name, has);
            match variable(unit, name) {
                Variable::Is(value) if value != *expected => lines.push(warning(Some(&value))),
                Variable::Unset => lines.push(warning(None)),
                _ => {}
            }
        }
    }
    lines
}
