//! One job of systemd's, from the request to its real end.

use std::time::{Duration, Instant};

use zbus::zvariant::OwnedObjectPath;

use crate::executor::message::{Call, Event, MANAGER, PATH, Told, Unanswered, path_of};
use crate::executor::systemd::{Source, Systemd, Woken};

/// How long nothing is heard of a job before systemd is asked whether it is still there: it may have been replaced by a
/// new systemd, which tells only who subscribes again.
const SILENCE: Duration = Duration::from_secs(5);

/// How somebody waits: what they show meanwhile, and what they listen to.
pub struct Wait<'a> {
    /// Something is to be read here when they do not want to wait any longer.
    pub interrupt: Option<&'a Source>,
    /// How often `tick` is called; never, for who shows nothing.
    pub every: Option<Duration>,
    /// Called meanwhile, with what is being done.
    pub tick: &'a mut dyn FnMut(&str),
}

/// How a wait for a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// systemd says how.
    Result {
        /// `done`, `failed`, …
        result: String,
        /// Whether the unit was active or about to be meanwhile: a start is `done` too when a condition was not met.
        ran: bool,
        /// What was told of the unit until then. Afterwards somebody else's next request may have changed it.
        told: Told,
    },
    /// systemd has forgotten the job: the unit's state is all that is known.
    Unknown,
    /// Not yet; they wait no longer.
    Interrupted,
}

/// What is asked of systemd.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `StartUnit`, `StopUnit` or `RestartUnit`.
    pub method: &'a str,
    /// The unit.
    pub unit: &'a str,
    /// `fail`: somebody else's job is not thrown out; `replace`: it is.
    pub mode: &'a str,
    /// What is being done, for people.
    pub shown: &'a str,
}

/// Queues the job and waits for its end.
pub fn run(systemd: &mut Systemd, request: Request<'_>, wait: &mut Wait<'_>) -> Result<End, Unanswered> {
    let path = path_of(request.unit);
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
                    let told = told(systemd, number)?;
                    return Ok(told.map_or(End::Unknown, |result| End::Result { result, ran, told: last }));
                }
            }
        }
    }
}

/// Its end, if it came while systemd was asked about it.
fn told(systemd: &mut Systemd, number: u32) -> Result<Option<String>, Unanswered> {
    loop {
        match systemd.wait(&[], Some(Instant::now()))? {
            Woken::Event(Event::Job { id, result, .. }) if id == number => return Ok(Some(result)),
            Woken::Event(_) => {}
            Woken::Other | Woken::Late => return Ok(None),
        }
    }
}
