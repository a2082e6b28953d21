//! One launch from start to end: environment, checks, lock, setup scripts, session file, start, wait, and
//! cleanup.
//!
//! Everything about the service comes from the table. Whatever the launch acquires is released in reverse
//! order on every exit path; the lock is released last, when no descendant is left.

use std::ffi::OsString;
use std::path::PathBuf;

use base::environment::Environment;
use base::failure::{Failure, reason};
use base::holder::Holder;
use base::lock::Lock;
use base::manager::Manager;
use base::notify::Notifier;
use base::program::Program;
use base::say::say;
use base::table::{Launch, Service, Table};
use base::{effective, expects, leftovers, processes};

use crate::supervisor::{Ended, Guard, Supervisor};
use crate::{only_while, session, setup};

/// The options of one call.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub table: &'a Table,
    pub service: &'a Service,
    pub launch: &'a Launch,
    /// Additional arguments for the command.
    pub extra: &'a [OsString],
    /// Variables that are already set override the environment file.
    pub keep_env: bool,
    /// Skips the check of `only_while`, because systemd is not running.
    pub no_systemd: bool,
}

#[derive(Debug)]
pub(crate) struct Prepared {
    pub argv: Vec<OsString>,
    pub directory: Option<PathBuf>,
    pub environment: Environment,
}

/// Runs the launch and returns how it ended.
pub(crate) fn run(
    request: &Request<'_>,
    supervisor: &mut Supervisor,
    notifier: &Notifier,
) -> Result<Ended, Failure> {
    let Request { service, launch, .. } = *request;
    let by_systemd = processes::manager_pid().is_some();
    let mut environment = base_environment(request, by_systemd)?;

    supervisor.end_with(neighbours(request)?);

    let holder = Holder::this(&service.name, by_systemd);
    let acquire = |path| Lock::acquire(request.table, path, &holder);
    let lock = launch.lock.as_deref().map(acquire).transpose()?;
    if !by_systemd {
        environment.set(leftovers::MARK, holder.id());
    }
    let session_path = launch.session.as_ref().map(|s| session::path(s, &environment)).transpose()?;
    if let (Some(path), Some(_)) = (&session_path, &lock) {
        session::clear(path);
    }

    if !launch.setup.is_empty() {
        notifier.status("reading the environment from setup scripts");
    }
    let started = prepare(request, environment, supervisor).and_then(|prepared| match prepared {
        Some(prepared) => {
            let session = match (&launch.session, &session_path) {
                (Some(session), Some(path)) => Some(session::write(session, path)?),
                _ => None,
            };
            let told = effective::status_suffix(request.table, &service.name, &prepared.environment);
            Ok(start(&prepared, supervisor)?.map(|pid| (pid, told, session)))
        }
        None => Ok(None),
    });
    let ended = match started {
        Ok(Some((pid, told, session))) => {
            notifier.ready(&format!("{} runs as process {pid}{told}", service.name));
            let ended = supervisor.wait_for(pid);
            wait_for_the_rest(supervisor, notifier, ended);
            drop(session);
            Ok(ended)
        }
        other => {
            wait_for_the_rest(supervisor, notifier, Ended::Exited(0));
            let asked = supervisor.asked().map_or(Ended::Exited(0), |signal| Ended::Killed(signal as i32));
            other.map(|_| asked)
        }
    };
    drop(lock);
    ended
}

/// Removes the session file that a killed run_stack left behind, unless a launch is running, which owns the
/// file.
pub(crate) fn clear(table: &Table, launch: &Launch) -> Result<(), Failure> {
    if let (Some(session), Some(lock)) = (&launch.session, &launch.lock) {
        let path = session::path(session, &Environment::inherited())?;
        Lock::while_free(table, lock, || session::clear(&path))?;
    }
    Ok(())
}

/// Returns the environment before setup scripts.
pub(crate) fn base_environment(request: &Request<'_>, by_systemd: bool) -> Result<Environment, Failure> {
    let mut environment = Environment::inherited();
    if by_systemd {
        return Ok(environment);
    }
    for (name, value) in &request.launch.environment {
        if !request.keep_env || environment.get(name).is_none() {
            environment.set(name, value);
        }
    }
    let Some(file) = request.launch.env_file.as_deref() else { return Ok(environment) };
    let differ = environment.load(file, request.keep_env)?;
    if !differ.is_empty() {
        let (names, file) = (differ.join(" "), file.display());
        match request.keep_env {
            true => say(format_args!("note: {names}: kept from your environment, `{file}` has other values")),
            false => say(format_args!(
                "note: {names}: `{file}` overrides your environment: to keep your values, use `--keep-env`"
            )),
        }
    }
    Ok(environment)
}

