//! Runs one systemd job to its real end.

use std::time::{Duration, Instant};

use base::bus::unit_path;
use zbus::zvariant::OwnedObjectPath;

use crate::executor::message::{Call, Event, MANAGER, PATH, Told, Unanswered};
use crate::executor::systemd::{Source, Systemd, Woken};

/// Time without events before checking that the job still exists: a new systemd sends events only to new
/// subscribers.
const SILENCE: Duration = Duration::from_secs(5);

/// How to wait for a job.
pub struct Wait<'a> {
    /// Readable when the caller no longer wants to wait.
    pub interrupt: Option<&'a Source>,
    /// Interval of `tick`; `None` never calls it.
    pub every: Option<Duration>,
    /// Called regularly with the description of the request.
    pub tick: &'a mut dyn FnMut(&str),
}

/// How waiting for a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// systemd reported the result.
    Result {
        /// `done`, `failed`, …
        result: String,
        /// Whether the unit was active or activating in between: a start is also `done` if a condition was
        /// not met.
        ran: bool,
        /// The state of the unit until then. Later, another request may have changed it.
        told: Told,
    },
    /// systemd no longer knows the job; only the unit's state is known.
    Unknown,
    /// The caller stopped waiting.
    Interrupted,
}

/// A request to systemd.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `StartUnit`, `StopUnit` or `RestartUnit`.
    pub method: &'a str,
    /// Unit name.
    pub unit: &'a str,
    /// `fail` keeps conflicting jobs, `replace` cancels them.
    pub mode: &'a str,
    /// Description for people.
    pub shown: &'a str,
}

/// Queues the job and waits for its end.
pub fn run(systemd: &mut Systemd, request: Request<'_>, wait: &mut Wait<'_>) -> Result<End, Unanswered> {
    let path = unit_path(request.unit);
    systemd.follow_units(std::slice::from_ref(&path))?;
    systemd.follow_jobs()?;
    let answer = systemd.call(Call::new(PATH, MANAGER, request.method, &(request.unit, request.mode))?)?;
    let job: OwnedObjectPath = answer.body().deserialize().map_err(|e| Unanswered::Lost(e.to_string()))?;
    let number = job.as_str().rsplit('/').next().and_then(|n| n.parse::<u32>().ok());
    let Some(number) = number else { return Err(Unanswered::Lost(format!("`{job}` is not a job"))) };
    let mut ask = Instant::now() + SILENCE;
    let (mut ran, mut last) = (false, Told::default());
    loop {
        let tick = wait.every.map(|every| Instant::now() + every);
        let others: Vec<&Source> = wait.interrupt.into_iter().collect();
        match systemd.wait(&others, Some(tick.map_or(ask, |tick| tick.min(ask))))? {
            Woken::Event(Event::Job { id, result, .. }) if id == number => {
                return Ok(End::Result { result, ran, told: last });
            }
            Woken::Event(Event::Everything) => systemd.subscribe()?,
            Woken::Event(Event::Unit { path: of, told }) if of == path => {
                ran |= told.active.as_deref().is_some_and(|state| matches!(state, "activating" | "active"));
                last = last.then(told);
            }
            Woken::Event(_) => {}
            Woken::Other => return Ok(End::Interrupted),
            Woken::Late => {
                if wait.every.is_some() {
                    (wait.tick)(request.shown);
                }
                if Instant::now() < ask {
                    continue;
                }
                ask = Instant::now() + SILENCE;
                if let Err(Unanswered::Refused(..)) =
                    systemd.call(Call::new(PATH, MANAGER, "GetJob", &number)?)
                {
                    let told = read_end(systemd, number)?;
                    return Ok(told.map_or(End::Unknown, |result| End::Result { result, ran, told: last }));
                }
            }
        }
    }
}

/// Returns the job's result if it arrived during the check.
fn read_end(systemd: &mut Systemd, number: u32) -> Result<Option<String>, Unanswered> {
    loop {
        match systemd.wait(&[], Some(Instant::now()))? {
            Woken::Event(Event::Job { id, result, .. }) if id == number => return Ok(Some(result)),
            Woken::Event(_) => {}
            Woken::Other | Woken::Late => return Ok(None),
        }
    }
}
