//! `notify-helper run … -- CMD…` reports the readiness of a program that does not support systemd;
//! `notify-helper alert UNIT` sends an alert that a unit has failed. See notify-helper(1).

#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod alert;
mod watch;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use base::failure::{Failure, reason};
use base::probe::options::{Options, usage};
use base::say::say;

use crate::watch::handover;
use crate::watch::watcher::{Task, keep, watch};

const HELP: &str = "\
Report a program's readiness to systemd and its failure to people.

usage: notify-helper run --ready PROBE... [--watchdog PROBE] [OPTIONS] -- COMMAND [ARGS...]
       notify-helper alert [--user] [--config FILE]... [--leave-mail FILE] UNIT
       notify-helper mail [--config FILE]... FILE
       notify-helper --help | --version

PROBE is one of
  tcp:[HOST:]PORT        the service listens on the port
  connected:[HOST:]PORT  the service is connected to the port
  unix:PATH              the service listens on the socket
  http:URL               a plain http URL answers with a status of 200 to 399
  file:PATH              the file exists
  log:REGEX              a line of the command's output matches
  exec:COMMAND           a shell command exits with 0

  --ready PROBE        ready once the probe passes; may be repeated
  --watchdog PROBE     alive while the probe passes; the interval comes from the
                       unit's WatchdogSec=
  --grace SPAN         extend the unit's start timeout
  --interval SPAN      time between two probes while the command starts
  --timeout SPAN       time limit for one probe (default: 5s)
  --http-status N[-M]  HTTP statuses that pass, for the preceding http probe
  --http-body REGEX    the body must match, for the preceding http probe

Without NOTIFY_SOCKET, run only runs the command. The unit needs
NotifyAccess=all.

alert sends an alert that a unit has failed; OnFailure= of the unit starts it:
  --user               the unit belongs to the user's own manager
  --config FILE        recipients; the first file that exists is used
  --leave-mail FILE    write mail to a file, which `mail` sends
";

fn main() -> ExitCode {
    match run(std::env::args_os().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(format_args!("error: {}", failure.message));
            ExitCode::from(failure.status)
        }
    }
}

fn run(mut args: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let verb = args.next();
    match verb.as_ref().and_then(|v| v.to_str()) {
        Some("--help") => check_output(io::stdout().write_all(HELP.as_bytes())),
        Some("--version") => {
            check_output(writeln!(io::stdout(), "notify-helper {}", env!("CARGO_PKG_VERSION")))
        }
        Some("run") => run_command(args),
        Some("alert") => alert::run(&alert::options::Options::parse(args)?),
        Some("mail") => {
            alert::options::mail(args).and_then(|(config, file)| alert::delivery::send_left(&config, &file))
        }
        Some(handover::DETACH) => handover::detach(args),
        Some(handover::WATCH) => watch(&task(args)?),
        Some(handover::KEEP) => keep(),
        _ => Err(usage(
            &format!("`{}`", verb.unwrap_or_default().to_string_lossy()),
            "expected run, alert or mail",
        )),
    }
}

/// Parses `run`: at least one probe, then `--`, then the command.
fn run_command(mut args: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let (options, words) = Options::parse(&mut args)?;
    let command: Vec<OsString> = args.collect();
    if command.is_empty() {
        return Err(usage("`run`", "command is missing after `--`"));
    }
    Err(watch::run(&options, &words, &command))
}

/// Parses the arguments that the command's process passes to its watcher.
fn task(mut args: impl Iterator<Item = OsString>) -> Result<Task, Failure> {
    let mut number = || args.next()?.to_str()?.parse::<u64>().ok();
    let (Some(pid), Some(usec)) = (number(), number()) else {
        return Err(usage("`watch`", "only `run` may start it"));
    };
    let (options, _) = Options::parse(args)?;
    let watchdog = (usec > 0).then(|| Duration::from_micros(usec));
    Ok(Task { options, pid: pid as i32, watchdog })
}

fn check_output(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write output: {}: write it elsewhere", reason(&e))))
        }
        _ => Ok(()),
    }
}
