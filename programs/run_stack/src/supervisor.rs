//! Waits for the launch and all its descendants, and forwards stop signals.
//!
//! This process is a child subreaper: a descendant whose parents have ended becomes its child. If there is no
//! child left, no descendant is left. A stop works as described in run_stack(1):
//! - The first request sends SIGINT to every descendant, the second SIGTERM, the third SIGKILL.
//! - By hand, a stop that takes longer than [`PATIENCE`] goes on to the next signal. Under systemd,
//!   `TimeoutStopSec=` applies instead, and systemd sends the signals.
//! - A launch that is just starting its nodes may start one more before it handles the signal. For
//!   [`LATECOMERS`], processes that the launch itself starts get the signal too. Otherwise a launch program
//!   would wait for such a node for seconds, and the node could move the robot in the meantime.
//! - When the launch has ended, remaining descendants have [`FAREWELL`] to end, and then get the same three
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

/// Time after which a launch by hand that is stopping gets the next signal.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// Time that descendants may outlive the launch before they get a signal.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);
/// Time between the signals to descendants without a launch.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// Time in which a stopping launch may still start processes that do not know about the stop.
pub(crate) const LATECOMERS: Duration = Duration::from_secs(1);
/// Time until the first look for such processes; the time doubles with each look.
const FIRST_LOOK: Duration = Duration::from_millis(25);
/// Signals within this time count as one request: some senders signal a process and then its group.
pub(crate) const ONE_REQUEST: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Exited(u8),
    Killed(i32),
}

impl Ended {
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

/// The next signal to the descendants, and its time.
#[derive(Debug, Clone, Copy)]
struct Next {
    signal: Signal,
    at: Instant,
}

/// The search for processes that a stopping launch still starts.
#[derive(Debug)]
struct Latecomers {
    signal: Signal,
    /// The children of the launch that need no signal.
    told: Vec<(i32, u64)>,
    /// The next look, and the time from it to the one after.
    at: Instant,
    pause: Duration,
    until: Instant,
}

/// A unit whose main process ends the launch when it ends.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Readable once the process has ended.
    pub process: OwnedFd,
    pub unit: String,
}

#[derive(Debug)]
pub(crate) struct Supervisor {
    signals: Signals,
    /// The systemd that started this process.
    manager: Option<i32>,
    guard: Option<Guard>,
    /// The child that `wait_for` waits for.
    main: Option<i32>,
    requests: u32,
    last_request: Option<Instant>,
    asked: Option<Signal>,
    next: Option<Next>,
    latecomers: Option<Latecomers>,
}

