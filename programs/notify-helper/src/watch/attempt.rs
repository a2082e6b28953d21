//! A probe that takes time: it has a file descriptor to poll, so that it does not block the watcher.
//!
//! The caller limits the time. Dropping an attempt kills its processes.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use base::failure::reason;
use base::probe::request::Request;
use base::processes;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use rustix::event::PollFlags;
use rustix::process::{Pid, PidfdFlags, WaitOptions};

use super::answer::{Answer, no};
use super::http::Exchange;
use super::inherited::passed_on;
use super::listener::Service;

/// The start of a probe.
#[derive(Debug)]
pub(crate) enum Begun {
    /// The result is available.
    Answered(Answer),
    /// The probe is still running.
    Waiting(Attempt),
}

/// A running probe.
#[derive(Debug)]
pub(crate) enum Attempt {
    Exec(Run),
    Http(Exchange),
}

impl Attempt {
    /// Sends a request.
    pub(crate) fn http(request: &Request, service: &Service) -> Begun {
        match Exchange::begin(request, service) {
            Ok(exchange) => Begun::Waiting(Attempt::Http(exchange)),
            Err(why) => Begun::Answered(no(why)),
        }
    }

    /// Starts a command.
    pub(crate) fn exec(command: &str) -> Begun {
        match Run::begin(command) {
            Ok(run) => Begun::Waiting(Attempt::Exec(run)),
            Err(e) => Begun::Answered(no(format!("cannot start: {}", reason(&e)))),
        }
    }

    /// Returns the descriptor and events to poll.
    pub(crate) fn source(&self) -> (BorrowedFd<'_>, PollFlags) {
        match self {
            Attempt::Exec(run) => (run.ended.as_fd(), PollFlags::IN),
            Attempt::Http(exchange) => exchange.source(),
        }
    }

    /// Continues after an event; returns `None` if the probe is still running.
    pub(crate) fn go_on(&mut self, request: Option<&Request>) -> Option<Answer> {
        match (self, request) {
            (Attempt::Exec(run), _) => run.answer(),
            (Attempt::Http(exchange), Some(request)) => exchange.go_on(request),
            (Attempt::Http(_), None) => Some(no("the probe did not run")),
        }
    }
}

/// A running command in its own process group, so that all of it can be killed.
#[derive(Debug)]
pub(crate) struct Run {
    pid: Pid,
    ended: OwnedFd,
    reaped: bool,
}

impl Run {
    fn begin(command: &str) -> io::Result<Run> {
        // Processes that were killed earlier have ended by now.
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        let words = ["sh", "-c", command];
        let argv = words.map(CString::new).into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_sigmask(&SigSet::empty())?;
        let mut defaults = SigSet::empty();
        defaults.add(Signal::SIGPIPE);
        attributes.set_sigdefault(&defaults)?;
        attributes.set_pgroup(nix::unistd::Pid::from_raw(0))?;
        attributes.set_flags(
            PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF
                | PosixSpawnFlags::POSIX_SPAWN_SETPGROUP,
        )?;
        // Only the exit status matters, and the command runs often.
        let nothing = File::options().read(true).write(true).open("/dev/null")?;
        let mut actions = PosixSpawnFileActions::init()?;
        for fd in 0..3 {
            actions.add_dup2(nothing.as_raw_fd(), fd)?;
        }
        let pid = posix_spawn("/bin/sh", &actions, &attributes, &argv, &passed_on())?;
        let pid = processes::pid(pid.as_raw()).ok_or(io::ErrorKind::NotFound)?;
        let ended = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Run { pid, ended, reaped: false })
    }

    fn answer(&mut self) -> Option<Answer> {
        let (_, status) = rustix::process::waitpid(Some(self.pid), WaitOptions::NOHANG).ok()??;
        self.reaped = true;
        Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(0), _) => Answer::Yes,
            (Some(status), _) => no(format!("exit status {status}")),
            (None, signal) => no(format!("killed by signal {}", signal.unwrap_or_default())),
        })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = rustix::process::kill_process_group(self.pid, rustix::process::Signal::KILL);
            let _ = rustix::process::waitpid(Some(self.pid), WaitOptions::NOHANG);
        }
    }
}
