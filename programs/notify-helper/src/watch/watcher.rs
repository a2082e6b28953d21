//! The watcher: asks until the command is ready, says so, and goes on asking whether it is well.
//!
//! Everything happens in one loop around one wait, so that nothing delays anything else: an asking that hangs
//! neither holds up the command's output nor the notice of its end. Signals are blocked, because a stop of the
//! unit reaches every process of it, and the output that the command still has must pass. The watcher ends when
//! the command has ended and its output is through, or when it is ready and there is nothing more to watch.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use base::failure::{Failure, reason};
use base::notify::{Notifier, Unconfirmed};
use base::probe::Probe;
use base::probe::options::Options;
use base::probe::request::Request;
use base::say::say;
use base::signals::Signals;
use base::span::shown;
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::answer::Answer;
use super::ask::ask;
use super::attempt::{Attempt, Begun};
use super::copy::Stream;
use super::handover::{self, Handed};
use super::listener::Service;

/// Between two askings while the command starts: a part of the time that has passed, within these bounds,
/// so that a quick start is noticed at once and a slow one costs nothing.
const PAUSE: (Duration, Duration) = (Duration::from_millis(3), Duration::from_secs(1));
/// The same for commands, which cost more: a twentieth.
const PAUSE_OF_COMMANDS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How far ahead of now the manager's limit is kept within the grace; longer than between two notices.
const AHEAD: Duration = Duration::from_secs(30);

/// What the watcher is told about the command.
#[derive(Debug)]
pub(crate) struct Task {
    /// How it is watched.
    pub options: Options,
    /// Its number.
    pub pid: i32,
    /// `WatchdogSec=`.
    pub watchdog: Option<Duration>,
}

/// Watches until there is nothing more to watch.
pub(crate) fn watch(task: &Task) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::failed(format!("cannot start the watcher: {}", reason(&e)));
    handover::begin();
    let signals = Signals::block(false).map_err(failed)?;
    let Handed { process, streams } = handover::take().map_err(failed)?;
    if !streams.is_empty()
        && let Err(e) = handover::start_keeper(&streams)
    {
        say(format_args!("warning: output is lost if the watcher dies: {}", reason(&e)));
    }
    let now = Instant::now();
    Watcher {
        task,
        service: Service::new(task.pid),
        notifier: Notifier::from_environment(),
        signals,
        process: Some(process),
        streams,
        began: now,
        passed: vec![false; task.options.ready.len()],
        is_ready: false,
        why_not: None,
        attempt: None,
        ask_at: now,
        tell_at: now,
        said: false,
        unconfirmed: None,
    }
    .run();
    Ok(())
}

/// Copies the output from when the watcher has died until nobody writes any more.
pub(crate) fn keep() -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::failed(format!("cannot start the keeper: {}", reason(&e)));
    handover::begin();
    let _signals = Signals::block(false).map_err(failed)?;
    let Handed { process, mut streams } = handover::take().map_err(failed)?;
    while poll(&mut [PollFd::new(&process, PollFlags::IN)], None).is_err() {}
    while streams.iter().any(|stream| !stream.has_ended()) {
        let mut fds: Vec<PollFd<'_>> =
            streams.iter().filter(|s| !s.has_ended()).map(|s| source(s.source())).collect();
        let _ = poll(&mut fds, None);
        streams.iter_mut().filter(|s| !s.has_ended()).for_each(|s| s.go_on(None));
    }
    Ok(())
}

#[derive(Debug)]
struct Watcher<'t> {
    task: &'t Task,
    service: Service,
    notifier: Notifier,
    signals: Signals,
    /// `None` once it has ended.
    process: Option<OwnedFd>,
    streams: Vec<Stream>,
    began: Instant,
    passed: Vec<bool>,
    is_ready: bool,
    /// What the last asking lacked.
    why_not: Option<String>,
    /// What is being asked, and until when.
    attempt: Option<(Attempt, Instant)>,
    ask_at: Instant,
    tell_at: Instant,
    /// Why the start has failed has been said.
    said: bool,
    /// The last sign of life; dropped, and waited for, when the next one is sent or at the end.
    unconfirmed: Option<Unconfirmed>,
}

