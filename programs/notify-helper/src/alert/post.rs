//! Posts JSON to a URL: plain http to an IP address or `localhost` directly, everything else with curl.
//!
//! A TLS library would be larger than the rest of this program, and its trusted certificates would need
//! updates; curl uses the distribution's. A resolver would have no time limit. URLs may be secrets, so they
//! never appear on a command line, which all users can read, nor in a message.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use base::failure::reason;
use base::probe::port::Port;

use super::refusal::{Refusal, run_bounded};

/// The status line must be within this limit.
const LONGEST: usize = 16 * 1024;

/// Posts the JSON once.
pub(crate) fn post(url: &str, headers: &[String], json: &str, bound: Duration) -> Result<(), Refusal> {
    let rest = url.strip_prefix("http://").unwrap_or_default().split('#').next().unwrap_or_default();
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let port = Port::parse(&if has_port { host.to_owned() } else { format!("{host}:80") });
    match port.filter(|port| !port.hosts.is_empty()) {
        Some(port) => post_plain((&port, host, path), headers, json, bound),
        None => curl(url, headers, json, bound),
    }
}

/// Posts to an address without name resolution.
fn post_plain(
    (port, host, path): (&Port, &str, &str),
    headers: &[String],
    json: &str,
    bound: Duration,
) -> Result<(), Refusal> {
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut request = format!("POST {slash}{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: notify-helper\r\n");
    headers.iter().for_each(|line| request += &format!("{line}\r\n"));
    request += &format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        json.len()
    );
    let line = exchange(port, &format!("{request}{json}"), bound).map_err(|e| match e.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            Refusal::ForNow("no answer in time".to_owned())
        }
        _ => Refusal::ForNow(reason(&e)),
    })?;
    let status = line.strip_prefix("HTTP/1.").and_then(|l| l.split(' ').nth(1)?.trim().parse::<u16>().ok());
    match status {
        Some(200..=299) => Ok(()),
        Some(status @ (408 | 425 | 429 | 500..)) => Err(Refusal::ForNow(format!("HTTP status {status}"))),
        Some(status) => Err(Refusal::ForGood(format!("HTTP status {status}"))),
        None => Err(Refusal::ForNow("not an HTTP response".to_owned())),
    }
}

/// Returns the first status line that is not a 1xx response.
fn exchange(port: &Port, request: &str, bound: Duration) -> io::Result<String> {
    let until = Instant::now() + bound;
    let left = || match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    };
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    let mut stream = None;
    // `localhost` has two addresses, which share the time limit.
    for (at, host) in port.hosts.iter().enumerate() {
        match TcpStream::connect_timeout(
            &SocketAddr::new(*host, port.number),
            left()? / (port.hosts.len() - at) as u32,
        ) {
            Ok(connected) => {
                stream = Some(connected);
                break;
            }
            Err(e) => last = e,
        }
    }
    let mut stream = stream.ok_or(last)?;
    let mut rest = request.as_bytes();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left()?))?;
        let sent = stream.write(rest)?;
        rest = &rest[sent..];
    }
    let mut answer = Vec::new();
    loop {
        // A `100 Continue` ends with an empty line.
        while answer.starts_with(b"HTTP/1.1 1") {
            let Some(end) = answer.windows(4).position(|w| w == b"\r\n\r\n") else { break };
            answer.drain(..end + 4);
        }
        if let Some(end) =
            answer.iter().position(|&b| b == b'\n').filter(|_| !answer.starts_with(b"HTTP/1.1 1"))
        {
            return Ok(String::from_utf8_lossy(&answer[..end]).into_owned());
        }
        stream.set_read_timeout(Some(left()?))?;
        let mut bytes = [0; 2048];
        match stream.read(&mut bytes)? {
            0 => return Ok(String::new()),
            length => answer.extend_from_slice(&bytes[..length]),
        }
        if answer.len() > LONGEST {
            return Ok(String::new());
        }
    }
}

fn curl(url: &str, headers: &[String], json: &str, bound: Duration) -> Result<(), Refusal> {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut config = format!("url = \"{}\"\n", quoted(url));
    for header in headers.iter().map(String::as_str).chain(["Content-Type: application/json"]) {
        config += &format!("header = \"{}\"\n", quoted(header));
    }
    config += &format!("data-raw = \"{}\"\n", quoted(json));
    let mut command = Command::new("curl");
    // `--disable` ignores the user's own curlrc.
    command.args(["--disable", "--silent", "--show-error", "--fail", "--globoff", "--output", "/dev/null"]);
    command.args([
        "--proto",
        "=http,https",
        "--max-time",
        &bound.as_secs().max(1).to_string(),
        "--config",
        "-",
    ]);
    let given = run_bounded(&mut command, config.as_bytes(), bound + Duration::from_secs(1));
    given.map_err(|refusal| match refusal {
        Refusal::ForGood(why) => {
            Refusal::ForGood(format!("{why}; https and host names require curl, install it"))
        }
        other => other,
    })
}
