//! D-Bus messages: calls, answers and signals of systemd.

use std::collections::BTreeMap;

use base::failure::Failure;
use zbus::Message;
use zbus::message::Type;
use zbus::zvariant::DynamicType;

/// systemd's name on the bus.
pub const NAME: &str = "org.freedesktop.systemd1";
/// Object path of the manager.
pub const PATH: &str = "/org/freedesktop/systemd1";
/// Interface of the manager.
pub const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(super) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
pub(super) const BUS: &str = "org.freedesktop.DBus";

/// A signal of systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A unit has changed.
    Unit {
        /// Object path of the unit.
        path: String,
        /// The changed properties.
        told: Told,
    },
    /// A job has ended.
    Job {
        /// Number of the job.
        id: u32,
        /// Unit name.
        unit: String,
        /// `done`, `failed`, `canceled`, `timeout`, `dependency`, `skipped`, …
        result: String,
    },
    /// systemd was reloaded or replaced: everything may have changed.
    Everything,
}

/// The changed properties of a unit; each signal covers only one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// `ActiveState`
    pub active: Option<String>,
    /// `Result`
    pub result: Option<String>,
    /// `ExecMainStatus`
    pub status: Option<i32>,
    /// `StatusText`
    pub text: Option<String>,
    /// `InvocationID`
    pub invocation: Option<Vec<u8>>,
}

impl Told {
    /// Merges with later changes.
    pub fn then(self, later: Told) -> Told {
        Told {
            active: later.active.or(self.active),
            result: later.result.or(self.result),
            status: later.status.or(self.status),
            text: later.text.or(self.text),
            invocation: later.invocation.or(self.invocation),
        }
    }

    fn read(changed: &BTreeMap<&str, zbus::zvariant::Value<'_>>) -> Told {
        let text = |name: &str| changed.get(name).and_then(|value| String::try_from(value).ok());
        let invocation = changed.get("InvocationID").and_then(|value| value.try_clone().ok());
        Told {
            active: text("ActiveState"),
            result: text("Result"),
            status: changed.get("ExecMainStatus").and_then(|value| i32::try_from(value).ok()),
            text: text("StatusText"),
            invocation: invocation.and_then(|value| value.try_into().ok()),
        }
    }
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// systemd or the bus returned an error: its name and text.
    Refused(String, String),
    /// The connection is closed, or nobody answers.
    Lost(String),
}

/// A method call.
#[derive(Debug)]
pub struct Call(pub(super) Message);

impl Call {
    /// Creates a call of a method on one of systemd's objects.
    pub fn new<B: serde::Serialize + DynamicType>(
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<Call, Unanswered> {
        Call::to(NAME, path, interface, method, body)
    }

    /// Creates a call that reads a property.
    pub fn property(path: &str, interface: &str, name: &str) -> Result<Call, Unanswered> {
        Call::new(path, PROPERTIES, "Get", &(interface, name))
    }

    pub(super) fn to<B: serde::Serialize + DynamicType>(
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

/// The body of `PropertiesChanged`.
pub(super) type Changed<'a> = (&'a str, BTreeMap<&'a str, zbus::zvariant::Value<'a>>, Vec<&'a str>);

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

pub(super) fn answer(message: Message) -> Result<Message, Unanswered> {
    if message.message_type() != Type::Error {
        return Ok(message);
    }
    let name = message.header().error_name().map(|n| n.to_string()).unwrap_or_default();
    // The text is the first argument, if there is one.
    let text = message.body().deserialize::<String>().unwrap_or_else(|_| name.clone());
    Err(Unanswered::Refused(name, text))
}

pub(super) fn event(message: &Message) -> Option<Event> {
    let header = message.header();
    if message.message_type() != Type::Signal {
        return None;
    }
    match header.member()?.as_str() {
        "PropertiesChanged" => {
            let body = message.body();
            let (_, changed, _) = body.deserialize::<Changed<'_>>().ok()?;
            Some(Event::Unit { path: header.path()?.to_string(), told: Told::read(&changed) })
        }
        "JobRemoved" => {
            let body = message.body();
            let (id, _, unit, result): (u32, zbus::zvariant::ObjectPath<'_>, &str, &str) =
                body.deserialize().ok()?;
            Some(Event::Job { id, unit: unit.to_owned(), result: result.to_owned() })
        }
        // True while systemd reloads: wait for the end.
        "Reloading" => (!message.body().deserialize::<bool>().ok()?).then_some(Event::Everything),
        "NameOwnerChanged" => {
            let body = message.body();
            let (_, _, new): (&str, &str, &str) = body.deserialize().ok()?;
            (!new.is_empty()).then_some(Event::Everything)
        }
        _ => None,
    }
}

pub(super) fn lost() -> Unanswered {
    Unanswered::Lost("the connection to the bus was closed".to_owned())
}

pub(super) fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}
