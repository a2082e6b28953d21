//! The watcher: probes until the command is ready, notifies systemd, and then runs the watchdog probe.
//!
//! A single loop waits for all events, so that nothing delays anything else: a hanging probe blocks neither
//! the command's output nor the notice of its end. Signals are blocked, because a stop of the unit signals
//! all its processes, but remaining output must still be copied. The watcher ends when the command has ended
//! and its output is copied, or once the command is ready if there is nothing more to watch.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use base::failure::{Failure, reason};
use base::notify::{Notifier, Unconfirmed};
use base::probe::Probe;
use base::probe::options::Options;
use base::probe::request::Request;
use base::say::say;
use base::signals::Signals;
use base::span::describe;
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::answer::Answer;
use super::ask::ask;
use super::attempt::{Attempt, Begun};
use super::copy::Stream;
use super::handover::{self, Handed};
use super::listener::Service;

/// Time limit for reading output after the command has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Bounds of the pause between two probes during the start. The pause is a fraction of the elapsed time, so
/// that a quick start is noticed at once and a slow one costs little.
const PAUSE: (Duration, Duration) = (Duration::from_millis(3), Duration::from_secs(1));
/// The same for commands, which cost more.
const PAUSE_OF_COMMANDS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How far ahead the start timeout is extended within the grace period; longer than the time between two
/// notifications.
const AHEAD: Duration = Duration::from_secs(30);

/// The task of the watcher.
#[derive(Debug)]
pub(crate) struct Task {
    pub options: Options,
    /// ID of the command's process.
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
        ended_at: None,
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

/// Copies the output after the watcher has died, until all writers have closed it.
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
    /// `None` once the process has ended.
    process: Option<OwnedFd>,
    ended_at: Option<Instant>,
    streams: Vec<Stream>,
    began: Instant,
    passed: Vec<bool>,
    is_ready: bool,
    /// Why the last probe failed.
    why_not: Option<String>,
    /// The running probe and its deadline.
    attempt: Option<(Attempt, Instant)>,
    ask_at: Instant,
    tell_at: Instant,
    /// Whether the reason of a failed start was reported.
    said: bool,
    /// The last watchdog notification; the next one, or the end, waits for its confirmation.
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

    /// Returns the watchdog probe, if the unit has a watchdog.
    fn health(&self) -> Option<&Probe> {
        self.task.options.watchdog.as_ref().filter(|_| self.task.watchdog.is_some())
    }

    /// Returns the current probe.
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

    /// Starts a probe if it is time.
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

    /// Returns the time limit of a probe, which must fit into the watchdog interval.
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
                    // Lines arrive without probing.
                    Some(Probe::Log(_)) => PAUSE.1,
                    _ => (passed / 250).clamp(PAUSE.0, PAUSE.1),
                };
                self.ask_at = now + self.task.options.interval.unwrap_or(pause);
            }
        }
    }

    fn become_ready(&mut self) {
        self.is_ready = true;
        self.notifier.ready(&format!("ready after {}", describe(self.began.elapsed())));
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
                // This wakes up once per notification: the next one waits for the confirmation of the last.
                self.unconfirmed = self.notifier.begin(&format!("WATCHDOG=1{well}"));
                self.ask_at = Instant::now() + watchdog / 2;
            }
            Answer::No(why) => {
                // Leave time for delays before the deadline.
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

    /// Reports progress, and extends the start timeout within the grace period.
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

    /// Reports once why the service is not ready; systemd reports only a timeout or an exit.
    fn explain(&mut self, what: &str) {
        if !self.is_ready && !self.said {
            self.said = true;
            say(format_args!("error: {what} before it was ready: {}", self.waiting()));
        }
    }

    /// Waits for the next event and handles it.
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
        // In this order: output of the command counts even if it has ended since.
        self.copy(&written);
        // When the main process has ended, systemd stops the rest of the unit.
        if ended && !self.has_last_words(&written) {
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

    /// Returns whether the command, which has ended, has left output that may still make it ready. A child that
    /// inherited the output may never stop writing, so this ends after a while.
    fn has_last_words(&mut self, written: &[bool]) -> bool {
        let ended_at = *self.ended_at.get_or_insert_with(Instant::now);
        !self.is_ready && written.contains(&true) && ended_at.elapsed() < LAST_WORDS
    }

    fn go_on(&mut self, answered: bool) {
        let Some((mut attempt, until)) = self.attempt.take() else { return };
        let answer = if answered { attempt.go_on(self.request()) } else { None };
        match answer {
            Some(answer) => self.take(answer),
            None if until <= Instant::now() => {
                drop(attempt);
                self.take(Answer::No(format!("no answer within {}", describe(self.bound()))));
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
