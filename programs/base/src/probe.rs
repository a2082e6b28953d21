//! What can be asked about a service, read from the command line.

pub mod line;
pub mod options;
pub mod port;
pub mod request;

use std::path::PathBuf;

use self::line::Line;
use self::port::Port;
use self::request::Request;

/// A question with the answers yes and no.
#[derive(Debug)]
pub enum Probe {
    /// Does the service listen on this port?
    Tcp(Port),
    /// Is the service connected to this port of somebody?
    Connected(Port),
    /// Does the service listen on this socket?
    Unix(String),
    /// Does this address answer as it should?
    Http(Request),
    /// Does this file exist?
    File(PathBuf),
    /// Has a line of the output matched?
    Log(Line),
    /// Does this command succeed?
    Exec(String),
}

impl Probe {
    /// Reads `KIND:WHAT`; the error says why not.
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

    /// What is waited for, for a person.
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
