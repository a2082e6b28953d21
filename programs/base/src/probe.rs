//! Probes on the command line.

pub mod line;
pub mod options;
pub mod port;
pub mod request;

use std::path::PathBuf;

use self::line::Line;
use self::port::Port;
use self::request::Request;

/// A probe, which passes or fails.
#[derive(Debug)]
pub enum Probe {
    /// The service listens on this port.
    Tcp(Port),
    /// The service is connected to this port.
    Connected(Port),
    /// The service listens on this socket.
    Unix(String),
    /// This URL answers as expected.
    Http(Request),
    /// This file exists.
    File(PathBuf),
    /// A line of the output matches.
    Log(Line),
    /// This command succeeds.
    Exec(String),
}

impl Probe {
    /// Parses `KIND:VALUE`; the error is the reason.
    pub fn parse(text: &str) -> Result<Probe, String> {
        let (kind, of) = text.split_once(':').unwrap_or((text, ""));
        let known = ["tcp", "connected", "unix", "http", "https", "file", "log", "exec"].contains(&kind);
        if !known || of.is_empty() {
            return Err(
                "unknown probe: expected tcp:[HOST:]PORT, connected:[HOST:]PORT, unix:PATH, http:URL, \
                 file:PATH, log:REGEX or exec:COMMAND"
                    .into(),
            );
        }
        let port = || Port::parse(of).ok_or("invalid port: expected PORT or ADDRESS:PORT");
        Ok(match kind {
            "tcp" => Probe::Tcp(port()?),
            "connected" => Probe::Connected(port()?),
            "unix" => Probe::Unix(of.to_owned()),
            "http" => Probe::Http(Request::parse(of)?),
            "https" => return Err("https is not supported: probe a plain http URL, or use exec:curl".into()),
            "file" => Probe::File(of.into()),
            "log" => Probe::Log(Line::parse(of)?),
            _ => Probe::Exec(of.to_owned()),
        })
    }

    /// Returns a description for people.
    pub fn name(&self) -> String {
        match self {
            Probe::Tcp(port) if port.hosts.is_empty() => format!("port {}", port.name),
            Probe::Tcp(port) => port.name.clone(),
            Probe::Connected(port) => format!("a connection to {}", port.name),
            Probe::Unix(path) => format!("socket {path}"),
            Probe::Http(request) => request.name.clone(),
            Probe::File(path) => format!("file {}", path.display()),
            Probe::Log(line) => format!("an output line that matches {}", line.as_str()),
            Probe::Exec(command) => format!("command {command}"),
        }
    }
}
