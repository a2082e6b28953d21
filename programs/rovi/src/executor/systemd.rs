//! The connection to systemd on the system bus: calls, and signals together with other descriptors.
//!
//! Everything runs on the caller's thread in the order of the messages, without polling.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use async_io::{Async, Timer, block_on};
use base::failure::{Failure, reason};
use futures_lite::{FutureExt, StreamExt, future};
use zbus::{Connection, Message, MessageStream, connection};

use crate::executor::message::{
    BUS, Call, Changed, Event, MANAGER, NAME, PATH, PROPERTIES, Unanswered, answer, event, lost, lower,
};

/// Default path of the system bus.
const SOCKET: &str = "/run/dbus/system_bus_socket";

/// Time limit for a call, longer than polkit and a busy systemd need.
const PATIENCE: Duration = Duration::from_secs(25);

/// A connection. Dropping it ends all subscriptions.
#[derive(Debug)]
pub struct Systemd {
    connection: Connection,
    inbox: MessageStream,
    events: VecDeque<Event>,
    /// Hashes of the last properties of each object: reading an unloaded unit makes systemd load it and send
    /// unchanged properties to all subscribers.
    told: BTreeMap<String, u64>,
}

/// Another descriptor to wait for: readable or closed.
#[derive(Debug)]
pub struct Source(Async<OwnedFd>);

/// Why a wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Woken {
    /// systemd sent a signal.
    Event(Event),
    /// One of the other descriptors is ready.
    Other,
    /// The deadline has passed.
    Late,
}

impl Source {
    /// Keeps the flags of the descriptor. It must support polling, which a regular file does not.
    pub fn new(fd: OwnedFd) -> io::Result<Source> {
        Async::new_nonblocking(fd).map(Source)
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}

impl Systemd {
    /// Connects to the system bus.
    pub fn connect() -> Result<Systemd, Failure> {
        let elsewhere = std::env::var_os("DBUS_SYSTEM_BUS_ADDRESS").is_some();
        if !elsewhere && !Path::new("/run/systemd/system").is_dir() {
            let todo = "run this on the machine itself, not in a container or chroot";
            return Err(Failure::failed(format!("systemd: not running: {todo}")));
        }
        let connected = async { builder()?.internal_executor(false).build().await };
        let late = async {
            Timer::after(PATIENCE).await;
            Err(zbus::Error::InputOutput(io::Error::from(io::ErrorKind::TimedOut).into()))
        };
        let connection = block_on(connected.or(late)).map_err(|e| {
            let why = match e {
                zbus::Error::InputOutput(e) => reason(&e),
                e => lower(&e.to_string()),
            };
            Failure::failed(format!("the system bus: {why}: see `systemctl status dbus.service`"))
        })?;
        let inbox = MessageStream::from(&connection);
        Ok(Systemd { connection, inbox, events: VecDeque::new(), told: BTreeMap::new() })
    }

    /// Makes one call.
    pub fn call(&mut self, call: Call) -> Result<Message, Unanswered> {
        self.calls(vec![call]).pop().unwrap_or_else(|| Err(lost()))
    }

