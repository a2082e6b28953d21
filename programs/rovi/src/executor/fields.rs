//! Computes the values of status fields, and follows their changes.
//!
//! systemd reports changes of services, and the kernel reports the end of a process. Without privileges,
//! nothing reports a new process. Therefore this looks once a second for a missing process, as long as its
//! unit runs or no unit is given.

mod config;
mod yaml;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base::bus::unit_path;
use base::failure::{Failure, reason};
use base::field::{FieldLine, StatusFieldMeta, StatusFieldValue};
use base::processes;
use base::report::{SCHEMA, State};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::executor::message::Event;
use crate::executor::presence;
use crate::executor::systemd::{Source, Systemd, Woken};
use crate::executor::unit::Unit;
pub use config::{About, Field, read};

/// Interval for missing processes.
const LOOK: Duration = Duration::from_secs(1);

/// Follows the values of fields.
#[derive(Debug)]
pub struct Fields {
    fields: Vec<Field>,
    units: Vec<String>,
    systemd: Systemd,
    last: Vec<Option<String>>,
    /// Descriptors that report the end of a process.
    ends: Vec<Source>,
    /// Whether a missing process may start at any time.
    missing: bool,
}

impl Fields {
    /// Starts; `follow` subscribes to changes.
    pub fn new(fields: Vec<Field>, follow: bool) -> Result<Fields, Failure> {
        let unit = |field: &Field| match &field.about {
            About::Service(unit) | About::Process(_, Some(unit)) => Some(unit.clone()),
            About::Process(_, None) => None,
        };
        let units: Vec<String> =
            fields.iter().filter_map(unit).collect::<BTreeSet<_>>().into_iter().collect();
        let mut systemd = Systemd::connect()?;
        if follow {
            systemd.follow_units(&units.iter().map(|unit| unit_path(unit)).collect::<Vec<_>>())?;
        }
        let last = vec![None; fields.len()];
        Ok(Fields { fields, units, systemd, last, ends: Vec::new(), missing: false })
    }

    /// Returns a line for every field with a new value.
    pub fn look(&mut self) -> Result<Vec<FieldLine>, Failure> {
        let names: Vec<&str> = self.units.iter().map(String::as_str).collect();
        let units = Unit::read(&mut self.systemd, &names)?;
        let unit_of = |name: &str| units.iter().find(|u| u.name == name);
        let mut pids = BTreeSet::new();
        let mut lines = Vec::new();
        self.missing = false;
        for (field, last) in self.fields.iter().zip(&mut self.last) {
            let text = match &field.about {
                About::Service(name) => unit_of(name).map_or("missing", word).to_owned(),
                About::Process(process, scope) => {
                    let cgroup = scope.as_deref().map(|name| unit_of(name).map_or("", |u| u.cgroup.as_str()));
                    let found = find_processes(process, cgroup);
                    self.missing |= found.is_empty() && cgroup != Some("");
                    let text = if found.is_empty() { "missing" } else { "running" };
                    pids.extend(found);
                    text.to_owned()
                }
            };
            if last.as_ref() != Some(&text) {
                *last = Some(text.clone());
                lines.push(line(field, text));
            }
        }
        self.ends.clear();
        for pid in pids {
            let Some(pid) = processes::pid(pid) else { continue };
            match pidfd_open(pid, PidfdFlags::empty()).map_err(Into::into).and_then(Source::new) {
                Ok(source) => self.ends.push(source),
                // The process has just ended: the next call will see that.
                Err(e) if e.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
                    self.missing = true
                }
                Err(e) => {
                    let todo = "raise the number of open files";
                    return Err(Failure::failed(format!("processes: {}: {todo}", reason(&e))));
                }
            }
        }
        Ok(lines)
    }

    /// Waits for a change; returns false if one of `ends` is readable.
    pub fn wait(&mut self, ends: &[&Source]) -> Result<bool, Failure> {
        let deadline = self.missing.then(|| Instant::now() + LOOK);
        let sources: Vec<&Source> = ends.iter().copied().chain(&self.ends).collect();
        match self.systemd.wait(&sources, deadline)? {
            Woken::Event(Event::Everything) => self.systemd.subscribe()?,
            Woken::Event(_) | Woken::Late => {}
            Woken::Other => return Ok(self.ended()),
        }
        if self.systemd.forget()? {
            self.systemd.subscribe()?;
        }
        Ok(true)
    }

    /// Returns whether a process has ended.
    fn ended(&self) -> bool {
        let mut fds: Vec<PollFd<'_>> = self.ends.iter().map(|end| PollFd::new(end, PollFlags::IN)).collect();
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }
}

/// Returns the processes with that name, in a control group or anywhere.
fn find_processes(name: &str, cgroup: Option<&str>) -> Vec<i32> {
    let processes = match cgroup {
        Some("") => Vec::new(),
        Some(cgroup) => presence::processes(cgroup),
        None => presence::everywhere(),
    };
    processes.into_iter().filter(|p| p.names.iter().any(|n| n == name)).map(|p| p.pid).collect()
}

/// Returns systemd's word for the state of a unit.
fn word(unit: &Unit) -> &str {
    if unit.state() == State::Missing { "missing" } else { &unit.active }
}

fn line(field: &Field, text: String) -> FieldLine {
    FieldLine {
        schema: SCHEMA,
        meta: StatusFieldMeta { name: field.name.clone(), r#type: "text".to_owned() },
        value: StatusFieldValue { text },
    }
}
