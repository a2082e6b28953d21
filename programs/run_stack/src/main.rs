//! `run_stack NAME [ARGS…]`: launches a service of the product beside whose table it lies, and stays until
//! the last process of the launch is gone. See run_stack(1).

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

use base::environment::Environment;
use base::failure::{FAILED, Failure};
use base::notify::Notifier;
use base::processes;
use base::say::say;
use base::table::Table;

use crate::launch::Request;
use crate::supervisor::{Ended, Supervisor};

const HELP: &str = "\
Launch a service, once at a time, and stay until its last process has ended.

usage: run_stack [--keep-env] [--no-systemd] NAME [ARGS...]
       run_stack [--keep-env] --print NAME [ARGS...]
       run_stack --clear NAME
       run_stack --list | --busy | --export FILE | --help | --version

  --list        the services and what they are
  --print       what would run, and with which environment; runs the setup scripts and nothing else
  --busy        exit with 0 and name the holders if any lock is held, else exit with 1
  --clear       remove the session file that a killed run_stack left; the unit does it after each stop
  --export      the assignments of an environment file, read as systemd reads it, for a shell's eval
  --keep-env    variables that are set win over the environment file
  --no-systemd  where systemd does not run: do without the unit that must be active
  --version     version, and of which product

Everything after NAME goes to the launched command as it is.
exit: the launch's own status; 2 usage; 75 lock held or other unit not active; 78 something to install or correct
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

fn run(mut args: impl Iterator<Item = OsString>, notifier: &Notifier) -> Result<ExitCode, Failure> {
    let (mut print, mut clear, mut keep_env, mut no_systemd) = (false, false, false, false);
    let name = loop {
        let Some(arg) = args.next() else {
            return Err(Failure::usage("no service is named: see `run_stack --list` and `run_stack --help`"));
        };
        match arg.to_str() {
            Some("--help") => return exit_after_output(io::stdout().write_all(HELP.as_bytes())),
            Some("--version") => return exit_after_output(version()),
            Some("--list") => return exit_after_output(show::list(&table()?, &mut io::stdout())),
            Some("--busy") => {
                return Ok(ExitCode::from(if show::busy(&table()?, &mut io::stdout())? {
                    0
                } else {
                    FAILED
                }));
            }
            Some("--export") => {
                let file = args
                    .next()
                    .ok_or_else(|| Failure::usage("`--export`: no file is named: see `run_stack --help`"))?;
                let mut environment = Environment::default();
                environment.load(file.as_ref(), false)?;
                return exit_after_output(show::exports(&environment, &mut show::Output::new()));
            }
            Some("--print") => print = true,
            Some("--clear") => clear = true,
            Some("--keep-env") => keep_env = true,
            Some("--no-systemd") => no_systemd = true,
            Some(option) if option.starts_with('-') => {
                return Err(Failure::usage(format!("`{option}`: no such option: see `run_stack --help`")));
            }
            _ => break arg,
        }
    };
    let extra: Vec<OsString> = args.collect();
    let table = table()?;
    let found = table.launchable().find(|(service, _)| *service.name == name);
    let (service, launch) = found.ok_or_else(|| {
        let known: Vec<&str> = table.launchable().map(|(service, _)| service.name.as_str()).collect();
        let (name, known) = (name.to_string_lossy(), known.join(", "));
        Failure::usage(format!("`{name}`: no such service: the known ones are {known}"))
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

/// The product's name and version come from its table; without one there is still a program.
fn version() -> io::Result<()> {
    let product = match Table::of_this_program() {
        Ok(table) => format!(" ({} {})", table.package, table.version),
        Err(_) => String::new(),
    };
    writeln!(io::stdout(), "run_stack {}{product}", env!("CARGO_PKG_VERSION"))
}

/// A reader that has seen enough closes the pipe; that is no failure.
fn exit_after_output(result: io::Result<()>) -> Result<ExitCode, Failure> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(format!("cannot write: {e}"))),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// The launch's status as ours. Killed by a signal, we end by the same one: a shell then shows what it would
/// have shown for the launch, and systemd counts SIGINT after a stop as clean, which the status 130 is not.
fn end_as(ended: Ended, supervisor: &Supervisor) -> ExitCode {
    match ended {
        Ended::Exited(status) => ExitCode::from(status),
        Ended::Killed(signal) => {
            supervisor.end_by(signal);
            // Still here: the signal is one that a runtime ignores, such as SIGPIPE.
            ExitCode::from(128_u8.saturating_add(signal as u8))
        }
    }
}
