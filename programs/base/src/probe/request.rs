//! An http probe: the request and the expected response. Hosts are IP addresses or `localhost`.

use regex_lite::Regex;

use super::port::Port;

/// A request and the expected response.
#[derive(Debug)]
pub struct Request {
    /// The original text.
    pub name: String,
    /// Address and port.
    pub port: Port,
    /// Path, from the first slash on.
    pub path: String,
    /// `Host:` of the request.
    pub host: String,
    /// Range of statuses that pass.
    pub status: (u16, u16),
    /// Pattern that the body must match.
    pub body: Option<Regex>,
}

impl Request {
    /// Parses the text after `http:`, with or without another `http:`; the error is the reason.
    pub fn parse(text: &str) -> Result<Request, String> {
        if text.starts_with("https:") {
            return Err("https is not supported: probe a plain http URL, or use exec:curl".into());
        }
        let rest = text.strip_prefix("http:").unwrap_or(text);
        let rest = rest
            .strip_prefix("//")
            .ok_or("invalid URL: expected for example http://127.0.0.1:8080/health")?;
        if rest.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return Err("a URL must not contain blanks".into());
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
