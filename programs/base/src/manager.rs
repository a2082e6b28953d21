//! Reads properties of units from systemd over D-Bus.
//!
//! A D-Bus library would be larger than the rest of this crate, and `systemctl` takes longer than a launch.
//! Two calls with strings as arguments and one value as result need neither. This only reads from the system
//! manager.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::bus::unit_path;

/// Time limit for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Limit for the size of an answer.
const LONGEST: u32 = 1 << 16;

/// The usual variable for the address of the bus.
const ADDRESS: &str = "DBUS_SYSTEM_BUS_ADDRESS";

/// A connection to the system bus.
#[derive(Debug)]
pub struct Manager {
    stream: UnixStream,
    serial: u32,
}

/// The value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Type `s`.
    Text(String),
    /// Type `u`.
    Number(u32),
}

impl Manager {
    /// Connects; returns `None` where systemd is not running.
    pub fn connect() -> io::Result<Option<Manager>> {
        let address = std::env::var(ADDRESS).ok();
        let path = address.as_deref().and_then(|a| a.strip_prefix("unix:path=")?.split([',', ';']).next());
        if path.is_none() && !Path::new("/run/systemd/system").is_dir() {
            return Ok(None);
        }
        let stream = UnixStream::connect(path.unwrap_or("/run/dbus/system_bus_socket"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut manager = Manager { stream, serial: 0 };
        manager.greet()?;
        Ok(Some(manager))
    }

    /// Returns `ActiveState` of a unit: `active`, `inactive`, `failed`, …
    pub fn active_state(&mut self, unit: &str) -> io::Result<String> {
        match self.property(unit, "org.freedesktop.systemd1.Unit", "ActiveState")? {
            Value::Text(state) => Ok(state),
            Value::Number(_) => Err(unexpected("a number")),
        }
    }

    /// Returns the main process of a service, if it has one.
    pub fn main_pid(&mut self, unit: &str) -> io::Result<Option<i32>> {
        match self.property(unit, "org.freedesktop.systemd1.Service", "MainPID")? {
            Value::Number(pid) => Ok(i32::try_from(pid).ok().filter(|pid| *pid > 0)),
            Value::Text(_) => Err(unexpected("text")),
        }
    }

    fn property(&mut self, unit: &str, interface: &str, name: &str) -> io::Result<Value> {
        let path = unit_path(unit);
        let body = Writer::default().string(interface).string(name).0;
        let to = ("org.freedesktop.systemd1", &*path, "org.freedesktop.DBus.Properties");
        let answer = self.call(to, "Get", &body)?;
        let mut answer = Reader(&answer, 0);
        match answer.signature()? {
            b"s" => Ok(Value::Text(answer.string()?)),
            b"u" => Ok(Value::Number(answer.number()?)),
            other => Err(unexpected(&String::from_utf8_lossy(other))),
        }
    }

    /// Authenticates, which the kernel confirms, and requests a name, without which the bus forwards nothing.
    /// Sends everything at once, because waiting for each answer would take longer than everything else.
    fn greet(&mut self) -> io::Result<()> {
        let uid = rustix::process::geteuid().as_raw().to_string();
        let hex: String = uid.bytes().map(|b| format!("{b:02x}")).collect();
        let mut greeting = format!("\0AUTH EXTERNAL {hex}\r\nBEGIN\r\n").into_bytes();
        let bus = "org.freedesktop.DBus";
        // The answer to this is skipped like other messages.
        greeting.extend(self.message((bus, "/org/freedesktop/DBus", bus), "Hello", &[]));
        self.stream.write_all(&greeting)?;
        // Read byte by byte: the bytes after the line belong to the first message.
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") && line.len() < 512 {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        if line.starts_with(b"OK ") {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "the bus rejected this user"))
        }
    }

    /// Calls a method of (destination, path, interface) and returns the body of the answer.
    fn call(&mut self, to: (&str, &str, &str), member: &str, body: &[u8]) -> io::Result<Vec<u8>> {
        let message = self.message(to, member, body);
        self.stream.write_all(&message)?;
        loop {
            if let Some(answer) = self.answer()? {
                return Ok(answer);
            }
        }
    }

    /// Encodes a call; its answer is the one to wait for.
    fn message(&mut self, to: (&str, &str, &str), member: &str, body: &[u8]) -> Vec<u8> {
        self.serial += 1;
        let (destination, path, interface) = to;
        let mut fields =
            Writer::default().field(1, b'o', path).field(2, b's', interface).field(3, b's', member);
        fields = fields.field(6, b's', destination);
        if !body.is_empty() {
            fields = fields.signature_field("ss");
        }
        // Little endian, a method call, no flags, version 1.
        let mut message = Writer(vec![b'l', 1, 0, 1]).number(body.len() as u32).number(self.serial);
        message = message.number(fields.0.len() as u32);
        message.0.extend_from_slice(&fields.0);
        message.align(8);
        message.0.extend_from_slice(body);
        message.0
    }

    /// Reads one message; returns its body if it answers the last call.
    fn answer(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut head = [0; 16];
        self.stream.read_exact(&mut head)?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (body, fields) = (number(4), number(12));
        if head[0] != b'l' || body > LONGEST || fields > LONGEST {
            return Err(unexpected("a message of another type"));
        }
        let mut fields = vec![0; fields.next_multiple_of(8) as usize];
        self.stream.read_exact(&mut fields)?;
        let mut content = vec![0; body as usize];
        self.stream.read_exact(&mut content)?;
        if reply_serial(&fields) != Some(self.serial) {
            return Ok(None);
        }
        match head[1] {
            2 => Ok(Some(content)),
            3 => Err(io::Error::other(Reader(&content, 0).string().unwrap_or_default())),
            _ => Ok(None),
        }
    }
}

/// Returns the serial of the call that a message answers: header field 5, type `u`.
fn reply_serial(fields: &[u8]) -> Option<u32> {
    let mut fields = Reader(fields, 0);
    loop {
        fields.align(8);
        let code = fields.byte().ok()?;
        match (code, fields.signature().ok()?) {
            (0, _) => return None,
            (5, b"u") => return fields.number().ok(),
            (_, b"u") => drop(fields.number().ok()?),
            (_, b"g") => drop(fields.signature().ok()?.len()),
            _ => drop(fields.string().ok()?),
        }
    }
}

fn unexpected(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("unexpected answer: {what}"))
}

