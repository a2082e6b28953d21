//! The common part of `start`, `stop`, `restart` and `switch`: they wait, can be interrupted, and print the
//! result.

use std::io;
use std::os::fd::AsFd;

use base::failure::{Failure, reason};
use base::plain::Plain;
use base::report::{Outcome, SCHEMA};
use base::say::say_after;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::cli::arguments::Arguments;
use crate::cli::screen::{Colour, Screen, Spinner};
use crate::cli::{json, print, table};
use crate::executor::control::{Control, Done};
use crate::executor::job::Wait;
use crate::executor::refusal::Refusal;
use crate::executor::systemd::Source;

/// The action of a verb.
pub type Act = fn(&mut Control<'_>, Option<&str>, &mut Wait<'_>) -> Result<Done, Refusal>;

/// Runs a verb, prints its result and returns the exit status.
pub fn run(arguments: &Arguments, act: Act) -> Result<u8, Failure> {
    let interrupt = interrupts()?;
    let ended = act_on(arguments, act, &interrupt);
    if arguments.has("json") {
        let outcome = outcome(arguments, ended);
        return print(&json(&outcome)?).map(|()| outcome.exit);
    }
    let errors = Screen::errors();
    let note = |line: &String| say_after(&errors.paint("note: ", Colour::Yellow), line);
    match ended {
        Ok(done) => {
            done.notes.iter().for_each(note);
            print(&format!("{}\n", Plain(&done.message))).map(|()| 0)
        }
        Err(Refusal { failure, notes, log, .. }) => {
            for line in &log {
                say_after(&errors.paint(&format!("  | {line}"), Colour::Dim), "");
            }
            notes.iter().for_each(note);
            Err(failure)
        }
    }
}

/// Blocks SIGINT and SIGTERM and returns a descriptor for them, so that an interrupted command can print that
/// the job continues.
pub fn interrupts() -> Result<Source, Failure> {
    let no = |e: io::Error| Failure::failed(format!("signals: {}: try again", reason(&e)));
    let mut signals = SigSet::empty();
    [Signal::SIGINT, Signal::SIGTERM].into_iter().for_each(|s| signals.add(s));
    signals.thread_block().map_err(|e| no(e.into()))?;
    let fd = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(|e| no(e.into()))?;
    fd.as_fd().try_clone_to_owned().and_then(Source::new).map_err(no)
}

fn act_on(arguments: &Arguments, act: Act, interrupt: &Source) -> Result<Done, Refusal> {
    let table = table()?;
    // Check the name before connecting: a typo must not require systemd.
    if let Some(name) = &arguments.word {
        crate::executor::refusal::find_service(&table, name)?;
    }
    let mut spinner = Spinner::new();
    let every = spinner.every().filter(|_| !arguments.has("json"));
    let mut tick = |what: &str| spinner.turn(what);
    let mut wait = Wait { interrupt: Some(interrupt), every, tick: &mut tick };
    act(&mut Control::new(&table)?, arguments.word.as_deref(), &mut wait)
}

fn outcome(arguments: &Arguments, ended: Result<Done, Refusal>) -> Outcome {
    let verb = arguments.verb.to_owned();
    match ended {
        Ok(Done { changed, service, state, pid, message, notes }) => Outcome {
            schema: SCHEMA,
            verb,
            service,
            exit: 0,
            changed,
            state,
            pid,
            message,
            notes,
            log: Vec::new(),
        },
        Err(Refusal { failure, changed, state, notes, log }) => Outcome {
            schema: SCHEMA,
            verb,
            service: arguments.word.clone(),
            exit: failure.status,
            changed,
            state,
            pid: None,
            message: failure.message,
            notes,
            log,
        },
    }
}
