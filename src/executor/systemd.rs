//! The connection to systemd's manager on the system bus: calls, several at once, and events, together with whatever
//! else the caller waits for.
//!
//! A thread takes every message as it comes and rings a bell that can be polled; everything else happens on the
//! caller's thread, in the order of the messages. Nothing is ever asked again and again.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use zbus::Message;
use zbus::blocking::{Connection, MessageIterator, connection};
use zbus::message::Type;
use zbus::zvariant::DynamicType;

use crate::failure::{Failure, reason};

/// systemd's name on the bus and its object.
pub const NAME: &str = "org.freedesktop.systemd1";
/// The manager's object.
pub const PATH: &str = "/org/freedesktop/systemd1";
/// The manager's interface.
pub const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const BUS: &str = "org.freedesktop.DBus";

/// Longer than polkit and a busy manager take together; what is not answered by then hangs.
const PATIENCE: Duration = Duration::from_secs(25);

/// A connection. Dropping it ends every subscription.
#[derive(Debug)]
pub struct Systemd {
    connection: Connection,
    inbox: Receiver<Message>,
    bell: OwnedFd,
    events: VecDeque<Event>,
}

/// What systemd tells without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something about the unit with this object path has changed.
    Unit(String),
    /// A job is over.
    Job {
        /// Its number.
        id: u32,
        /// Its unit.
        unit: String,
        /// `done`, `failed`, `canceled`, `timeout`, `dependency`, `skipped`, …
        result: String,
    },
    /// systemd was reloaded or replaced: anything may be different.
    Everything,
}

/// Why a wait is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Woken {
    /// systemd has told something.
    Event(Event),
    /// One of the other sources has something; they say which.
    Other,
    /// The time is up.
    Late,
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// systemd or the bus says no: name of the error, and its text.
    Refused(String, String),
    /// There is no connection any more, or nobody answers.
    Lost(String),
}

/// A call that is to be made.
#[derive(Debug)]
pub struct Call(Message);

