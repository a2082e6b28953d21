//! HTTP probes: the request and the expected response. A host is an IP address or `localhost`: a probe resolves no
//! names, and it never waits for a DNS server.

use regex_lite::Regex;

use super::port::Port;

pub(super) const NO_HTTPS: &str = "https is not supported: use a plain http URL, or exec:curl";

/// An HTTP request and the response that passes.
#[derive(Debug)]
pub struct Request {
    /// The URL, for messages.
    pub name: String,
    /// The server's addresses and port.
    pub port: Port,
    /// Path and query.
    pub path: String,
    /// Value of the `Host:` header.
    pub host: String,
    /// Lowest and highest status that pass.
    pub status: (u16, u16),
    /// Expression that the body must match.
    pub body: Option<Regex>,
}

impl Request {
    /// Parses the URL after `http:`, with or without its own `http:`; an error says why it is invalid.
    pub fn parse(text: &str) -> Result<Request, String> {
        if text.starts_with("https:") {
            return Err(NO_HTTPS.into());
        }
        let rest = text.strip_prefix("http:").unwrap_or(text);
        let rest = rest.strip_prefix("//").ok_or("expected a URL such as http://127.0.0.1:8080/health")?;
        if rest.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err("a URL cannot contain spaces or control characters".into());
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let with_port = if has_port { host.to_owned() } else { format!("{host}:80") };
        let port = Port::parse(&with_port).filter(|port| !port.hosts.is_empty());
        let port = port.ok_or("the host must be an IP address or localhost")?;
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Request {
            name: format!("http://{rest}"),
            port,
            path: format!("{slash}{path}"),
            host: host.to_owned(),
            status: (200, 399),
            body: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let request = Request::parse("//127.0.0.1:8080/a?b#c").unwrap();
        assert_eq!((request.port.number, &*request.path, &*request.host), (8080, "/a?b", "127.0.0.1:8080"));
        let request = Request::parse("http://[::1]").unwrap();
        assert_eq!((request.port.number, &*request.path, &*request.host), (80, "/", "[::1]"));
        assert_eq!(Request::parse("//localhost?x").unwrap().path, "/?x");
        for wrong in
            ["//example.org/", "127.0.0.1", "//", "//127.0.0.1:0/", "//127.0.0.1/a b", "https://127.0.0.1"]
        {
            assert!(Request::parse(wrong).is_err(), "{wrong}");
        }
    }
}