/// Returns the command and its environment after setup scripts; `None` if a stop was requested meanwhile.
pub(crate) fn prepare(
    request: &Request<'_>,
    environment: Environment,
    supervisor: &mut Supervisor,
) -> Result<Option<Prepared>, Failure> {
    let Some(mut environment) = setup::source(&request.launch.setup, &environment, supervisor)? else {
        return Ok(None);
    };
    let directory = match &request.launch.directory {
        Some(directory) => Some(existing(directory, &environment)?),
        None => None,
    };
    if let Some(directory) = &directory {
        environment.set("PWD", directory.as_os_str());
    }
    let argv = request.launch.argv.iter().map(OsString::from).chain(request.extra.iter().cloned()).collect();
    Ok(Some(Prepared { argv, directory, environment }))
}

fn start(prepared: &Prepared, supervisor: &mut Supervisor) -> Result<Option<i32>, Failure> {
    if let Some(directory) = &prepared.directory {
        std::env::set_current_dir(directory)
            .map_err(|e| not_there(&directory.to_string_lossy(), &reason(&e)))?;
    }
    if supervisor.asked_to_stop() {
        return Ok(None);
    }
    let program = Program { argv: &prepared.argv, environment: &prepared.environment, streams: None };
    let command = prepared.argv.first().map(|c| c.to_string_lossy().into_owned()).unwrap_or_default();
    supervisor.spawn(&program).map(Some).map_err(|e| {
        let todo = match e.kind() {
            std::io::ErrorKind::ArgumentListTooLong => {
                "shorten its arguments or environment: `--print` shows them"
            }
            _ => "install it, or check the PATH that `--print` shows",
        };
        Failure::configuration(format!("`{command}`: {}: {todo}", reason(&e)))
    })
}

/// Checks the units that this service depends on. Returns the process whose end must stop the launch.
fn neighbours(request: &Request<'_>) -> Result<Option<Guard>, Failure> {
    let service = request.service;
    if service.only_while.is_none() && service.expects.is_empty() {
        return Ok(None);
    }
    let mut manager = match (Manager::connect(), &service.only_while) {
        (Ok(manager), _) => manager,
        (Err(_), None) => return Ok(None),
        (Err(e), Some(unit)) => return Err(only_while::unanswered(unit, &e)),
    };
    let mut guard = None;
    if let Some(unit) = &service.only_while {
        if let Some(manager) = &mut manager {
            guard = only_while::follow(unit, manager)?;
        }
        only_while::check(&service.name, unit, manager.as_mut(), request.no_systemd)?;
    }
    if let Some(manager) = &mut manager {
        expects::warnings(request.table, service, manager)
            .iter()
            .for_each(|w| say(format_args!("warning: {w}")));
    }
    Ok(guard)
}

fn wait_for_the_rest(supervisor: &mut Supervisor, notifier: &Notifier, ended: Ended) {
    let left = supervisor.left();
    if left > 0 {
        notifier.stopping(&format!("the launch {ended}, waiting for {left} of its processes to end"));
    }
    supervisor.wait_for_the_rest();
}

fn existing(directory: &str, environment: &Environment) -> Result<PathBuf, Failure> {
    let expanded = environment.expand(directory).map_err(|name| {
        let todo = "set it in the environment file or in the shell";
        Failure::configuration(format!("`{directory}`: {name} is not set: {todo}"))
    })?;
    let path = PathBuf::from(expanded);
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(path),
        Ok(_) => Err(not_there(&path.to_string_lossy(), "not a directory")),
        Err(e) => Err(not_there(&path.to_string_lossy(), &reason(&e))),
    }
}

fn not_there(directory: &str, why: &str) -> Failure {
    let todo = "create it, or correct the path in the configuration";
    Failure::configuration(format!("working directory `{directory}`: {why}: {todo}"))
}
