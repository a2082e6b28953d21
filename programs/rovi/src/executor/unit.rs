//! Reads the state of units from systemd: one call for all units, then more calls at once for those that are
//! not simply stopped.

use std::collections::BTreeMap;

use base::bus::unit_path;
use base::report::State;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

use crate::executor::message::{Call, MANAGER, PATH, Told, Unanswered};
use crate::executor::systemd::Systemd;

const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";

/// systemd's value for an unknown number.
const NONE: u64 = u64::MAX;

/// The state of a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// Unit name.
    pub name: String,
    /// `LoadState`
    pub load: String,
    /// `ActiveState`
    pub active: String,
    /// `SubState`
    pub sub: String,
    /// Type of the queued or running job.
    pub job: Option<String>,
    /// Time of the last state change in microseconds since 1970.
    pub since: Option<u64>,
    /// `MainPID`
    pub pid: Option<i32>,
    /// Memory in bytes, if systemd counts it.
    pub memory: Option<u64>,
    /// Path of the control group.
    pub cgroup: String,
    /// `Result` of the last run.
    pub result: String,
    /// `ExecMainStatus` of the last run: an exit status or a signal number.
    pub status: i32,
    /// Status text of the service.
    pub text: Option<String>,
    /// Invocation ID of this run.
    pub invocation: Option<String>,
}

/// A row of `ListUnitsByNames`: name, description, load, active and sub state, followed unit, path, job id,
/// job type, job path.
type Row = (String, String, String, String, String, String, OwnedObjectPath, u32, String, OwnedObjectPath);

impl Unit {
    /// Reads these units, in this order. One answer contains all states, so they are consistent.
    pub fn read(systemd: &mut Systemd, names: &[&str]) -> Result<Vec<Unit>, Unanswered> {
        let answer = systemd.call(Call::new(PATH, MANAGER, "ListUnitsByNames", &(names,))?)?;
        let rows: Vec<Row> = answer.body().deserialize().map_err(|e| unexpected(&e))?;
        let mut found: BTreeMap<String, Row> = rows.into_iter().map(|row| (row.0.clone(), row)).collect();
        let mut units: Vec<Unit> = names
            .iter()
            .map(|name| match found.remove(*name) {
                Some((name, _, load, active, sub, _, _, job, kind, _)) => {
                    Unit { name, load, active, sub, job: (job != 0).then_some(kind), ..Unit::default() }
                }
                None => Unit {
                    name: (*name).to_owned(),
                    load: "not-found".to_owned(),
                    active: "inactive".to_owned(),
                    sub: "dead".to_owned(),
                    ..Unit::default()
                },
            })
            .collect();
        let mut calls = Vec::new();
        let mut askers = Vec::new();
        for (at, unit) in units.iter().enumerate() {
            let path = unit_path(&unit.name);
            for (interface, property) in unit.wanted() {
                calls.push(Call::property(&path, interface, property)?);
                askers.push((at, *property));
            }
        }
        for ((at, property), answer) in askers.into_iter().zip(systemd.calls(calls)) {
            match answer {
                Ok(answer) => {
                    let value = answer.body().deserialize::<OwnedValue>().map_err(|e| unexpected(&e))?;
                    units[at].set(property, value);
                }
                // Not a service, or unloaded meanwhile.
                Err(Unanswered::Refused(..)) => {}
                Err(lost) => return Err(lost),
            }
        }
        Ok(units)
    }

    /// Returns the state in the words of the status model.
    pub fn state(&self) -> State {
        match State::parse(&self.load, &self.active) {
            // systemd has queued a stop, which waits for its turn or for other units.
            State::Running if self.job.as_deref() == Some("stop") => State::Stopping,
            state => state,
        }
    }

    /// Applies the changed properties.
    pub fn as_told(mut self, told: &Told) -> Unit {
        self.result = told.result.clone().unwrap_or(self.result);
        self.status = told.status.unwrap_or(self.status);
        self.text = told.text.clone().map_or(self.text, |text| Some(text).filter(|t| !t.is_empty()));
        self.invocation = told.invocation.as_deref().map_or(self.invocation, hex);
        self
    }

    /// Returns the properties to read: only a few for a unit that is stopped without failure.
    fn wanted(&self) -> &'static [(&'static str, &'static str)] {
        match self.state() {
            // systemd unloads stopped units and forgets the time of the stop.
            State::Missing | State::Stopped => &[],
            State::Failed => &[
                (UNIT, "StateChangeTimestamp"),
                (UNIT, "InvocationID"),
                (SERVICE, "Result"),
                (SERVICE, "ExecMainStatus"),
                (SERVICE, "StatusText"),
            ],
            _ => &[
                (UNIT, "StateChangeTimestamp"),
                (SERVICE, "MainPID"),
                (SERVICE, "MemoryCurrent"),
                (SERVICE, "ControlGroup"),
                (SERVICE, "StatusText"),
            ],
        }
    }

    fn set(&mut self, property: &str, value: OwnedValue) {
        let number = |value: &OwnedValue| u64::try_from(value).ok().filter(|n| *n != NONE);
        let text = |value: OwnedValue| String::try_from(value).ok();
        match property {
            "StateChangeTimestamp" => self.since = number(&value).filter(|n| *n > 0),
            "MemoryCurrent" => self.memory = number(&value),
            "MainPID" => {
                self.pid = u32::try_from(value).ok().and_then(|n| i32::try_from(n).ok()).filter(|n| *n > 0)
            }
            "ExecMainStatus" => self.status = i32::try_from(value).unwrap_or_default(),
            "ControlGroup" => self.cgroup = text(value).unwrap_or_default(),
            "Result" => self.result = text(value).unwrap_or_default(),
            "StatusText" => self.text = text(value).filter(|t| !t.is_empty()),
            "InvocationID" => {
                self.invocation = hex(&Vec::<u8>::try_from(value).unwrap_or_default());
            }
            _ => {}
        }
    }
}

/// Formats an invocation ID; empty before the first run.
fn hex(bytes: &[u8]) -> Option<String> {
    (bytes.len() == 16).then(|| bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn unexpected(error: &zbus::Error) -> Unanswered {
    Unanswered::Lost(format!("unexpected answer: {error}"))
}
