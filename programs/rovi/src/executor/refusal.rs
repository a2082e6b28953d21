//! The reasons for refusals, each with the next step: checks before calling systemd, errors of systemd and
//! polkit, and results of jobs.

use base::failure::{CONFIGURATION, Failure, REFUSED};
use base::lock::{self, Seen};
use base::report::State;
use base::table::{Service, Table};

use crate::executor::standing::{self, Standing};
use crate::executor::unit::Unit;
use crate::executor::{log, snapshot};

/// Exit status after an interrupt.
pub const INTERRUPTED: u8 = 130;

/// A failure with additional information.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Exit status and message.
    pub failure: Failure,
    /// Whether anything was changed anyway.
    pub changed: bool,
    /// State afterwards, if known.
    pub state: Option<State>,
    /// Additional messages.
    pub notes: Vec<String>,
    /// Last log lines of the failed unit.
    pub log: Vec<String>,
}

impl Refusal {
    /// Adds the last log lines of the unit.
    pub fn with_log(mut self, unit: &Unit) -> Refusal {
        self.changed = true;
        self.state = Some(unit.state());
        match log::last(unit, snapshot::LINES) {
            Ok(lines) => self.log = lines,
            Err(why) => self.notes.push(why),
        }
        self
    }

    /// Adds messages.
    pub fn noting(mut self, notes: Vec<String>) -> Refusal {
        self.notes.splice(0..0, notes);
        self
    }

    /// Adds what was done before.
    pub fn but(mut self, what: &str) -> Refusal {
        self.changed = true;
        self.and(what)
    }

    /// Adds what follows.
    pub fn and(mut self, what: &str) -> Refusal {
        self.failure.message = format!("{}; {what}", self.failure.message);
        self
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        Refusal { failure, changed: false, state: None, notes: Vec::new(), log: Vec::new() }
    }
}

/// Returns a service by name.
pub fn find_service<'t>(table: &'t Table, name: &str) -> Result<&'t Service, Failure> {
    table.service(name).ok_or_else(|| {
        let known: Vec<&str> = table.services.iter().map(|s| s.name.as_str()).collect();
        Failure::unknown(format!("`{name}`: unknown service: expected one of {}", known.join(", ")))
    })
}

/// Checks everything that would make a start fail.
pub fn before_start(table: &Table, service: &Service, units: &[Unit]) -> Result<(), Refusal> {
    let unit = units.iter().find(|u| u.name == service.unit).cloned().unwrap_or_default();
    installed(service, &unit)?;
    other_unit(service, units)?;
    // A start in progress holds the lock itself, and a second start joins it.
    if unit.state() == State::Starting {
        return Ok(());
    }
    held_by_hand(table, Some(service))?;
    lock(table, service)
}

/// Checks that the unit can be loaded.
pub fn installed(service: &Service, unit: &Unit) -> Result<(), Failure> {
    match unit.load.as_str() {
        "not-found" => Err(missing(service)),
        "masked" => Err(masked(service)),
        "loaded" | "" | "merged" | "stub" => Ok(()),
        other => Err(Failure::configuration(format!(
            "{}: systemd cannot load `{}` ({other}): see `systemctl status {1}`",
            service.name, service.unit
        ))),
    }
}

/// The error for a missing unit.
pub fn missing(service: &Service) -> Failure {
    let todo = "reinstall the package that ships it, or run `systemctl daemon-reload` as root";
    Failure::configuration(format!("{}: `{}` is not installed: {todo}", service.name, service.unit))
}

/// Checks that the unit that this service depends on is active.
pub fn other_unit(service: &Service, units: &[Unit]) -> Result<(), Failure> {
    let Some(other) = &service.only_while else { return Ok(()) };
    let unit = units.iter().find(|u| u.name == *other);
    if unit.is_some_and(|u| u.state() == State::Running) {
        return Ok(());
    }
    let active = match unit {
        Some(unit) if unit.state() == State::Stopping => "stopping",
        Some(unit) => &unit.active,
        None => "unknown",
    };
    Err(Failure::refused(format!(
        "{name}: `{other}` is {active}, but must be active: an administrator must run `systemctl start \
         {other}`",
        name = service.name
    )))
}

/// Checks that no launch by hand holds the lock of this service, or any lock: systemd cannot stop such a
/// launch.
pub fn held_by_hand(table: &Table, service: Option<&Service>) -> Result<(), Refusal> {
    let lock_of = |s: &Service| s.launch.as_ref().and_then(|l| l.lock.clone());
    let mut paths: Vec<_> = match service {
        Some(service) => lock_of(service).into_iter().collect(),
        None => table.services.iter().filter_map(lock_of).collect(),
    };
    paths.dedup();
    for path in paths {
        let seen = lock::look(table, &path);
        if let Ok(Seen::Held(Some(holder)) | Seen::Left(holder, _)) = &seen
            && holder.cgroup.is_none()
        {
            return Err(held(service.map_or(&holder.service, |s| &s.name), &seen).into());
        }
    }
    Ok(())
}

/// Checks that the lock is free.
pub fn lock(table: &Table, service: &Service) -> Result<(), Refusal> {
    let Some(path) = service.launch.as_ref().and_then(|l| l.lock.as_deref()) else { return Ok(()) };
    match lock::look(table, path) {
        // If this user may not read the lock, run_stack reports the holder.
        Ok(Seen::Free) | Err(_) => Ok(()),
        seen => Err(held(&service.name, &seen).into()),
    }
}