impl Supervisor {
    /// Blocks signals, which are read from a signalfd from now on, and becomes a subreaper. `manager` is the
    /// systemd that started this process, if it was systemd.
    pub(crate) fn new(manager: Option<i32>) -> Result<Supervisor, Failure> {
        let failed = |e: std::io::Error| Failure::failed(format!("cannot set up signal handling: {e}"));
        // systemd starts services with default signal actions, so check only after a start by hand.
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
            latecomers: None,
        })
    }

    /// Stops the launch when that process ends.
    pub(crate) fn end_with(&mut self, guard: Option<Guard>) {
        self.guard = guard;
    }

    pub(crate) fn spawn(&mut self, program: &Program<'_>) -> std::io::Result<i32> {
        let pid = program.spawn(&self.signals.for_children(), self.manager.is_some())?;
        self.main = Some(pid);
        // These signals arrived before this child existed, so forward them, whoever sent them. The child gets
        // one twice only if it arrives within microseconds of the start, and then the first one ends it.
        while let Some(arrival) = self.signals.next() {
            self.take(arrival.signal, Reach::OnlyUs);
        }
        Ok(pid)
    }

    pub(crate) fn wait_for(&mut self, child: i32) -> Ended {
        let ended = self.wait(Some(child));
        self.main = None;
        ended.unwrap_or(Ended::Exited(base::failure::FAILED))
    }

    /// Waits until no descendant is left, and sends signals to those that stay.
    pub(crate) fn wait_for_the_rest(&mut self) {
        self.next = Some(match self.asked {
            None => Next { signal: Signal::SIGINT, at: Instant::now() + FAREWELL },
            Some(_) => Next { signal: Signal::SIGTERM, at: Instant::now() + GRACE },
        });
        self.wait(None);
        self.next = None;
    }

    /// Reads pending signals and returns whether a stop was requested.
    pub(crate) fn asked_to_stop(&mut self) -> bool {
        self.read_signals();
        self.asked.is_some()
    }

    /// The signal that requested the stop.
    pub(crate) fn asked(&self) -> Option<Signal> {
        self.asked
    }

    /// Returns how many descendants of an ended launch are left.
    pub(crate) fn left(&self) -> usize {
        // Usually none, and then the kernel says so without reading all of /proc.
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        if wait(WaitOptions::NOHANG).is_err() { 0 } else { processes::descendants(processes::this()).len() }
    }

    /// Kills this process with that signal, without a core dump, because the launch has dumped its own.
    /// Returns if the signal is ignored.
    pub(crate) fn end_by(&self, signal: i32) {
        let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
        self.signals.unblock();
        // Twice, because Rust's runtime catches the first SIGSEGV or SIGBUS.
        for _ in 0..2 {
            if let Some(signal) = rustix::process::Signal::from_named_raw(signal) {
                let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
            }
        }
    }

    /// Reaps children until `child` has ended, or with `None` until there is no child.
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
            self.tell_latecomers();
            if self.next.is_some_and(|next| next.at <= Instant::now()) {
                self.escalate();
            }
        }
    }

    /// Sleeps until a signal arrives, the guard ends, or the next signal is due.
    fn sleep(&mut self) {
        let due = [self.next.map(|n| n.at), self.latecomers.as_ref().map(|l| l.at)];
        let timeout = due.into_iter().flatten().min().map(|at| {
            let left = at.saturating_duration_since(Instant::now());
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
            // In an orderly stop of both units, a stop was already requested: a second SIGINT would count as
            // another request.
            if self.asked.is_some() {
                return;
            }
            say(format_args!("warning: `{}` has ended: stopping", guard.unit));
            self.ask(Signal::SIGINT, Signal::SIGINT, |_| true);
            // systemd does not know about this stop and sets no time limit.
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
            // Not a request to stop: forward it to the launch.
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
            // Every process got the signal from systemd, whose time limit applies.
            self.asked = self.asked.or(Some(signal));
            self.watch_for_latecomers(signal);
            return;
        }
        if self.last_request.replace(now).is_some_and(|last| now - last < ONE_REQUEST) {
            return;
        }
        self.requests += 1;
        let passed = match (self.requests, signal) {
            // Ctrl-\ requests a core dump. All other requests get SIGINT, because launch programs orphan
            // their nodes on SIGTERM.
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

    /// Sends the signal to those descendants and schedules the next one.
    fn ask(&mut self, because: Signal, signal: Signal, whom: impl Fn(&Process) -> bool) {
        self.asked = self.asked.or(Some(because));
        send(signal, whom);
        self.watch_for_latecomers(signal);
        let patience = if self.main.is_some() { PATIENCE } else { GRACE };
        // Under systemd, its own time limit follows a stop.
        if self.manager.is_none() || self.main.is_none() {
            self.plan(signal, patience);
        }
    }

    /// Begins to look for processes that the launch starts from now on.
    fn watch_for_latecomers(&mut self, signal: Signal) {
        let now = Instant::now();
        let told = self.children_of_the_launch().map(|p| (p.pid, p.started)).collect();
        let (at, until) = (now + FIRST_LOOK, now + LATECOMERS);
        self.latecomers = Some(Latecomers { signal, told, at, pause: FIRST_LOOK * 2, until });
    }

    fn tell_latecomers(&mut self) {
        let now = Instant::now();
        let Some(mut latecomers) = self.latecomers.take_if(|l| l.at <= now) else { return };
        for process in self.children_of_the_launch() {
            if !latecomers.told.contains(&(process.pid, process.started)) {
                latecomers.told.push((process.pid, process.started));
                kill(process.pid, latecomers.signal);
            }
        }
        if self.main.is_some() && latecomers.at < latecomers.until {
            latecomers.at = now + latecomers.pause;
            latecomers.pause *= 2;
            self.latecomers = Some(latecomers);
        }
    }

    fn children_of_the_launch(&self) -> impl Iterator<Item = Process> + use<> {
        let all = self.main.map_or(Vec::new(), processes::children);
        all.into_iter().filter(|p| !p.zombie)
    }

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

/// Sends the signal once to each descendant. Repeats until no new process appears, as systemd does with a
/// cgroup, because processes may start meanwhile.
fn send(signal: Signal, whom: impl Fn(&Process) -> bool) {
    let mut told: Vec<(i32, u64)> = Vec::new();
    // At least two rounds: a process whose parent ended during the first round was not yet our descendant.
    for look in 0..20 {
        let mut new = false;
        for process in processes::descendants(processes::this()).iter().filter(|p| whom(p)) {
            if told.contains(&(process.pid, process.started)) {
                continue;
            }
            told.push((process.pid, process.started));
            new = true;
            kill(process.pid, signal);
        }
        if !new && look > 0 {
            break;
        }
    }
}

/// Also sends `SIGCONT`, as systemd does: a stopped process does not handle other signals.
fn kill(pid: i32, signal: Signal) {
    if let Some(pid) = processes::pid(pid) {
        let _ = rustix::process::kill_process(pid, raw(signal));
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::CONT);
    }
}

fn raw(signal: Signal) -> rustix::process::Signal {
    rustix::process::Signal::from_named_raw(signal as i32).unwrap_or(rustix::process::Signal::INT)
}
