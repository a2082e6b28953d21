//! What can be asked about a service, read from the command line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use super::attempt::{Answer, Attempt, Begun, no};
use super::http::Request;
use super::line::Line;
use super::listener::{self, Service, Socket};

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

/// A port at some of the machine's addresses; at any of them when none is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// One of these is enough.
    pub hosts: Vec<IpAddr>,
    /// Its number.
    pub number: u16,
    /// As it was written.
    pub name: String,
}

impl Probe {
    /// Reads `KIND:WHAT`; the error says why not.
    pub fn parse(text: &str) -> Result<Probe, String> {
        let (kind, of) = text.split_once(':').unwrap_or((text, ""));
        let known = ["tcp", "connected", "unix", "http", "https", "file", "log", "exec"].contains(&kind);
        if !known || of.is_empty() {
            return Err(
                "tcp:[HOST:]PORT, connected:[HOST:]PORT, unix:PATH, http:URL, file:PATH, log:REGEX, exec:COMMAND are known"
                    .into()
            );
        }
        let port = || Port::parse(of).ok_or("it is no port, with or without an address before it");
        Ok(match kind {
            "tcp" => Probe::Tcp(port()?),
            "connected" => Probe::Connected(port()?),
            "unix" => Probe::Unix(of.to_owned()),
            "http" => Probe::Http(Request::parse(of)?),
            "https" => return Err("TLS is not spoken: probe a plain http address, or use exec:curl".into()),
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
            Probe::Log(line) => format!("a line of output like {}", line.as_str()),
            Probe::Exec(command) => format!("command {command}"),
        }
    }

    /// Asks. What answers at once has answered; for the rest see [`Attempt`].
    pub fn begin(&self, service: &Service) -> Begun {
        let done = match self {
            Probe::Tcp(port) => listened(listener::tcp(service, &port.hosts, port.number)),
            Probe::Connected(port) => connected(listener::connected(service, &port.hosts, port.number)),
            Probe::Unix(path) => listened(listener::unix(service, path)),
            Probe::File(path) if path.exists() => Answer::Yes,
            Probe::File(_) => no("it does not exist"),
            // The lines are looked at as they come.
            Probe::Log(_) => no("no such line yet"),
            Probe::Http(request) => return Attempt::http(request, service),
            Probe::Exec(command) => return Attempt::exec(command),
        };
        Begun::Answered(done)
    }
}

fn listened(socket: Socket) -> Answer {
    match socket {
        Socket::Ours(_) => Answer::Yes,
        other => no(other.why_not()),
    }
}

fn connected(socket: Socket) -> Answer {
    match socket {
        Socket::Ours(_) => Answer::Yes,
        Socket::Stopped => no("the process that is connected is stopped"),
        // Others may be connected there, and usually are.
        Socket::Foreign | Socket::Nobody => no("it is not connected"),
    }
}

impl Port {
    /// `PORT`, `HOST:PORT`, `[HOST]:PORT`; the host is an address or `localhost`.
    pub fn parse(text: &str) -> Option<Port> {
        let (host, number) = match text.rsplit_once(':') {
            Some((host, number)) => (Some(host), number),
            None => (None, text),
        };
        let hosts = match host {
            None => Vec::new(),
            Some("localhost") => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            Some(host) => {
                let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
                let address: IpAddr = bare.parse().ok()?;
                // `::1:80` could be an address without a port.
                if address.is_ipv6() && bare == host {
                    return None;
                }
                vec![address]
            }
        };
        let number = number.parse().ok().filter(|&n| n > 0)?;
        Some(Port { hosts, number, name: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        let hosts = |text| Port::parse(text).map(|p| (p.hosts.len(), p.number));
        assert_eq!(hosts("80"), Some((0, 80)));
        assert_eq!(hosts("127.0.0.1:80"), Some((1, 80)));
        assert_eq!(hosts("localhost:80"), Some((2, 80)));
        assert_eq!(hosts("[::1]:80"), Some((1, 80)));
        for wrong in ["", "0", "65536", "::1:80", "::1", "example.org:80", ":80", "80:", "-1"] {
            assert_eq!(hosts(wrong), None, "{wrong}");
        }
    }
}
