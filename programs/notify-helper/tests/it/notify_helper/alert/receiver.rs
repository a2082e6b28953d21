//! A web server that handles one connection at a time and sends given answers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

/// Starts a web server that sends the given answers and returns the requests. An empty answer means that it never answers.
pub(super) fn receiver(answers: &'static [&'static str]) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut got = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut request = Vec::new();
            let whole = |r: &[u8]| {
                let text = String::from_utf8_lossy(r).into_owned();
                let length =
                    text.lines().find_map(|l| l.strip_prefix("Content-Length: ")?.parse::<usize>().ok());
                matches!((length, r.windows(4).position(|w| w == b"\r\n\r\n")), (Some(l), Some(at)) if r.len() >= at + 4 + l)
            };
            while !whole(&request) {
                let mut bytes = [0; 4096];
                match stream.read(&mut bytes).unwrap() {
                    0 => break,
                    n => request.extend_from_slice(&bytes[..n]),
                }
            }
            got.push(String::from_utf8(request).unwrap());
            if answer.is_empty() {
                // Wait until the client gives up.
                let _ = stream.read(&mut [0; 16]);
            } else {
                stream.write_all(answer.as_bytes()).unwrap();
            }
        }
        got
    });
    (port, thread)
}