/// Encodes values with the alignment of the protocol.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(mut self, number: u32) -> Writer {
        self.align(4);
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn string(self, text: &str) -> Writer {
        let mut made = self.number(text.len() as u32);
        made.0.extend_from_slice(text.as_bytes());
        made.0.push(0);
        made
    }

    /// Encodes a header field of type `s` or `o`, which have the same format.
    fn field(mut self, code: u8, kind: u8, text: &str) -> Writer {
        self.align(8);
        self.0.extend_from_slice(&[code, 1, kind, 0]);
        self.string(text)
    }

    fn signature_field(mut self, signature: &str) -> Writer {
        self.align(8);
        self.0.extend_from_slice(&[8, 1, b'g', 0, signature.len() as u8]);
        self.0.extend_from_slice(signature.as_bytes());
        self.0.push(0);
        self
    }
}

/// Decodes values; the number is the position.
struct Reader<'a>(&'a [u8], usize);

impl<'a> Reader<'a> {
    fn align(&mut self, to: usize) {
        self.1 = self.1.next_multiple_of(to);
    }

    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let end = self.1.checked_add(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        let taken = self.0.get(self.1..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.1 = end;
        Ok(taken)
    }

    fn byte(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> io::Result<u32> {
        self.align(4);
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn string(&mut self) -> io::Result<String> {
        let length = self.number()? as usize;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.take(1)?;
        Ok(text)
    }

    fn signature(&mut self) -> io::Result<&'a [u8]> {
        let length = self.byte()? as usize;
        let signature = self.take(length)?;
        self.take(1)?;
        Ok(signature)
    }
}
