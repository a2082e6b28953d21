//! Starts, stops, restarts and switches services, and returns the real result.
//!
//! Everything that can be checked before calling systemd is checked first, so that a refusal leaves no failed
//! unit. The result still depends on run_stack, which takes the lock, and on polkit, which grants permission.

use base::failure::Failure;
use base::report::State;
use base::table::{Service, Table};
use base::{leftovers, processes};

use crate::executor::job::{self, End, Request, Wait};
use crate::executor::message::Unanswered;
use crate::executor::refusal::{self, Refusal};
use crate::executor::systemd::Systemd;
use crate::executor::unit::Unit;
use crate::executor::{guard, presence, running, snapshot};

/// Controls the services of a table.
#[derive(Debug)]
pub struct Control<'t> {
    table: &'t Table,
    systemd: Systemd,
}

/// A successful result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Whether anything had to be changed.
    pub changed: bool,
    /// The service, if there was one.
    pub service: Option<String>,
    /// State afterwards.
    pub state: Option<State>,
    /// Main process afterwards.
    pub pid: Option<i32>,
    /// One line for people.
    pub message: String,
    /// Additional messages.
    pub notes: Vec<String>,
}

impl<'t> Control<'t> {
    /// Connects to systemd.
    pub fn new(table: &'t Table) -> Result<Self, Failure> {
        Ok(Control { table, systemd: Systemd::connect()? })
    }

    /// Starts a service unless it is running.
    pub fn start(&mut self, name: &str, wait: &mut Wait<'_>) -> Result<Done, Refusal> {
        let service = self.service(name)?;
        let units = self.units()?;
        let unit = unit_of(&units, service);
        if unit.state() == State::Running {
            return Ok(report_done(
                service,
                unit,
                false,
                format!("{name} is already running{}", process(unit)),
            ));
        }
        refusal::before_start(self.table, service, &units)?;
        let mut notes = running::warnings(self.table, service, &units);
        let ran = self.job("StartUnit", "fail", service, &format!("starting {name}"), wait)?;
        self.started(service, &ran, &mut notes)
    }

    /// Stops a service, or any service that holds a lock.
    pub fn stop(&mut self, name: Option<&str>, wait: &mut Wait<'_>) -> Result<Done, Refusal> {
        let units = self.units()?;
        let service = match name {
            Some(name) => self.service(name)?,
            None => match self.running(&units, None).first() {
                Some((service, _)) => service,
                None => {
                    refusal::held_by_hand(self.table, None)?;
                    let message = "no stack is running".to_owned();
                    return Ok(Done {
                        changed: false,
                        service: None,
                        state: None,
                        pid: None,
                        message,
                        notes: vec![],
                    });
                }
            },
        };
        let unit = unit_of(&units, service);
        let name = &service.name;
        match unit.state() {
            State::Missing => return Err(refusal::missing(service).into()),
            state @ (State::Stopped | State::Failed) if unit.job.is_none() => {
                refusal::held_by_hand(self.table, Some(service))?;
                let so = if state == State::Failed { "; it had failed" } else { "" };
                return Ok(report_done(service, unit, false, format!("{name} is already stopped{so}")));
            }
            _ => {}
        }
        guard::ask(service, "stop")?;
        let unit = unit.clone();
        let after = self.stopped(service, &unit, wait)?;
        let (message, notes) = stop_told(service, &after);
        Ok(Done { notes, ..report_done(service, &after, true, message) })
    }

    /// Restarts a service, or starts it if it is stopped.
    pub fn restart(&mut self, name: &str, wait: &mut Wait<'_>) -> Result<Done, Refusal> {
        let service = self.service(name)?;
        let units = self.units()?;
        let unit = unit_of(&units, service);
        let runs = unit.state() == State::Running;
        let mut notes = running::warnings(self.table, service, &units);
        if runs {
            refusal::other_unit(service, &units)?;
            guard::ask(service, "restart")?;
        } else {
            refusal::before_start(self.table, service, &units)?;
        }
        let dependents: Vec<&Service> =
            self.table.services.iter().filter(|s| s.only_while.as_deref() == Some(&*unit.name)).collect();
        let went = dependents.into_iter().filter(|s| runs && unit_of(&units, s).state() == State::Running);
        notes.extend(went.map(|s| {
            format!("{} was stopped with it: to start it again, run `rovi start {}`", s.name, s.name)
        }));
        let ran = self.job("RestartUnit", "fail", service, &format!("restarting {name}"), wait)?;
        self.started(service, &ran, &mut notes)
    }

