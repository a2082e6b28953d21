//! `notify-helper run … -- CMD…` makes a program that knows nothing of systemd a service that says when it is
//! ready; `notify-helper alert UNIT` tells people that a unit has failed. See notify-helper(1).

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
Tell systemd when a program is ready, and a person when it has failed.

usage: notify-helper run --ready PROBE... [--watchdog PROBE] [OPTIONS] -- COMMAND [ARGS...]
       notify-helper alert [--user] [--config FILE]... [--leave-mail FILE] UNIT
       notify-helper mail [--config FILE]... FILE
       notify-helper --help | --version

PROBE is one of
  tcp:[HOST:]PORT        the service listens on it
  connected:[HOST:]PORT  it is a client of what listens there
  unix:PATH              the service listens on it
  http:URL               a plain http address answers with a status of 200 to 399
  file:PATH              the file exists
  log:REGEX              a line of the command's output matches
  exec:COMMAND           a shell command exits with 0

  --ready PROBE        ready when it passes; of several, when each has passed
  --watchdog PROBE     alive while it passes; the unit's WatchdogSec= says how often it must
  --grace SPAN         extend the unit's start time limit to this
  --interval SPAN      between two probes while the command starts
  --timeout SPAN       how long a probe may take (5s)
  --http-status N[-M]  statuses that pass, for the http probe before it
  --http-body REGEX    what the text must contain, for the http probe before it

Without NOTIFY_SOCKET, run only runs the command. In a unit it needs NotifyAccess=all.

alert tells people that a unit has failed, as OnFailure= would have it:
  --user               a unit of the user's own manager
  --config FILE        who is told, and how; the first that exists counts
  --leave-mail FILE    leave a mail there for `mail`, which sends it
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
            "run, alert and mail are known",
        )),
    }
}

/// `run`: one probe at least, then `--`, then the command.
fn run_command(mut args: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let (options, words) = Options::parse(&mut args)?;
    let command: Vec<OsString> = args.collect();
    if command.is_empty() {
        return Err(usage("`run`", "no command follows `--`"));
    }
    Err(watch::run(&options, &words, &command))
}

/// What the process that becomes the command says to its watcher.
fn task(mut args: impl Iterator<Item = OsString>) -> Result<Task, Failure> {
    let mut number = || args.next()?.to_str()?.parse::<u64>().ok();
    let (Some(pid), Some(usec)) = (number(), number()) else {
        return Err(usage("`watch`", "`run` starts it, and nobody else"));
    };
    let (options, _) = Options::parse(args)?;
    let watchdog = (usec > 0).then(|| Duration::from_micros(usec));
    Ok(Task { options, pid: pid as i32, watchdog })
}

fn check_output(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write: {}: write somewhere else", reason(&e))))
        }
        _ => Ok(()),
    }
}