fn held(name: &str, seen: &Result<Seen, Failure>) -> Failure {
    let Ok(seen) = seen else { return Failure::refused(format!("{name}: the lock is held: try again")) };
    let who = seen.describe().unwrap_or_else(|| "another process".to_owned());
    let todo = match seen {
        Seen::Left(_, pids) => lock::end_them(pids),
        Seen::Held(Some(holder)) if holder.cgroup.is_some() && holder.service == name => {
            "try again".to_owned()
        }
        Seen::Held(Some(holder)) if holder.cgroup.is_some() => {
            format!(
                "to stop it first, run `rovi switch {name}`; to only stop it, run `rovi stop {}`",
                holder.service
            )
        }
        Seen::Held(Some(holder)) => {
            format!("it was started by hand: press Ctrl-C in its terminal, or run `kill -INT {}`", holder.pid)
        }
        _ => "try again".to_owned(),
    };
    Failure::refused(format!("{name}: the lock is held by {who}: {todo}"))
}

/// Explains an error of systemd or polkit.
pub fn of_call(table: &Table, service: &Service, method: &str, error: &str, text: &str) -> Failure {
    let name = &service.name;
    let verb = method.trim_end_matches("Unit").to_lowercase();
    match error.rsplit('.').next().unwrap_or_default() {
        "AccessDenied" | "InteractiveAuthorizationRequired" => not_permitted(table, service, &verb),
        "NoSuchUnit" | "LoadFailed" => missing(service),
        "UnitMasked" => masked(service),
        "TransactionIsDestructive" | "TransactionJobsConflicting" => Failure::refused(format!(
            "{name}: another request is in progress and would be canceled: see `rovi status`, and try again"
        )),
        _ => Failure::failed(format!(
            "{name}: {}: see `systemctl status {}`",
            text.trim_end_matches('.'),
            service.unit
        )),
    }
}

/// Explains a job that did not succeed.
pub fn job(service: &Service, unit: &Unit, result: &str, verb: &str) -> Failure {
    let name = &service.name;
    let see = format!("see `systemctl status {}`", service.unit);
    match result {
        "canceled" => Failure::refused(format!(
            "{name}: the {verb} was canceled by another request: see `rovi status`, and try again"
        )),
        "timeout" => Failure::failed(format!("{name}: the {verb} timed out: {see}")),
        "dependency" => Failure::failed(format!("{name}: a unit that it depends on did not start: {see}")),
        "skipped" => Failure::failed(format!("{name}: a condition of its unit is not met: {see}")),
        "failed" => describe_failure(service, unit, ""),
        other => Failure::failed(format!("{name}: the {verb} ended with `{other}`: {see}")),
    }
}

/// Explains a failed unit. An exit status of run_stack is passed on, because it has the same meaning here.
pub fn describe_failure(service: &Service, unit: &Unit, but: &str) -> Failure {
    let reason = snapshot::reason(unit);
    // run_stack's message may begin with the name of the service.
    let reason = reason.strip_prefix(&format!("{}: ", service.name)).unwrap_or(&reason).to_owned();
    let but = if but.is_empty() { String::new() } else { format!("{but} ") };
    let told = unit.text.as_deref() == Some(&*snapshot::reason(unit));
    let todo = if told { String::new() } else { format!(": see `systemctl status {}`", service.unit) };
    let message = format!("{}: {but}{reason}{todo}", service.name);
    match u8::try_from(unit.status) {
        Ok(status @ (REFUSED | CONFIGURATION)) if unit.result == "exit-code" && told => {
            Failure { status, message }
        }
        _ => Failure::failed(message),
    }
}

/// The error after an interrupt.
pub fn interrupted(service: &Service, shown: &str) -> Failure {
    let name = &service.name;
    let back = if shown.starts_with("stop") { "" } else { "; to cancel it, run `rovi stop`" };
    Failure {
        status: INTERRUPTED,
        message: format!(
            "{shown}: interrupted: systemd still completes the request: see `rovi status {name}`{back}"
        ),
    }
}

fn masked(service: &Service) -> Failure {
    Failure::configuration(format!(
        "{}: `{}` is masked: an administrator must run `systemctl unmask {1}`",
        service.name, service.unit
    ))
}

fn not_permitted(table: &Table, service: &Service, verb: &str) -> Failure {
    let name = &service.name;
    let administrator = format!("an administrator must run `systemctl {verb} {}`", service.unit);
    let no = |why: &str, todo: &str| {
        Failure::not_permitted(format!("{name}: you may not {verb} it: {why}: {todo}"))
    };
    let Some(group) = table.operators.as_deref().filter(|_| service.permits.iter().any(|v| v == verb)) else {
        return no("only administrators may do that", &administrator);
    };
    let user = standing::user();
    match standing::look_up(group) {
        Standing::Stranger => no(
            &format!("{user} is not in the group {group}"),
            &format!(
                "an administrator must run `usermod --append --groups {group} {user}`, then log in again"
            ),
        ),
        Standing::LogInAgain => no(
            &format!("{user} was added to {group} after this login"),
            "log out and log in again; `id` shows the groups of this login",
        ),
        Standing::NoGroup => no(
            &format!("the group {group} does not exist"),
            "reinstall the package, or run `systemd-sysusers` as root",
        ),
        Standing::Member => no(
            &format!("polkit refuses it although {user} is in the group {group}"),
            "see `rovi doctor`; an administrator's own rule may forbid it",
        ),
    }
}
