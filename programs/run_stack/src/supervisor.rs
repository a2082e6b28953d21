//! Waits for what this process started, and for everything that came from it, and passes stop signals on.
//!
//! It is a child subreaper: a descendant whose parents are gone becomes our child, so having no child left
//! means that nobody is left. How a stop goes, in the words of the manual:
//! - the first request is SIGINT to every descendant, the second SIGTERM, the third SIGKILL;
//! - by hand, a stop that takes longer than [`PATIENCE`] goes on to the next signal by itself; under systemd
//!   that is `TimeoutStopSec=`, and the same signals then come from there;
//! - once the launch is gone, whoever it left behind gets [`FAREWELL`] to end, and then the same three
//!   signals.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use base::failure::Failure;
use base::processes::{self, Process};
use base::program::Program;
use base::say::say;
use base::signals::{Ignored, Reach, Signals, reach};
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{WaitOptions, wait};

/// How long a launch started by hand may take to stop before it is told in stronger words.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// How long descendants may outlive the launch before they are told to stop.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);
/// How long descendants without a launch have after each signal.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// Signals this close together are one request: some senders signal a process and then its group.
pub(crate) const ONE_REQUEST: Duration = Duration::from_millis(200);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself, with this status.
    Exited(u8),
    /// By this signal.
    Killed(i32),
}

impl Ended {
    /// Whether it exited with 0.
    pub(crate) fn is_success(self) -> bool {
        self == Ended::Exited(0)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Ended::Exited(status) => write!(f, "exited with status {status}"),
            Ended::Killed(number) => match Signal::try_from(number) {
                Ok(signal) => write!(f, "was killed by {signal}"),
                Err(_) => write!(f, "was killed by signal {number}"),
            },
        }
    }
}

/// What the descendants are told next, and when.
#[derive(Debug, Clone, Copy)]
struct Next {
    signal: Signal,
    at: Instant,
}

/// A unit that ends what we run when it ends: its main process, and its name.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Readable once the process is gone.
    pub process: OwnedFd,
    /// The unit.
    pub unit: String,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Supervisor {
    signals: Signals,
    /// The systemd that started this process.
    manager: Option<i32>,
    guard: Option<Guard>,
    /// The child that is being waited for.
    main: Option<i32>,
    requests: u32,
    last_request: Option<Instant>,
    asked: Option<Signal>,
    next: Option<Next>,
}

