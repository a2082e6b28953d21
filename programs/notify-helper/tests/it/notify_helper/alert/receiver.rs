//! A web server of one connection after the other, which answers what it is told to.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

/// A web server that answers as it is told, and gives what it was sent; nothing as an answer means never.
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
                // Until the other side has had enough.
                let _ = stream.read(&mut [0; 16]);
            } else {
                stream.write_all(answer.as_bytes()).unwrap();
            }
        }
        got
    });
    (port, thread)
}
