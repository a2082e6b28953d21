//! A TCP port and the addresses that a probe accepts for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A port, on any address unless some are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Accepted addresses; empty accepts any.
    pub hosts: Vec<IpAddr>,
    /// Port number.
    pub number: u16,
    /// The text that was parsed, for messages.
    pub name: String,
}

impl Port {
    /// Parses `PORT`, `HOST:PORT` or `[HOST]:PORT`; the host is an address or `localhost`.
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
                // `::1:80` is also an address without a port.
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
