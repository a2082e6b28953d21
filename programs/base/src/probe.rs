//! Probes: checks of a service, written as `KIND:VALUE` on the command line or in a catalog. The catalog and
//! `notify-helper` share this parser, so that the catalog rejects what the program would reject.

pub mod line;
pub mod options;
pub mod port;
pub mod request;

use std::path::PathBuf;

use self::line::Line;
use self::port::Port;
use self::request::Request;

/// A check of a service that passes or fails.
#[derive(Debug)]
pub enum Probe {
    /// The service listens on this port.
    Tcp(Port),
    /// The service has a connection to this remote port.
    Connected(Port),
    /// The service listens on the Unix socket at this path.
    Unix(String),
    /// This HTTP request gets the expected response.
    Http(Request),
    /// This file exists.
    File(PathBuf),
    /// A line of the service's output matched.
    Log(Line),
    /// This command succeeds.
    Exec(String),
}

impl Probe {
    /// Parses `KIND:VALUE`; an error says why the probe is invalid.
    pub fn parse(text: &str) -> Result<Probe, String> {
        let (kind, value) = text.split_once(':').unwrap_or((text, ""));
        let known = ["tcp", "connected", "unix", "http", "https", "file", "log", "exec"].contains(&kind);
        if !known || value.is_empty() {
            let forms = "expected tcp:[HOST:]PORT, connected:[HOST:]PORT, unix:PATH, http:URL, file:PATH, log:REGEX or \
                         exec:COMMAND";
            return Err(forms.into());
        }
        let port = || Port::parse(value).ok_or("expected PORT or HOST:PORT");
        Ok(match kind {
            "tcp" => Probe::Tcp(port()?),
            "connected" => Probe::Connected(port()?),
            "unix" => Probe::Unix(value.to_owned()),
            "http" => Probe::Http(Request::parse(value)?),
            "https" => return Err(request::NO_HTTPS.into()),
            "file" => Probe::File(value.into()),
            "log" => Probe::Log(Line::parse(value)?),
            _ => Probe::Exec(value.to_owned()),
        })
    }

    /// Returns the noun phrase that completes "waiting for …".
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