    /// Stops the service with the same lock, waits until its last process has ended, and starts this one.
    pub fn switch(&mut self, name: &str, wait: &mut Wait<'_>) -> Result<Done, Refusal> {
        let service = self.service(name)?;
        let Some(lock) = service.launch.as_ref().and_then(|l| l.lock.clone()) else {
            let why = "it shares no lock with another stack";
            return Err(Failure::usage(format!("{name}: {why}: use `rovi start {name}`")).into());
        };
        let units = self.units()?;
        let unit = unit_of(&units, service);
        if unit.state() == State::Running {
            return Ok(report_done(
                service,
                unit,
                false,
                format!("{name} is already running{}", process(unit)),
            ));
        }
        // Do not stop anything for a service that cannot start.
        refusal::installed(service, unit)?;
        refusal::other_unit(service, &units)?;
        refusal::held_by_hand(self.table, Some(service))?;
        let others: Vec<(&Service, Unit)> =
            self.running(&units, Some(&lock)).into_iter().filter(|(s, _)| s.name != *name).collect();
        for (other, _) in &others {
            guard::ask(other, "switch")?;
        }
        let mut notes = Vec::new();
        for (other, unit) in &others {
            let after =
                self.stopped(other, unit, wait).map_err(|r| r.and(&format!("{name} was not started")))?;
            let (message, more) = stop_told(other, &after);
            notes.push(message);
            notes.extend(more);
        }
        let stopped: Vec<&str> = others.iter().map(|(s, _)| s.name.as_str()).collect();
        let more = running::warnings(self.table, service, &units);
        let shown = format!("starting {name}");
        let started = refusal::lock(self.table, service)
            .and_then(|()| self.job("StartUnit", "fail", service, &shown, wait))
            .and_then(|ran| self.started(service, &ran, &mut notes));
        match started {
            Ok(done) => Ok(Done { notes: done.notes.into_iter().chain(more).collect(), ..done }),
            Err(refusal) if stopped.is_empty() => Err(refusal),
            Err(refusal) => {
                Err(refusal.but(&format!("{} was stopped and stays stopped", stopped.join(", "))))
            }
        }
    }

    /// Stops a unit and checks that no process is left.
    fn stopped(&mut self, service: &Service, before: &Unit, wait: &mut Wait<'_>) -> Result<Unit, Refusal> {
        let name = &service.name;
        let of_unit = |unit: &Unit| match &*unit.cgroup {
            "" => Vec::new(),
            cgroup => presence::processes(cgroup),
        };
        let begun = of_unit(before);
        let main = before.pid.and_then(|pid| Some((processes::read_user(pid)?, processes::process(pid)?)));
        let ran = self.job("StopUnit", "replace", service, &format!("stopping {name}"), wait)?;
        let after = self.unit(service)?;
        if let End::Result { result, .. } = &ran
            && result != "done"
        {
            return Err(refusal::job(service, &after, result, "stop").into());
        }
        // systemd gives up on processes that survive SIGKILL. Other processes may already belong to the next
        // start.
        let left = of_unit(before).into_iter().filter(|p| begun.iter().any(|b| b.pid == p.pid));
        let pids: Vec<String> = left.map(|p| p.pid.to_string()).collect();
        if !pids.is_empty() && matches!(after.state(), State::Stopped | State::Failed) {
            let why = format!("processes {} did not end", pids.join(" "));
            return Err(
                Failure::failed(format!("{name}: {why}: see `systemctl status {}`", service.unit)).into()
            );
        }
        // A stop of the unit does not stop processes that have left it.
        let outside = main.map_or_else(Vec::new, |(user, main)| leftovers::find_outside(user, main.started));
        if !outside.is_empty() {
            let pids: Vec<String> = outside.iter().map(i32::to_string).collect();
            let user = service.user.as_deref().unwrap_or("its user");
            let why =
                format!("processes {} of {user} have left the unit and are still running", pids.join(" "));
            let todo = format!(
                "an administrator must run `loginctl disable-linger {user}; loginctl terminate-user {user}`"
            );
            return Err(Failure::failed(format!("{name}: the unit is stopped, but {why}: {todo}")).into());
        }
        Ok(after)
    }

