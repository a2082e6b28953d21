//! One asking that takes time, and so must not hold up everything else: it has a descriptor to wait for.
//!
//! Who asked bounds the time. An attempt that is dropped before it has answered takes its processes along.

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

/// How asking begins.
#[derive(Debug)]
pub(crate) enum Begun {
    /// The answer is there.
    Answered(Answer),
    /// It takes a while.
    Waiting(Attempt),
}

/// A question that has been asked.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// A command that runs.
    Exec(Run),
    /// A request that is on its way.
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

    /// What to wait for.
    pub(crate) fn source(&self) -> (BorrowedFd<'_>, PollFlags) {
        match self {
            Attempt::Exec(run) => (run.ended.as_fd(), PollFlags::IN),
            Attempt::Http(exchange) => exchange.source(),
        }
    }

    /// Goes on after that has come; `None` when there is more to wait for.
    pub(crate) fn go_on(&mut self, request: Option<&Request>) -> Option<Answer> {
        match (self, request) {
            (Attempt::Exec(run), _) => run.answer(),
            (Attempt::Http(exchange), Some(request)) => exchange.go_on(request),
            (Attempt::Http(_), None) => Some(no("the probe did not run")),
        }
    }
}

/// A command that runs, in a process group of its own so that all of it can be ended.
#[derive(Debug)]
pub(crate) struct Run {
    pid: Pid,
    ended: OwnedFd,
    reaped: bool,
}

impl Run {
    fn begin(command: &str) -> io::Result<Run> {
        // Whatever could not be waited for when its time was up has ended by now.
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
        // It is asked again and again, and only its exit status is of interest.
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
