//! A minimal system bus for run_stack: a socket that speaks D-Bus for a systemd whose units a test describes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Maps a unit, as named in the object path, and a property to a value.
type Properties = Arc<Mutex<BTreeMap<(String, String), Property>>>;

/// The value of a property.
#[derive(Clone, Copy)]
pub(super) enum Property {
    Text(&'static str),
    Number(u32),
}

/// A bus that ends with the test.
pub(super) struct Bus {
    path: PathBuf,
    properties: Properties,
}

impl Bus {
    pub(super) fn at(path: &Path) -> Bus {
        let listener = UnixListener::bind(path).unwrap();
        let properties = Properties::default();
        let shared = properties.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Bus { path: path.to_owned(), properties }
    }

    /// Returns the value for `DBUS_SYSTEM_BUS_ADDRESS`.
    pub(super) fn address(&self) -> String {
        format!("unix:path={}", self.path.display())
    }

    /// Sets a property; `label` is the unit's name as written in an object path.
    pub(super) fn set(&self, label: &str, property: &str, value: Property) {
        self.properties.lock().unwrap().insert((label.to_owned(), property.to_owned()), value);
    }
}

fn serve(mut stream: UnixStream, properties: &Properties) -> Option<()> {
    let line = |stream: &mut UnixStream| {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            line.push(byte[0]);
        }
        Some(line)
    };
    assert!(line(&mut stream)?.starts_with(b"\0AUTH EXTERNAL "));
    stream.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n").ok()?;
    assert_eq!(line(&mut stream)?, b"BEGIN\r\n");
    loop {
        let mut head = [0; 16];
        stream.read_exact(&mut head).ok()?;
        let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
        let (body, serial, fields) = (number(4) as usize, number(8), number(12) as usize);
        let mut rest = vec![0; fields.next_multiple_of(8) + body];
        stream.read_exact(&mut rest).ok()?;
        let text = String::from_utf8_lossy(&rest).into_owned();
        // An unrequested signal comes first: a real bus sends one after Hello.
        let mut answer = message(4, 0, b"");
        match text.split_once("/unit/") {
            None => answer.extend(message(2, serial, b"\x05\0\0\0:1.99\0")),
            Some((_, rest)) => {
                let label: String = rest.chars().take_while(|c| *c != '\0').collect();
                let known = properties.lock().unwrap();
                let value = known.iter().find(|((l, p), _)| *l == label && text.ends_with(&format!("{p}\0")));
                match value.map(|(_, value)| *value) {
                    Some(Property::Text(text)) => {
                        let length = u32::try_from(text.len()).unwrap().to_le_bytes();
                        answer.extend(message(
                            2,
                            serial,
                            &[b"\x01s\0\0", &length[..], text.as_bytes(), b"\0"].concat(),
                        ));
                    }
                    Some(Property::Number(number)) => {
                        answer.extend(message(
                            2,
                            serial,
                            &[b"\x01u\0\0", &number.to_le_bytes()[..]].concat(),
                        ));
                    }
                    None => answer.extend(message(3, serial, b"\x0c\0\0\0Unknown unit\0")),
                }
            }
        }
        stream.write_all(&answer).ok()?;
    }
}

/// Builds a message whose only header field is the serial number that it answers.
fn message(kind: u8, answers: u32, body: &[u8]) -> Vec<u8> {
    let mut made = vec![b'l', kind, 0, 1];
    made.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    made.extend(1u32.to_le_bytes());
    made.extend(8u32.to_le_bytes());
    made.extend([5, 1, b'u', 0]);
    made.extend(answers.to_le_bytes());
    made.extend(body);
    made
}