    /// Makes several calls at once and returns the answers in order.
    pub fn calls(&mut self, calls: Vec<Call>) -> Vec<Result<Message, Unanswered>> {
        let mut answers: Vec<Option<Result<Message, Unanswered>>> = calls.iter().map(|_| None).collect();
        let mut events = Vec::new();
        let (connection, inbox) = (&self.connection, &mut self.inbox);
        let exchange = async {
            let mut serials = Vec::with_capacity(calls.len());
            for Call(message) in &calls {
                serials.push(message.primary_header().serial_num());
                connection.send(message).await.map_err(|_| lost())?;
            }
            let mut open = calls.len();
            while open > 0 {
                let Some(Ok(message)) = inbox.next().await else { return Err(lost()) };
                let answered = message.header().reply_serial();
                match answered.and_then(|serial| serials.iter().position(|own| *own == serial)) {
                    Some(at) if answers[at].is_none() => {
                        answers[at] = Some(answer(message));
                        open -= 1;
                    }
                    _ => events.push(message),
                }
            }
            Ok(())
        };
        let late = async {
            Timer::after(PATIENCE).await;
            Err(Unanswered::Lost(format!("no answer within {} s", PATIENCE.as_secs())))
        };
        let ended = block_on(exchange.or(drive(connection)).or(late));
        events.iter().for_each(|message| self.hear(message));
        let missing = ended.err().unwrap_or_else(lost);
        answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(missing.clone()))).collect()
    }

    /// Subscribes to changes of these units, by object path, and to reloads of systemd.
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

    /// Subscribes to the ends of jobs.
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

    /// systemd sends signals only after a `Subscribe` call, which a new systemd needs again.
    pub fn subscribe(&mut self) -> Result<(), Unanswered> {
        match self.call(Call::new(PATH, MANAGER, "Subscribe", &())?) {
            Err(Unanswered::Refused(name, _)) if name == "org.freedesktop.systemd1.AlreadySubscribed" => {
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// Waits for the next signal, another descriptor, or the deadline.
    pub fn wait(&mut self, others: &[&Source], deadline: Option<Instant>) -> Result<Woken, Unanswered> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Woken::Event(event));
            }
            let (connection, inbox) = (&self.connection, &mut self.inbox);
            let message = async { Ok(Next::Message(inbox.next().await)) };
            let source = async {
                let mut ready = others.iter().map(|source| Box::pin(source.0.readable())).collect::<Vec<_>>();
                // The reason does not matter: the caller checks the descriptor.
                std::future::poll_fn(|context| {
                    let any = ready.iter_mut().any(|ready| ready.poll(context).is_ready());
                    if any { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
                })
                .await;
                Ok(Next::Other)
            };
            let late = async {
                match deadline {
                    Some(deadline) => drop(Timer::at(deadline).await),
                    None => future::pending().await,
                }
                Ok(Next::Late)
            };
            // In this order: available messages come before an expired deadline.
            match block_on(message.or(source).or(drive(connection)).or(late))? {
                Next::Message(Some(Ok(message))) => self.hear(&message),
                Next::Message(_) => return Err(lost()),
                Next::Other => return Ok(Woken::Other),
                Next::Late => return Ok(Woken::Late),
            }
        }
    }

    /// Forgets the last properties, because the caller reads everything again. Returns whether systemd was
    /// reloaded or replaced.
    pub fn forget(&mut self) -> Result<bool, Unanswered> {
        let mut renewed = false;
        while let Woken::Event(event) = self.wait(&[], Some(Instant::now()))? {
            renewed |= event == Event::Everything;
        }
        Ok(renewed)
    }

    /// Stores a message unless it contains nothing new.
    fn hear(&mut self, message: &Message) {
        let Some(event) = event(message) else { return };
        if let Event::Unit { path, .. } = &event {
            let mut hasher = DefaultHasher::new();
            message.body().data().bytes().hash(&mut hasher);
            // A unit has several interfaces, each with its own signals.
            let interface =
                message.body().deserialize::<Changed<'_>>().map(|(interface, ..)| interface.to_owned());
            let object = format!("{path} {}", interface.unwrap_or_default());
            if self.told.insert(object, hasher.finish()) == Some(hasher.finish()) {
                return;
            }
        }
        self.events.push_back(event);
    }
}

/// No executor thread: the waiting caller drives the connection. zbus's own thread would wake up twice a
/// second.
fn builder() -> zbus::Result<connection::Builder<'static>> {
    let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_else(|_| format!("unix:path={SOCKET}"));
    let path = address.strip_prefix("unix:path=").filter(|path| !path.contains([',', ';', '%']));
    match path {
        Some(path) => Ok(connection::Builder::async_io_unix_stream(UnixStream::connect(path)?)),
        None => connection::Builder::address(&*address),
    }
}

enum Next {
    Message(Option<zbus::Result<Message>>),
    Other,
    Late,
}

/// Moves messages between socket and inbox while a caller waits.
async fn drive<T>(connection: &Connection) -> Result<T, Unanswered> {
    loop {
        connection.executor().tick().await;
    }
}
