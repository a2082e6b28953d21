//! A client for plain http: sends one request, and reads the status and, if required, the body.
//!
//! It uses HTTP/1.0, whose responses are neither chunked nor followed by another. Hosts are IP addresses or
//! `localhost`, because name resolution has no time limit. Redirects are not followed.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use base::failure::reason;
use base::probe::request::Request;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::answer::{Answer, no};
use super::listener::{self, Service, Socket};

/// Limit for a response.
const LONGEST: usize = 64 * 1024;

/// Returns the address; a local address must belong to the service.
fn address(request: &Request, service: &Service) -> Result<SocketAddr, &'static str> {
    let hosts = &request.port.hosts;
    let host = match listener::tcp(service, hosts, request.port.number) {
        Socket::Ours(Some(IpAddr::V6(bound))) if hosts.len() > 1 && !bound.is_unspecified() => {
            IpAddr::V6(Ipv6Addr::LOCALHOST)
        }
        Socket::Ours(_) => hosts[0],
        Socket::Nobody if !hosts[0].is_loopback() && !hosts[0].is_unspecified() => hosts[0],
        other => return Err(other.why_not()),
    };
    let host = if host == IpAddr::V4(Ipv4Addr::UNSPECIFIED) { Ipv4Addr::LOCALHOST.into() } else { host };
    Ok(SocketAddr::new(host, request.port.number))
}

/// A running request.
#[derive(Debug)]
pub(crate) struct Exchange {
    stream: File,
    sent: Option<usize>,
    request: String,
    answer: Vec<u8>,
}

impl Exchange {
    /// Connects without waiting.
    pub(super) fn begin(request: &Request, service: &Service) -> Result<Exchange, String> {
        let address = address(request, service)?;
        let failed = |e: Errno| reason(&e.into());
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::STREAM, flags, None).map_err(failed)?;
        let connected = match connect(&socket, &address) {
            Ok(()) => true,
            Err(Errno::INPROGRESS) => false,
            Err(e) => return Err(failed(e)),
        };
        let text = format!(
            "GET {} HTTP/1.0\r\nHost: {}\r\nUser-Agent: notify-helper\r\nConnection: close\r\n\r\n",
            request.path, request.host
        );
        let stream = File::from(socket);
        let mut exchange = Exchange { stream, sent: Some(0), request: text, answer: Vec::new() };
        // Local connections usually succeed at once.
        if connected && let Some(Answer::No(why)) = exchange.send(0) {
            return Err(why);
        }
        Ok(exchange)
    }

    fn send(&mut self, sent: usize) -> Option<Answer> {
        match self.stream.write(&self.request.as_bytes()[sent..]) {
            Ok(more) if sent + more == self.request.len() => self.sent = None,
            Ok(more) => self.sent = Some(sent + more),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Some(no(reason(&e))),
        }
        None
    }

    pub(super) fn source(&self) -> (BorrowedFd<'_>, PollFlags) {
        let what = if self.sent.is_some() { PollFlags::OUT } else { PollFlags::IN };
        (self.stream.as_fd(), what)
    }

    pub(super) fn go_on(&mut self, request: &Request) -> Option<Answer> {
        if let Some(sent) = self.sent {
            if let Ok(Err(e)) = sockopt::socket_error(&self.stream) {
                return Some(no(reason(&e.into())));
            }
            return self.send(sent);
        }
        let mut bytes = [0; 2048];
        let ended = match self.stream.read(&mut bytes) {
            Ok(0) => true,
            Ok(length) => {
                self.answer.extend_from_slice(&bytes[..length]);
                self.answer.len() >= LONGEST
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => return None,
            Err(e) => return Some(no(reason(&e))),
        };
        judge(&self.answer, ended, request)
    }
}

/// Evaluates the response received so far.
fn judge(answer: &[u8], ended: bool, request: &Request) -> Option<Answer> {
    let Some(line) = answer.iter().position(|&b| b == b'\n') else {
        return ended.then(|| no("not an HTTP response"));
    };
    let line = String::from_utf8_lossy(&answer[..line]);
    let status = line.strip_prefix("HTTP/").and_then(|l| l.split(' ').nth(1)?.trim().parse::<u16>().ok());
    let Some(status) = status else { return Some(no("not an HTTP response")) };
    if !(request.status.0..=request.status.1).contains(&status) {
        return Some(no(format!("status {status}")));
    }
    let Some(regex) = &request.body else { return Some(Answer::Yes) };
    let begin = answer.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
    let Some(begin) = begin else { return ended.then(|| no("no text")) };
    if regex.is_match(&String::from_utf8_lossy(&answer[begin..])) {
        return Some(Answer::Yes);
    }
    // A server that keeps the connection open sends Content-Length.
    let head = String::from_utf8_lossy(&answer[..begin]).to_ascii_lowercase();
    let length = head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let whole = ended || length.is_some_and(|length| answer.len() - begin >= length);
    whole.then(|| no(format!("the body does not match {}", regex.as_str())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use regex_lite::Regex;

    use super::*;

    #[test]
    fn answers() {
        let mut request = Request::parse("//127.0.0.1").unwrap();
        assert_eq!(judge(b"HTTP/1.1 20", false, &request), None);
        assert_eq!(judge(b"HTTP/1.1 204 No Content\r\n", false, &request), Some(Answer::Yes));
        assert_eq!(judge(b"HTTP/1.1 404 Not Found\r\n", false, &request), Some(no("status 404")));
        assert_eq!(judge(b"SSH-2.0-x\r\n", false, &request), Some(no("not an HTTP response")));
        request.body = Some(Regex::new("\"ok\"").unwrap());
        assert_eq!(judge(b"HTTP/1.0 200 OK\r\n\r\n{\"ok", false, &request), None);
        assert_eq!(judge(b"HTTP/1.0 200 OK\r\n\r\n{\"ok\"}", false, &request), Some(Answer::Yes));
        let wrong = judge(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nno", false, &request);
        assert_eq!(wrong, Some(no("the body does not match \"ok\"")));
    }
}
