//! Starts probes.

use base::probe::Probe;

use super::answer::{Answer, no};
use super::attempt::{Attempt, Begun};
use super::listener::{self, Service, Socket};

/// Runs a probe. Fast probes return their result at once; for the others see [`Attempt`].
pub(crate) fn ask(probe: &Probe, service: &Service) -> Begun {
    let done = match probe {
        Probe::Tcp(port) => listened(listener::tcp(service, &port.hosts, port.number)),
        Probe::Connected(port) => connected(listener::connected(service, &port.hosts, port.number)),
        Probe::Unix(path) => listened(listener::unix(service, path)),
        Probe::File(path) if path.exists() => Answer::Yes,
        Probe::File(_) => no("does not exist"),
        // Lines are checked as they arrive.
        Probe::Log(_) => no("no matching line yet"),
        Probe::Http(request) => return Attempt::http(request, service),
        Probe::Exec(command) => return Attempt::exec(command),
    };
    Begun::Answered(done)
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
        Socket::Stopped => no("the connected process is stopped"),
        // Other processes may be connected to the port.
        Socket::Foreign | Socket::Nobody => no("not connected"),
    }
}