impl Supervisor {
    /// From here on signals are read and not suffered, and orphans come to us. `manager` is the systemd that
    /// started this process; `None` means a person or their program did.
    pub(crate) fn new(manager: Option<i32>) -> Result<Supervisor, Failure> {
        let failed = |e: std::io::Error| Failure::failed(format!("cannot set up signal handling: {e}"));
        // systemd starts services with the default actions, so that only a person's start needs the look.
        let ignored = if manager.is_none() { Ignored::by_this_process() } else { Ignored::nothing() };
        if ignored.contains(Signal::SIGCHLD) {
            let todo = "start it from a shell, or restore the default action of SIGCHLD";
            return Err(Failure::failed(format!(
                "SIGCHLD is ignored, so the end of processes would go unnoticed: {todo}"
            )));
        }
        let signals = Signals::block(ignored.contains(Signal::SIGHUP)).map_err(failed)?;
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|e| failed(e.into()))?;
        let (requests, last_request, asked) = (0, None, None);
        Ok(Supervisor {
            signals,
            manager,
            guard: None,
            main: None,
            requests,
            last_request,
            asked,
            next: None,
        })
    }

    /// Stops everything when that process ends.
    pub(crate) fn end_with(&mut self, guard: Option<Guard>) {
        self.guard = guard;
    }

    /// Starts a program.
    pub(crate) fn spawn(&mut self, program: &Program<'_>) -> std::io::Result<i32> {
        let pid = program.spawn(&self.signals.for_children(), self.manager.is_some())?;
        self.main = Some(pid);
        // A signal that is already here reached the others before there was this child: it is passed on
        // whoever sent it. That the child sees it twice takes a start within the same microseconds, and then
        // the first one ends it.
        while let Some(arrival) = self.signals.next() {
            self.take(arrival.signal, Reach::OnlyUs);
        }
        Ok(pid)
    }

    /// Waits for that child.
    pub(crate) fn wait_for(&mut self, child: i32) -> Ended {
        let ended = self.wait(Some(child));
        self.main = None;
        ended.unwrap_or(Ended::Exited(base::failure::FAILED))
    }

    /// Waits until no descendant is left, and sees to it that this comes.
    pub(crate) fn wait_for_the_rest(&mut self) {
        self.next = Some(match self.asked {
            None => Next { signal: Signal::SIGINT, at: Instant::now() + FAREWELL },
            Some(_) => Next { signal: Signal::SIGTERM, at: Instant::now() + GRACE },
        });
        self.wait(None);
        self.next = None;
    }

    /// Whether somebody asked us to stop; looks for signals that have come in.
    pub(crate) fn asked_to_stop(&mut self) -> bool {
        self.read_signals();
        self.asked.is_some()
    }

    /// The signal that asked us to stop.
    pub(crate) fn asked(&self) -> Option<Signal> {
        self.asked
    }

    /// How many descendants are left of a launch that has ended.
    pub(crate) fn left(&self) -> usize {
        // Mostly none, and then the kernel says so without a look at every process of the machine.
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        if wait(WaitOptions::NOHANG).is_err() { 0 } else { processes::descendants(processes::this()).len() }
    }

    /// Ends this process by that signal, without a core dump: the launch has made one, if one was wanted.
    /// Returns if the signal is ignored.
    pub(crate) fn end_by(&self, signal: i32) {
        let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
        self.signals.unblock();
        // Twice, because Rust's runtime catches the first SIGSEGV or SIGBUS and only then lets go of it.
        for _ in 0..2 {
            if let Some(signal) = rustix::process::Signal::from_named_raw(signal) {
                let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
            }
        }
    }

    /// Reaps until `child` has ended, or with `None` until there is no child.
    fn wait(&mut self, child: Option<i32>) -> Option<Ended> {
        loop {
            loop {
                match wait(WaitOptions::NOHANG) {
                    Ok(Some((pid, status))) if Some(pid.as_raw_nonzero().get()) == child => {
                        return Some(match status.terminating_signal() {
                            Some(signal) => Ended::Killed(signal),
                            None => Ended::Exited(status.exit_status().unwrap_or(1) as u8),
                        });
                    }
                    Ok(Some(_)) | Err(Errno::INTR) => {}
                    Ok(None) => break,
                    Err(_) => return None,
                }
            }
            self.sleep();
            self.read_signals();
            if self.next.is_some_and(|next| next.at <= Instant::now()) {
                self.escalate();
            }
        }
    }

    /// Until a signal comes, the guard ends, or it is time for the next step.
    fn sleep(&mut self) {
        let timeout = self.next.map(|next| {
            let left = next.at.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() }
        });
        let signals = self.signals.as_fd();
        let guard = self.guard.as_ref().map_or(signals, |g| g.process.as_fd());
        let mut fds = [
            PollFd::from_borrowed_fd(signals, PollFlags::IN),
            PollFd::from_borrowed_fd(guard, PollFlags::IN),
        ];
        let _ = poll(&mut fds, timeout.as_ref());
        let ended = !fds[1].revents().is_empty();
        if ended && let Some(guard) = self.guard.take() {
            // In an orderly stop of both it was asked before: a second SIGINT would be another request.
            if self.asked.is_some() {
                return;
            }
            say(format_args!("warning: `{}` has ended: stopping", guard.unit));
            self.ask(Signal::SIGINT, Signal::SIGINT, |_| true);
            // systemd knows of no stop here, and sets no time limit.
            self.plan(Signal::SIGINT, PATIENCE);
        }
    }

    fn read_signals(&mut self) {
        while let Some(arrival) = self.signals.next() {
            self.take(arrival.signal, reach(arrival, self.manager));
        }
    }

    fn take(&mut self, signal: Signal, reached: Reach) {
        match signal {
            Signal::SIGCHLD => {}
            // Not requests to stop: they are for the launch, if they mean something to it.
            Signal::SIGUSR1 | Signal::SIGUSR2 => {
                if let Some(pid) = self.main.and_then(processes::pid).filter(|_| reached == Reach::OnlyUs) {
                    let _ = rustix::process::kill_process(pid, raw(signal));
                }
            }
            _ => self.request(signal, reached),
        }
    }

    fn request(&mut self, signal: Signal, reached: Reach) {
        let now = Instant::now();
        if reached == Reach::Everyone {
            // Everybody knows, and the manager's time limit is the one that counts.
            self.asked = self.asked.or(Some(signal));
            return;
        }
        if self.last_request.replace(now).is_some_and(|last| now - last < ONE_REQUEST) {
            return;
        }
        self.requests += 1;
        let passed = match (self.requests, signal) {
            // Ctrl-\ asks for a core dump. Everything else that asks to stop means the clean way, and that is
            // SIGINT: launch programs leave orphans behind on SIGTERM.
            (1, Signal::SIGQUIT) => Signal::SIGQUIT,
            (1, _) => Signal::SIGINT,
            (2, _) => Signal::SIGTERM,
            _ => Signal::SIGKILL,
        };
        let group = rustix::process::getpgrp().as_raw_nonzero().get();
        let knows =
            move |p: &Process| reached == Reach::Group && p.group == group && passed != Signal::SIGKILL;
        self.ask(signal, passed, |p| !knows(p));
    }

    /// Sends the signal to those of our descendants, and plans the next.
    fn ask(&mut self, because: Signal, signal: Signal, whom: impl Fn(&Process) -> bool) {
        self.asked = self.asked.or(Some(because));
        send(signal, whom);
        let patience = if self.main.is_some() { PATIENCE } else { GRACE };
        // Under systemd its own time limit follows a stop; ours would be a second opinion.
        if self.manager.is_none() || self.main.is_none() {
            self.plan(signal, patience);
        }
    }

    /// Tells those who are left in stronger words.
    fn escalate(&mut self) {
        let Some(next) = self.next.take() else { return };
        let left = processes::descendants(processes::this()).len();
        say(format_args!("warning: {left} processes have not ended: sending {}", next.signal));
        self.asked = self.asked.or(Some(next.signal));
        send(next.signal, |_| true);
        self.plan(next.signal, GRACE);
    }

    fn plan(&mut self, sent: Signal, patience: Duration) {
        let signal =
            if matches!(sent, Signal::SIGINT | Signal::SIGQUIT) { Signal::SIGTERM } else { Signal::SIGKILL };
        self.next = Some(Next { signal, at: Instant::now() + patience });
    }
}

/// Sends the signal to each descendant once. Processes that start meanwhile are found by looking again until
/// a look finds nobody new, as systemd does with a cgroup. `SIGCONT` follows, as it does there: a stopped
/// process acts on nothing else.
fn send(signal: Signal, whom: impl Fn(&Process) -> bool) {
    let mut told: Vec<(i32, u64)> = Vec::new();
    // Two looks at least: a process whose parent ended during the first is in nobody's family for that
    // moment.
    for look in 0..20 {
        let mut new = false;
        for process in processes::descendants(processes::this()).iter().filter(|p| whom(p)) {
            if told.contains(&(process.pid, process.started)) {
                continue;
            }
            told.push((process.pid, process.started));
            new = true;
            if let Some(pid) = processes::pid(process.pid) {
                let _ = rustix::process::kill_process(pid, raw(signal));
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::CONT);
            }
        }
        if !new && look > 0 {
            break;
        }
    }
}

/// The same signal in the other library's type.
fn raw(signal: Signal) -> rustix::process::Signal {
    rustix::process::Signal::from_named_raw(signal as i32).unwrap_or(rustix::process::Signal::INT)
}