impl Watcher<'_> {
    fn run(mut self) {
        loop {
            if self.process.is_some() {
                self.ask();
                self.tell();
            }
            let watching = self.process.is_some() && (!self.is_ready || self.health().is_some());
            if !watching && self.streams.is_empty() {
                return;
            }
            self.wait(watching);
        }
    }

    /// The health probe, if the unit wants one.
    fn health(&self) -> Option<&Probe> {
        self.task.options.watchdog.as_ref().filter(|_| self.task.watchdog.is_some())
    }

    /// What is asked at present.
    fn probe(&self) -> Option<&Probe> {
        if self.is_ready { self.health() } else { self.current().map(|at| &self.task.options.ready[at]) }
    }

    fn current(&self) -> Option<usize> {
        self.passed.iter().position(|passed| !passed)
    }

    fn request(&self) -> Option<&Request> {
        match self.probe() {
            Some(Probe::Http(request)) => Some(request),
            _ => None,
        }
    }

    /// Begins to ask, if it is time to.
    fn ask(&mut self) {
        while self.attempt.is_none() && self.ask_at <= Instant::now() {
            let Some(probe) = self.probe() else { return };
            match ask(probe, &self.service) {
                Begun::Answered(answer) => self.take(answer),
                Begun::Waiting(attempt) => self.attempt = Some((attempt, Instant::now() + self.bound())),
            }
            if self.is_ready {
                return;
            }
        }
    }

    /// How long one asking may take: within the watchdog's interval there must be room for it.
    fn bound(&self) -> Duration {
        let bound = self.task.options.timeout;
        if self.is_ready { self.task.watchdog.map_or(bound, |w| bound.min(w / 4)) } else { bound }
    }

    fn take(&mut self, answer: Answer) {
        let now = Instant::now();
        if self.is_ready {
            return self.take_health(answer);
        }
        match answer {
            Answer::Yes => {
                self.why_not = None;
                if let Some(at) = self.current() {
                    self.passed[at] = true;
                }
                self.ask_at = now;
                if self.current().is_none() {
                    self.become_ready();
                }
            }
            Answer::No(why) => {
                self.why_not = Some(why);
                let passed = now - self.began;
                let pause = match self.probe() {
                    Some(Probe::Exec(_)) => (passed / 20).clamp(PAUSE_OF_COMMANDS.0, PAUSE_OF_COMMANDS.1),
                    // Lines come by themselves.
                    Some(Probe::Log(_)) => PAUSE.1,
                    _ => (passed / 250).clamp(PAUSE.0, PAUSE.1),
                };
                self.ask_at = now + self.task.options.interval.unwrap_or(pause);
            }
        }
    }

    fn become_ready(&mut self) {
        self.is_ready = true;
        self.notifier.ready(&format!("ready after {}", shown(self.began.elapsed())));
        if let Some(watchdog) = self.task.watchdog {
            self.ask_at = Instant::now() + watchdog / 2;
        }
    }

    fn take_health(&mut self, answer: Answer) {
        let (Some(probe), Some(watchdog)) = (self.health(), self.task.watchdog) else { return };
        let name = probe.name();
        match answer {
            Answer::Yes => {
                let well = if self.why_not.take().is_some() { "\nSTATUS=answers again" } else { "" };
                // Awake once for it: this process is there until the next one, which is when the last is confirmed.
                self.unconfirmed = self.notifier.begin(&format!("WATCHDOG=1{well}"));
                self.ask_at = Instant::now() + watchdog / 2;
            }
            Answer::No(why) => {
                // Whatever came in between may pass before the time is up.
                self.ask_at = Instant::now() + watchdog / 8;
                if self.why_not.as_ref() != Some(&why) {
                    let line = format!("unhealthy: {name}: {why}");
                    self.notifier.status(&line);
                    say(format_args!("warning: {line}"));
                    self.why_not = Some(why);
                }
            }
        }
    }

    /// Says how far the start is, and asks for more time within the grace.
    fn tell(&mut self) {
        let now = Instant::now();
        if self.is_ready || now < self.tell_at {
            return;
        }
        let passed = now - self.began;
        let mut message = format!("STATUS={}", self.waiting());
        if let Some(left) = self.task.options.grace.and_then(|grace| grace.checked_sub(passed)) {
            message += &format!("\nEXTEND_TIMEOUT_USEC={}", left.min(AHEAD).as_micros().max(1));
        }
        self.notifier.send(&message);
        let step = if passed < Duration::from_secs(60) { 1 } else { 10 };
        self.tell_at = now + Duration::from_secs(step);
    }

    fn waiting(&self) -> String {
        let name = self.probe().map(Probe::name).unwrap_or_default();
        let seconds = self.began.elapsed().as_secs();
        match &self.why_not {
            Some(why) if !matches!(self.probe(), Some(Probe::Log(_))) => {
                format!("waiting for {name}, {seconds} s: {why}")
            }
            _ => format!("waiting for {name}, {seconds} s"),
        }
    }

    /// Says once why there is no service; the manager says only that it took too long, or that it ended.
    fn explain(&mut self, what: &str) {
        if !self.is_ready && !self.said {
            self.said = true;
            say(format_args!("error: {what} before it was ready: {}", self.waiting()));
        }
    }

    /// Waits for whatever comes first, and deals with it.
    fn wait(&mut self, watching: bool) {
        let mut until = None;
        if watching {
            until = Some(self.attempt.as_ref().map_or(self.ask_at, |(_, until)| *until));
            if !self.is_ready {
                until = until.map(|at| at.min(self.tell_at));
            }
        }
        let timeout = until.map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() }
        });
        let mut fds = vec![PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN)];
        fds.extend(self.process.as_ref().map(|p| PollFd::new(p, PollFlags::IN)));
        fds.extend(self.attempt.as_ref().map(|(attempt, _)| source(attempt.source())));
        fds.extend(self.streams.iter().map(|s| source(s.source())));
        let _ = poll(&mut fds, timeout.as_ref());
        let mut came = fds.iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<_>>().into_iter();
        let mut next = || came.next().unwrap_or_default();
        let signalled = next();
        let ended = self.process.is_some() && next();
        let answered = self.attempt.is_some() && next();
        let written: Vec<bool> = self.streams.iter().map(|_| next()).collect();
        // In this order: what the command has said counts, even if it has ended since.
        self.copy(&written);
        // The rest of a unit whose main process has ended is told to stop.
        if ended {
            self.process = None;
            self.attempt = None;
            self.explain("the command ended");
        }
        if signalled {
            self.read_signals();
        }
        if self.attempt.is_some() {
            self.go_on(answered);
        }
    }

    fn go_on(&mut self, answered: bool) {
        let Some((mut attempt, until)) = self.attempt.take() else { return };
        let answer = if answered { attempt.go_on(self.request()) } else { None };
        match answer {
            Some(answer) => self.take(answer),
            None if until <= Instant::now() => {
                drop(attempt);
                self.take(Answer::No(format!("no answer within {}", shown(self.bound()))));
            }
            None => self.attempt = Some((attempt, until)),
        }
    }

    fn copy(&mut self, written: &[bool]) {
        let looking = !self.is_ready && self.process.is_some();
        let ready = &self.task.options.ready;
        let passed = &mut self.passed;
        let mut found = false;
        for (stream, _) in self.streams.iter_mut().zip(written).filter(|(_, written)| **written) {
            let mut look = |line: &str| {
                for (probe, passed) in ready.iter().zip(passed.iter_mut()).filter(|(_, passed)| !**passed) {
                    if matches!(probe, Probe::Log(wanted) if wanted.is_like(line)) {
                        *passed = true;
                        found = true;
                    }
                }
            };
            stream.go_on(looking.then_some(&mut look as &mut dyn FnMut(&str)));
        }
        self.streams.retain(|stream| !stream.has_ended());
        if found {
            self.why_not = None;
            self.ask_at = Instant::now();
            if self.current().is_none() {
                self.become_ready();
            }
        }
    }

    fn read_signals(&mut self) {
        while let Some(arrival) = self.signals.next() {
            if !matches!(arrival.signal, Signal::SIGCHLD | Signal::SIGUSR1 | Signal::SIGUSR2) {
                self.explain("the command was stopped");
            }
        }
    }
}

fn source((fd, flags): (BorrowedFd<'_>, PollFlags)) -> PollFd<'_> {
    PollFd::from_borrowed_fd(fd, flags)
}
