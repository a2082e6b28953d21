//! Reads the current state of a product's services.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base::lock::{self, Seen};
use base::report::{self, Holder, Lock, Presence, SCHEMA, State, Status};
use base::table::{Service, Table};
use base::{bounded, holder, moment};

use crate::executor::message::Unanswered;
use crate::executor::systemd::Systemd;
use crate::executor::unit::Unit;
use crate::executor::{log, presence, running, standing};

/// Number of log lines for a failed run.
pub const LINES: usize = 10;

/// Part of run_stack's status text after the launch: such a text does not explain a failure.
const RUNS: &str = " runs as process ";

/// Returns the state of all services, or of one.
pub fn take(table: &Table, systemd: &mut Systemd, only: Option<&str>) -> Result<Status, Unanswered> {
    let units = units(table, systemd)?;
    let pending = fs::read_to_string(pending(table)).unwrap_or_default();
    let wanted = |service: &&Service| only.is_none_or(|name| service.name == name);
    let services: Vec<&Service> = table.services.iter().filter(wanted).collect();
    let mut paths: Vec<&Path> = services.iter().filter_map(|s| s.launch.as_ref()?.lock.as_deref()).collect();
    paths.sort();
    paths.dedup();
    let service = |service: &&Service| {
        let unit = units.iter().find(|u| u.name == service.unit).cloned().unwrap_or_default();
        one(table, service, &unit, &units, &pending)
    };
    Ok(Status {
        schema: SCHEMA,
        product: table.product.clone(),
        version: table.version.clone(),
        services: services.iter().map(service).collect(),
        locks: paths.into_iter().map(|path| lock(table, path)).collect(),
    })
}

/// Returns all units of the table, in its order.
pub fn units(table: &Table, systemd: &mut Systemd) -> Result<Vec<Unit>, Unanswered> {
    let names: Vec<&str> = table.services.iter().map(|s| s.unit.as_str()).collect();
    Unit::read(systemd, &names)
}

/// Returns the file in which an upgrade records units that need a restart.
pub fn pending(table: &Table) -> PathBuf {
    Path::new("/run").join(&table.product).join("restart-pending")
}

/// Returns the state of a lock, if this user may read it.
pub fn lock(table: &Table, path: &Path) -> Lock {
    let made = |held, holder: Option<holder::Holder>, left| Lock {
        path: path.display().to_string(),
        held,
        holder: holder.map(|h| Holder {
            by_hand: h.cgroup.is_none(),
            service: h.service,
            pid: h.pid,
            since: h.since,
        }),
        left,
    };
    match lock::look(table, path) {
        Ok(Seen::Free) => made(Some(false), None, Vec::new()),
        Ok(Seen::Held(holder)) => made(Some(true), holder, Vec::new()),
        Ok(Seen::Left(holder, pids)) => made(Some(true), Some(holder), pids),
        Err(_) => made(None, None, Vec::new()),
    }
}

/// Returns why a unit is in the state `failed`.
pub fn reason(unit: &Unit) -> String {
    if let Some(text) = unit.text.as_deref().filter(|text| !text.contains(RUNS)) {
        return text.to_owned();
    }
    match unit.result.as_str() {
        "exit-code" => format!("it exited with status {}", unit.status),
        "signal" => format!("it was killed by signal {}", unit.status),
        "core-dump" => format!("it crashed with signal {}", unit.status),
        "timeout" => "it took too long to start or to stop, and was killed".to_owned(),
        "watchdog" => "it missed its watchdog deadline and was killed".to_owned(),
        "oom-kill" => "the kernel killed it because memory ran out".to_owned(),
        "resources" => "systemd could not provide the resources it needs".to_owned(),
        "protocol" => "it ended before it was ready".to_owned(),
        "start-limit-hit" => "it was started too often".to_owned(),
        "success" | "" => "it failed".to_owned(),
        other => format!("systemd says `{other}`"),
    }
}

fn one(table: &Table, service: &Service, unit: &Unit, units: &[Unit], pending: &str) -> report::Service {
    let state = unit.state();
    let processes = if unit.cgroup.is_empty() { Vec::new() } else { presence::processes(&unit.cgroup) };
    let expected = service.processes.iter();
    let expected =
        expected.map(|name| Presence { name: name.clone(), running: presence::is_there(&processes, name) });
    let runs = matches!(state, State::Running | State::Starting | State::Stopping);
    report::Service {
        name: service.name.clone(),
        unit: service.unit.clone(),
        description: service.description.clone(),
        state,
        active: unit.active.clone(),
        sub: unit.sub.clone(),
        load: unit.load.clone(),
        job: unit.job.clone(),
        since: unit.since.map(moment::precise),
        pid: unit.pid,
        memory: unit.memory.or_else(|| presence::memory(&processes)).filter(|_| runs),
        expected: expected.collect(),
        frame: service.frame.clone(),
        session: runs.then(|| session(service, unit)).flatten(),
        status_text: unit.text.clone(),
        restart_pending: pending.lines().any(|line| line == service.unit),
        warnings: running::warnings(table, service, units),
        failure: (state == State::Failed).then(|| failure(unit)),
        processes,
    }
}

fn failure(unit: &Unit) -> report::Failure {
    let (log, log_hidden) = match log::last(unit, LINES) {
        Ok(lines) => (lines, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let (result, status) = (unit.result.clone(), unit.status);
    report::Failure { result, status, reason: reason(unit), log, log_hidden }
}

/// Returns the content of the session file, if this user may read it.
fn session(service: &Service, unit: &Unit) -> Option<String> {
    let session = service.launch.as_ref()?.session.as_ref()?;
    let home = standing::home(std::fs::metadata(format!("/proc/{}", unit.pid?)).ok()?.uid())?;
    let text = bounded::read_in_place(&Path::new(&home).join(&session.path), bounded::SESSION).ok()?;
    Some(String::from_utf8(text).ok()?.trim_end().to_owned()).filter(|text| !text.is_empty())
}