impl Call {
    /// Of a method of an interface of one of systemd's objects.
    pub fn new<B: serde::Serialize + DynamicType>(
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<Call, Unanswered> {
        Call::to(NAME, path, interface, method, body)
    }

    /// For a property.
    pub fn property(path: &str, interface: &str, name: &str) -> Result<Call, Unanswered> {
        Call::new(path, PROPERTIES, "Get", &(interface, name))
    }

    fn to<B: serde::Serialize + DynamicType>(
        name: &str,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<Call, Unanswered> {
        let message = Message::method_call(path, method)
            .and_then(|m| m.destination(name))
            .and_then(|m| m.interface(interface))
            .and_then(|m| m.build(body));
        message.map(Call).map_err(|e| Unanswered::Lost(lower(&e.to_string())))
    }
}

impl Systemd {
    /// Connects to the system's bus.
    pub fn connect() -> Result<Systemd, Failure> {
        let elsewhere = std::env::var_os("DBUS_SYSTEM_BUS_ADDRESS").is_some();
        if !elsewhere && !Path::new("/run/systemd/system").is_dir() {
            let todo = "run this on the machine itself, not in a container or chroot";
            return Err(Failure::failed(format!("systemd: it does not run here: {todo}")));
        }
        let connection = connection::Builder::system().and_then(|b| b.build()).map_err(|e| {
            let why = match e {
                zbus::Error::InputOutput(e) => reason(&e),
                e => lower(&e.to_string()),
            };
            Failure::failed(format!("the system bus: {why}: see `systemctl status dbus.service`"))
        })?;
        let no_room = |e: io::Error| Failure::failed(format!("the system bus: {}: try again", reason(&e)));
        let bell =
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|e| no_room(e.into()))?;
        let ring = bell.try_clone().map_err(no_room)?;
        let (outbox, inbox) = channel();
        let messages = MessageIterator::from(&connection);
        let listen = move || {
            for message in messages {
                let Ok(message) = message else { break };
                if outbox.send(message).is_err() {
                    break;
                }
                let _ = rustix::io::write(&ring, &1_u64.to_ne_bytes());
            }
            drop(outbox);
            let _ = rustix::io::write(&ring, &1_u64.to_ne_bytes());
        };
        thread::Builder::new().name("bus".to_owned()).spawn(listen).map_err(no_room)?;
        Ok(Systemd { connection, inbox, bell, events: VecDeque::new() })
    }

    /// Makes one call.
    pub fn call(&mut self, call: Call) -> Result<Message, Unanswered> {
        self.calls(vec![call]).pop().unwrap_or_else(|| Err(lost()))
    }

    /// Makes several calls at once, and gives the answers in their order.
    pub fn calls(&mut self, calls: Vec<Call>) -> Vec<Result<Message, Unanswered>> {
        let deadline = Instant::now() + PATIENCE;
        let mut answers: Vec<Option<Result<Message, Unanswered>>> = Vec::with_capacity(calls.len());
        let mut serials = Vec::with_capacity(calls.len());
        for Call(message) in &calls {
            serials.push(message.primary_header().serial_num());
            answers.push(
                self.connection.send(message).err().map(|e| Err(Unanswered::Lost(lower(&e.to_string())))),
            );
        }
        let mut open = answers.iter().filter(|a| a.is_none()).count();
        while open > 0 {
            let message = match self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(message) => message,
                Err(why) => {
                    let why = match why {
                        RecvTimeoutError::Timeout => no_answer(),
                        RecvTimeoutError::Disconnected => lost(),
                    };
                    answers.iter_mut().filter(|a| a.is_none()).for_each(|a| *a = Some(Err(why.clone())));
                    break;
                }
            };
            let answered =
                message.header().reply_serial().and_then(|s| serials.iter().position(|own| *own == s));
            match answered {
                Some(at) if answers[at].is_none() => {
                    answers[at] = Some(answer(message));
                    open -= 1;
                }
                _ => self.events.extend(event(&message)),
            }
        }
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(lost()))).collect()
    }

    /// Asks to be told when one of these units changes, by their object paths, or systemd is reloaded or replaced.
    pub fn follow_units(&mut self, paths: &[String]) -> Result<(), Unanswered> {
        let mut rules: Vec<String> = paths
            .iter()
            .map(|path| {
                format!(
                    "type='signal',sender='{NAME}',path='{path}',interface='{PROPERTIES}',member='PropertiesChanged'"
                )
            })
            .collect();
        rules.push(format!(
            "type='signal',sender='{NAME}',path='{PATH}',interface='{MANAGER}',member='Reloading'"
        ));
        rules.push(format!(
            "type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{NAME}'"
        ));
        self.follow(&rules)
    }

    /// Asks to be told about the ends of jobs.
    pub fn follow_jobs(&mut self) -> Result<(), Unanswered> {
        self.follow(&[format!(
            "type='signal',sender='{NAME}',path='{PATH}',interface='{MANAGER}',member='JobRemoved'"
        )])
    }

    fn follow(&mut self, rules: &[String]) -> Result<(), Unanswered> {
        let mut calls = Vec::new();
        for rule in rules {
            calls.push(Call::to(BUS, "/org/freedesktop/DBus", BUS, "AddMatch", rule)?);
        }
        self.calls(calls).into_iter().collect::<Result<Vec<_>, _>>()?;
        self.subscribe()
    }

    /// systemd tells nobody anything unless somebody has subscribed; to be said again to a new one.
    pub fn subscribe(&mut self) -> Result<(), Unanswered> {
        match self.call(Call::new(PATH, MANAGER, "Subscribe", &())?) {
            Err(Unanswered::Refused(name, _)) if name == "org.freedesktop.systemd1.AlreadySubscribed" => {
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// Waits for the next event, for one of the other sources, or until the deadline.
    pub fn wait(
        &mut self,
        others: &[(&OwnedFd, PollFlags)],
        deadline: Option<Instant>,
    ) -> Result<Woken, Unanswered> {
        loop {
            self.take()?;
            if let Some(event) = self.events.pop_front() {
                return Ok(Woken::Event(event));
            }
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut sources = vec![PollFd::from_borrowed_fd(self.bell.as_fd(), PollFlags::IN)];
            sources.extend(others.iter().map(|(fd, flags)| PollFd::new(*fd, *flags)));
            match poll(&mut sources, left.as_ref()) {
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(Unanswered::Lost(reason(&e.into()))),
                Ok(0) => return Ok(Woken::Late),
                Ok(_) if sources[1..].iter().any(|s| !s.revents().is_empty()) => return Ok(Woken::Other),
                Ok(_) => {}
            }
        }
    }

    /// Forgets what has been told: whoever looks at everything afresh knows it.
    pub fn forget(&mut self) -> Result<bool, Unanswered> {
        self.take()?;
        let renewed = self.events.contains(&Event::Everything);
        self.events.clear();
        Ok(renewed)
    }

    /// Takes what has come in.
    fn take(&mut self) -> Result<(), Unanswered> {
        let _ = rustix::io::read(&self.bell, &mut [0_u8; 8]);
        loop {
            match self.inbox.try_recv() {
                Ok(message) => self.events.extend(event(&message)),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(lost()),
            }
        }
    }
}

/// The object of a unit.
pub fn path_of(unit: &str) -> String {
    let escape = |(at, byte): (usize, u8)| match byte {
        b'0'..=b'9' if at == 0 => format!("_{byte:02x}"),
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("_{byte:02x}"),
    };
    format!("{PATH}/unit/{}", unit.bytes().enumerate().map(escape).collect::<String>())
}

impl From<Unanswered> for Failure {
    fn from(unanswered: Unanswered) -> Failure {
        match unanswered {
            Unanswered::Refused(name, text) => Failure::failed(format!(
                "systemd: {}: see `rovi doctor` ({name})",
                lower(text.trim_end_matches('.'))
            )),
            Unanswered::Lost(why) => {
                Failure::failed(format!("systemd: {why}: see `systemctl status dbus.service`, and try again"))
            }
        }
    }
}

fn answer(message: Message) -> Result<Message, Unanswered> {
    if message.message_type() != Type::Error {
        return Ok(message);
    }
    let name = message.header().error_name().map(|n| n.to_string()).unwrap_or_default();
    // The text is the first argument, if there is one.
    let text = message.body().deserialize::<String>().unwrap_or_else(|_| name.clone());
    Err(Unanswered::Refused(name, text))
}

fn event(message: &Message) -> Option<Event> {
    let header = message.header();
    if message.message_type() != Type::Signal {
        return None;
    }
    match header.member()?.as_str() {
        "PropertiesChanged" => Some(Event::Unit(header.path()?.to_string())),
        "JobRemoved" => {
            let body = message.body();
            let (id, _, unit, result): (u32, zbus::zvariant::ObjectPath<'_>, &str, &str) =
                body.deserialize().ok()?;
            Some(Event::Job { id, unit: unit.to_owned(), result: result.to_owned() })
        }
        // True while it reloads: there is nothing to see yet.
        "Reloading" => (!message.body().deserialize::<bool>().ok()?).then_some(Event::Everything),
        "NameOwnerChanged" => {
            let body = message.body();
            let (_, _, new): (&str, &str, &str) = body.deserialize().ok()?;
            (!new.is_empty()).then_some(Event::Everything)
        }
        _ => None,
    }
}

fn no_answer() -> Unanswered {
    Unanswered::Lost(format!("no answer within {} s", PATIENCE.as_secs()))
}

fn lost() -> Unanswered {
    Unanswered::Lost("the connection to the bus has ended".to_owned())
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn paths() {
        assert_eq!(path_of("a-b@1.service"), "/org/freedesktop/systemd1/unit/a_2db_401_2eservice");
    }
}
