//! Rules for the addresses that systemd and services listen on.

use std::net::SocketAddr;

use crate::finding::describe_invalid;
use crate::rule::path;
use crate::rule::text::Verdict;

/// Checks an address for `ListenStream=`: a port, `IP:PORT` or a path.
pub fn check_listen(value: &str) -> Verdict {
    if value.starts_with('/') {
        return path::check_plain(value);
    }
    if parse_port(value).is_some() || value.parse::<SocketAddr>().is_ok_and(|a| a.port() != 0) {
        return Ok(());
    }
    Err(describe_invalid("address", value, "a port, IP:PORT or an absolute path"))
}

/// Checks the address that connections are passed on to.
pub fn check_target(value: &str) -> Verdict {
    if value.starts_with('/') {
        return path::check_plain(value);
    }
    if value.parse::<SocketAddr>().is_ok_and(|a| a.port() != 0) {
        return Ok(());
    }
    Err(describe_invalid("address", value, "IP:PORT or an absolute path"))
}

/// Tells whether a connection to `to` would arrive at `listen`.
pub fn is_same_place(listen: &str, to: &str) -> bool {
    let Ok(to) = to.parse::<SocketAddr>() else { return to.starts_with('/') && listen == to };
    match listen.parse::<SocketAddr>() {
        Ok(listen) => listen.port() == to.port() && (listen.ip() == to.ip() || listen.ip().is_unspecified()),
        Err(_) => parse_port(listen) == Some(to.port()),
    }
}

fn parse_port(value: &str) -> Option<u16> {
    let plain = value.chars().all(|c| c.is_ascii_digit()) && !value.starts_with('0');
    value.parse().ok().filter(|_| plain)
}
