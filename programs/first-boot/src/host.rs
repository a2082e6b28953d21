//! The host name.

use std::fs;
use std::path::Path;

use base::failure::reason;

use crate::{durable, template};

const HOSTS: &str = include_str!("files/hosts");
/// Debian's address for the machine's own name.
const OWN: &str = "127.0.1.1";

/// Sets the host name, now and for later boots.
pub(super) fn apply(name: &str) -> Result<(), String> {
    let failed = |path: &str, e: std::io::Error| format!("`{path}`: {}", reason(&e));
    let short = name.split('.').next().unwrap_or(name);
    let names = if short == name { name.to_owned() } else { format!("{name} {short}") };
    let line = template::filled(HOSTS, &[("address", OWN), ("names", &names)]);
    let old = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let others: Vec<&str> = old.lines().filter(|l| l.split_whitespace().next() != Some(OWN)).collect();
    let hosts = others.iter().map(|l| format!("{l}\n")).collect::<String>() + &line;
    // Without its own name in /etc/hosts, the machine waits for a name server at each sudo.
    durable::replace(Path::new("/etc/hosts"), Some(0o644), hosts.as_bytes())
        .map_err(|e| failed("/etc/hosts", e))?;
    durable::replace(Path::new("/etc/hostname"), Some(0o644), format!("{name}\n").as_bytes())
        .map_err(|e| failed("/etc/hostname", e))?;
    rustix::system::sethostname(name.as_bytes()).map_err(|e| format!("the kernel: {}", reason(&e.into())))
}
