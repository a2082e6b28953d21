//! `run_stack NAME [ARGS…]`: launches a service and waits until its last process has ended. See run_stack(1).

#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod launch;
mod only_while;
mod session;
mod setup;
mod show;
mod supervisor;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use base::arguments;
use base::environment::Environment;
use base::failure::{FAILED, Failure};
use base::notify::Notifier;
use base::processes;
use base::say::say;
use base::table::Table;
use lexopt::Arg::{Long, Value};

use crate::launch::Request;
use crate::supervisor::{Ended, Supervisor};

const HELP: &str = "\
Launch a service under a lock and wait until its last process has ended.

usage: run_stack [--keep-env] [--no-systemd] NAME [ARGS...]
       run_stack [--keep-env] --print NAME [ARGS...]
       run_stack --clear NAME
       run_stack --list | --busy | --export FILE | --help | --version

  --list        list the services
  --print       print the command and environment of a launch; runs only the
                setup scripts
  --busy        exit with 0 and print the holders if a lock is held, else with 1
  --clear       remove the session file that a killed run_stack left behind;
                the unit does this after each stop
  --export      print an environment file, read as systemd reads it, as export
                commands for a shell
  --keep-env    let your variables override the environment file
  --no-systemd  where systemd is not running: skip the check that another unit
                is active
  --version     print the versions of the program and the product

Arguments after NAME are passed to the launched command.
Exit status: that of the launch; 2 usage error; 75 lock held or other unit not
active; 78 something must be installed or corrected
";

fn main() -> ExitCode {
    let notifier = Notifier::from_environment();
    match run(std::env::args_os().skip(1), &notifier) {
        Ok(status) => status,
        Err(failure) => {
            say(format_args!("error: {}", failure.message));
            notifier.status(&failure.message);
            ExitCode::from(failure.status)
        }
    }
}

fn run(args: impl Iterator<Item = OsString>, notifier: &Notifier) -> Result<ExitCode, Failure> {
    let usage = |error: lexopt::Error| {
        Failure::usage(format!("{}: see `run_stack --help`", arguments::describe(&error)))
    };
    let (mut print, mut clear, mut keep_env, mut no_systemd) = (false, false, false, false);
    let mut parser = lexopt::Parser::from_args(args);
    let name = loop {
        match parser.next().map_err(usage)? {
            None => {
                return Err(Failure::usage(
                    "service name is missing: see `run_stack --list` and `run_stack --help`",
                ));
            }
            Some(Long("help")) => return exit_after_output(io::stdout().write_all(HELP.as_bytes())),
            Some(Long("version")) => return exit_after_output(version()),
            Some(Long("list")) => return exit_after_output(show::list(&table()?, &mut io::stdout())),
            Some(Long("busy")) => {
                return Ok(ExitCode::from(if show::busy(&table()?, &mut io::stdout())? {
                    0
                } else {
                    FAILED
                }));
            }
            Some(Long("export")) => {
                let file = parser.value().map_err(|_| {
                    Failure::usage("`--export`: file name is missing: see `run_stack --help`")
                })?;
                let mut environment = Environment::default();
                environment.load(file.as_ref(), false)?;
                return exit_after_output(show::exports(&environment, &mut show::Output::new()));
            }
            Some(Long("print")) => print = true,
            Some(Long("clear")) => clear = true,
            Some(Long("keep-env")) => keep_env = true,
            Some(Long("no-systemd")) => no_systemd = true,
            Some(Value(name)) => break name,
            Some(other) => return Err(usage(other.unexpected())),
        }
    };
    let extra: Vec<OsString> = parser.raw_args().map_err(usage)?.collect();
    let table = table()?;
    let found = table.launchable().find(|(service, _)| *service.name == name);
    let (service, launch) = found.ok_or_else(|| {
        let known: Vec<&str> = table.launchable().map(|(service, _)| service.name.as_str()).collect();
        let (name, known) = (name.to_string_lossy(), known.join(", "));
        Failure::usage(format!("`{name}`: unknown service: expected one of {known}"))
    })?;
    if clear {
        return launch::clear(&table, launch).map(|()| ExitCode::SUCCESS);
    }
    let request = Request { table: &table, service, launch, extra: &extra, keep_env, no_systemd };
    let mut supervisor = Supervisor::new(processes::manager_pid())?;
    if !print {
        return launch::run(&request, &mut supervisor, notifier).map(|ended| end_as(ended, &supervisor));
    }
    let environment = launch::base_environment(&request, processes::manager_pid().is_some())?;
    match launch::prepare(&request, environment, &mut supervisor)? {
        Some(prepared) => exit_after_output(show::print(&request, &prepared, &mut show::Output::new())),
        None => Ok(end_as(
            supervisor.asked().map_or(Ended::Exited(FAILED), |s| Ended::Killed(s as i32)),
            &supervisor,
        )),
    }
}

fn table() -> Result<Table, Failure> {
    Table::of_this_program().map_err(Failure::configuration)
}

/// Product name and version come from the table; print the program's version even without one.
fn version() -> io::Result<()> {
    let product = match Table::of_this_program() {
        Ok(table) => format!(" ({} {})", table.package, table.version),
        Err(_) => String::new(),
    };
    writeln!(io::stdout(), "run_stack {}{product}", env!("CARGO_PKG_VERSION"))
}

/// A reader that closes the pipe early is not an error.
fn exit_after_output(result: io::Result<()>) -> Result<ExitCode, Failure> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(format!("cannot write: {e}"))),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Returns the launch's status. If a signal killed it, kills this process with the same signal: a shell then
/// reports the same as for the launch, and systemd counts SIGINT after a stop as clean, which status 130 is not.
fn end_as(ended: Ended, supervisor: &Supervisor) -> ExitCode {
    match ended {
        Ended::Exited(status) => ExitCode::from(status),
        Ended::Killed(signal) => {
            supervisor.end_by(signal);
            // Still running: the signal is ignored, as runtimes ignore SIGPIPE.
            ExitCode::from(128_u8.saturating_add(signal as u8))
        }
    }
}