    /// Returns the result of a start.
    fn started(&mut self, service: &Service, ran: &End, notes: &mut Vec<String>) -> Result<Done, Refusal> {
        let unit = self.unit(service)?;
        let name = &service.name;
        let notes = std::mem::take(notes);
        match ran {
            End::Result { result, told, .. } if result != "done" => {
                let unit = unit.as_told(told);
                let refusal = Refusal::from(refusal::job(service, &unit, result, "start"));
                return Err(refusal.with_log(&unit).noting(notes));
            }
            _ => {}
        }
        match unit.state() {
            State::Running => Ok(Done {
                notes,
                ..report_done(service, &unit, true, format!("{name} runs{}", process(&unit)))
            }),
            // The failure may be from an earlier run.
            _ if matches!(ran, End::Result { ran: false, .. }) => {
                Err(Refusal::from(refusal::job(service, &unit, "skipped", "start")).noting(notes))
            }
            State::Failed => {
                let failure = refusal::describe_failure(service, &unit, "it started, but");
                Err(Refusal::from(failure).with_log(&unit).noting(notes))
            }
            state if *ran == End::Unknown => {
                let why = format!("systemd dropped the job, and {name} is {}", state.describe());
                Err(Failure::failed(format!("{name}: {why}: see `rovi status {name}`")).into())
            }
            state => {
                let message = format!(
                    "{name} was started, but is {} again: another user stopped it, or it ended",
                    state.describe()
                );
                Ok(Done { notes, ..report_done(service, &unit, true, message) })
            }
        }
    }

    fn job(
        &mut self,
        method: &str,
        mode: &str,
        service: &Service,
        shown: &str,
        wait: &mut Wait<'_>,
    ) -> Result<End, Refusal> {
        let request = Request { method, unit: &service.unit, mode, shown };
        match job::run(&mut self.systemd, request, wait) {
            Ok(End::Interrupted) => Err(refusal::interrupted(service, shown).into()),
            Ok(end) => Ok(end),
            Err(Unanswered::Refused(name, text)) => {
                Err(refusal::of_call(self.table, service, method, &name, &text).into())
            }
            Err(lost) => Err(Failure::from(lost).into()),
        }
    }

    /// Returns the running services that use a lock, or this one.
    fn running(&self, units: &[Unit], lock: Option<&std::path::Path>) -> Vec<(&'t Service, Unit)> {
        let shares = |service: &&Service| {
            let own = service.launch.as_ref().and_then(|l| l.lock.as_deref());
            own.is_some() && (lock.is_none() || own == lock)
        };
        let with_unit = |service: &'t Service| (service, unit_of(units, service).clone());
        let runs = |(_, unit): &(&Service, Unit)| {
            matches!(unit.state(), State::Running | State::Starting | State::Stopping) || unit.job.is_some()
        };
        self.table.services.iter().filter(shares).map(with_unit).filter(runs).collect()
    }

    fn units(&mut self) -> Result<Vec<Unit>, Failure> {
        Ok(snapshot::units(self.table, &mut self.systemd)?)
    }

    fn unit(&mut self, service: &Service) -> Result<Unit, Failure> {
        Ok(Unit::read(&mut self.systemd, &[&service.unit])?.pop().unwrap_or_default())
    }

    fn service(&self, name: &str) -> Result<&'t Service, Failure> {
        refusal::find_service(self.table, name)
    }
}

/// Returns the message about a stop.
fn stop_told(service: &Service, after: &Unit) -> (String, Vec<String>) {
    let name = &service.name;
    match after.state() {
        State::Stopped | State::Missing => (format!("{name} is stopped"), vec![]),
        State::Failed => {
            let how = if after.result == "timeout" { "it did not end by itself" } else { "it had failed" };
            (format!("{name} is stopped"), vec![format!("{how}: {}", snapshot::reason(after))])
        }
        state => (
            format!("{name} was stopped, but is {} again: another user started it", state.describe()),
            vec![],
        ),
    }
}

fn unit_of<'u>(units: &'u [Unit], service: &Service) -> &'u Unit {
    static NONE: std::sync::LazyLock<Unit> = std::sync::LazyLock::new(Unit::default);
    units.iter().find(|u| u.name == service.unit).unwrap_or(&NONE)
}

fn report_done(service: &Service, unit: &Unit, changed: bool, message: String) -> Done {
    Done {
        changed,
        service: Some(service.name.clone()),
        state: Some(unit.state()),
        pid: unit.pid,
        message,
        notes: Vec::new(),
    }
}

fn process(unit: &Unit) -> String {
    unit.pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
