//! Finds the owner of a socket: a listener or a connection counts only if a process of the service's cgroup
//! holds it.
//!
//! Another program may have the port: an instance started by hand, another unit, or a leftover of the last
//! run. The kernel lists the sockets of a network namespace with their inodes (`/proc/PID/net`), and the
//! descriptors of a process with their inodes (`/proc/PID/fd`). The first is read through the main process,
//! so that its own network namespace is used. The second is readable by the same user, as which the watcher
//! runs; it is read only if a listener exists.
//!
//! A program with file capabilities, or one that has changed its user, hides its descriptors. Then the user
//! that opened the socket counts.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use base::processes::{self, own_cgroup};

/// State of a listening socket in `/proc/net/tcp` (`TCP_LISTEN`).
const LISTEN: &str = "0A";

/// State of a connected socket (`TCP_ESTABLISHED`).
const CONNECTED: &str = "01";

/// How long an unchanged socket count means unchanged sockets: one may have replaced another.
const TRUSTED: Duration = Duration::from_millis(20);

/// Flag of a listening socket in `/proc/net/unix` (`SO_ACCEPTCON`).
const ACCEPTS: u32 = 0x10000;

/// The processes of the service.
#[derive(Debug)]
pub(crate) struct Service {
    main: i32,
    cgroup: Option<String>,
    /// A port without a listener, with the socket count and the time of that check.
    nobody: RefCell<Option<(u16, String, Instant)>>,
}

/// The result of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Socket {
    /// The service listens, on this address for network sockets.
    Ours(Option<IpAddr>),
    /// The service listens, but the process that accepts is stopped.
    Stopped,
    /// Another program listens.
    Foreign,
    /// No process listens.
    Nobody,
}

impl Socket {
    /// Returns the reason for people.
    pub(crate) fn why_not(self) -> &'static str {
        match self {
            Socket::Ours(_) => "",
            Socket::Stopped => "the listening process is stopped",
            Socket::Foreign => "a process of another unit is listening",
            Socket::Nobody => "no process is listening",
        }
    }
}

/// A line of the kernel's socket list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    address: IpAddr,
    inode: u64,
    user: u32,
}

impl Service {
    /// The service with this main process: all processes in its unit's cgroup, which this process shares. A
    /// command in a login session shares the cgroup with the whole session; then the service is the main
    /// process and its descendants.
    pub(crate) fn new(main: i32) -> Service {
        let executed = std::env::var("SYSTEMD_EXEC_PID").is_ok_and(|pid| pid.parse() == Ok(main));
        Service { main, cgroup: if executed { own_cgroup() } else { None }, nobody: RefCell::new(None) }
    }

    fn processes(&self) -> Vec<i32> {
        let Some(line) = &self.cgroup else {
            let below = processes::descendants(self.main);
            return below.iter().map(|p| p.pid).chain([self.main]).collect();
        };
        // Read the kernel's list of the cgroup first: it is short and usually complete.
        if let Some(path) = line.strip_prefix("0::") {
            let list = fs::read_to_string(format!("/sys/fs/cgroup{path}/cgroup.procs")).unwrap_or_default();
            let pids: Vec<i32> = list.lines().filter_map(|pid| pid.parse().ok()).collect();
            let has_children = fs::read_dir(format!("/sys/fs/cgroup{path}"))
                .is_ok_and(|all| all.flatten().any(|e| e.file_type().is_ok_and(|t| t.is_dir())));
            if !has_children && pids.contains(&self.main) {
                return pids;
            }
        }
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        let within = |pid: &i32| {
            let all = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
            all.lines().any(|l| l.strip_prefix(line.as_str()).is_some_and(below))
        };
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        all.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(within).collect()
    }

    /// Finds the process of the service that holds one of these sockets (inode, user).
    fn holds(&self, sockets: &[(u64, u32)]) -> Holder {
        let names: Vec<String> = sockets.iter().map(|(inode, _)| format!("socket:[{inode}]")).collect();
        let mut found = Holder::Nobody;
        for pid in self.processes() {
            let Ok(fds) = fs::read_dir(format!("/proc/{pid}/fd")) else {
                let user = hidden_user(pid);
                if user.is_some_and(|user| sockets.iter().any(|(_, u)| *u == user)) {
                    found = Holder::Running;
                }
                continue;
            };
            for fd in fds.flatten() {
                let Ok(target) = fs::read_link(fd.path()) else { continue };
                if !names.iter().any(|name| name.as_bytes() == target.as_os_str().as_bytes()) {
                    continue;
                }
                if !is_stopped(pid) {
                    return Holder::Running;
                }
                found = Holder::Stopped;
                break;
            }
        }
        found
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Running,
    Stopped,
    Nobody,
}

/// Searches for a listener of the service on that port, at one of these addresses; without addresses, at any.
///
/// Reading the kernel's socket list takes milliseconds on a machine with much memory, while reading its
/// counts takes no time.
pub(crate) fn tcp(service: &Service, hosts: &[IpAddr], port: u16) -> Socket {
    let (count, now) = (count(service), Instant::now());
    let nobody = service.nobody.take();
    if nobody.as_ref().is_some_and(|(of, before, at)| *of == port && *before == count && now - *at < TRUSTED)
    {
        service.nobody.replace(nobody);
        return Socket::Nobody;
    }
    let found = look(service, hosts, port);
    service.nobody.replace((found == Socket::Nobody).then_some((port, count, now)));
    found
}

/// Returns the number of sockets.
fn count(service: &Service) -> String {
    let read = |list| fs::read_to_string(format!("/proc/{}/net/{list}", service.main)).unwrap_or_default();
    read("sockstat") + &read("sockstat6")
}

fn look(service: &Service, hosts: &[IpAddr], port: u16) -> Socket {
    let mut entries = entries(service, |lines, into| listening(lines, port, into));
    entries.retain(|e| hosts.is_empty() || hosts.iter().any(|host| reaches(e.address, *host)));
    let sockets: Vec<(u64, u32)> = entries.iter().map(|e| (e.inode, e.user)).collect();
    find_owner(service, &sockets, entries.first().map(|e| e.address))
}

/// Searches for a connection of the service to that port, at one of these addresses; without addresses, at
/// any.
pub(crate) fn connected(service: &Service, hosts: &[IpAddr], port: u16) -> Socket {
    let mut entries = entries(service, |lines, into| established(lines, port, into));
    entries.retain(|e| hosts.is_empty() || hosts.contains(&e.address.to_canonical()));
    let sockets: Vec<(u64, u32)> = entries.iter().map(|e| (e.inode, e.user)).collect();
    find_owner(service, &sockets, None)
}

/// Returns what `take` finds in the lists of both address families.
fn entries(service: &Service, take: impl Fn(BufReader<File>, &mut Vec<Entry>)) -> Vec<Entry> {
    let mut entries = Vec::new();
    for list in ["tcp", "tcp6"] {
        // A process that has just ended has no socket list any more.
        let file = File::open(format!("/proc/{}/net/{list}", service.main))
            .or_else(|_| File::open(format!("/proc/self/net/{list}")));
        if let Ok(file) = file {
            take(BufReader::with_capacity(2048, file), &mut entries);
        }
    }
    entries
}

/// Searches for a listener of the service at that path, or with that abstract name after an `@`.
pub(crate) fn unix(service: &Service, path: &str) -> Socket {
    let file =
        File::open(format!("/proc/{}/net/unix", service.main)).or_else(|_| File::open("/proc/self/net/unix"));
    let Ok(file) = file else { return Socket::Nobody };
    let real = fs::canonicalize(path).unwrap_or_default();
    let user = fs::metadata(path).map_or(u32::MAX, |m| m.uid());
    let mut sockets = Vec::new();
    each_line(BufReader::with_capacity(2048, file), |line| {
        if let Some((inode, name)) = parse_unix(line) {
            // The name is what the program bound, which may be relative to a directory we do not know.
            let relative = !name.starts_with(['/', '@']) && std::path::Path::new(path).ends_with(name);
            if name == path || relative || real.as_os_str() == name {
                sockets.push((inode, user));
            }
        }
        true
    });
    find_owner(service, &sockets, None)
}

fn find_owner(service: &Service, sockets: &[(u64, u32)], address: Option<IpAddr>) -> Socket {
    if sockets.is_empty() {
        return Socket::Nobody;
    }
    match service.holds(sockets) {
        Holder::Running => Socket::Ours(address),
        Holder::Stopped => Socket::Stopped,
        Holder::Nobody => Socket::Foreign,
    }
}

/// Calls `take` with each line until it returns true, without loading the whole list into memory.
fn each_line(mut lines: impl BufRead, mut take: impl FnMut(&str) -> bool) {
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        if std::str::from_utf8(&line).is_ok_and(|l| !take(l.trim_end())) {
            return;
        }
        line.clear();
    }
}

fn listening(lines: impl BufRead, port: u16, into: &mut Vec<Entry>) {
    each_line(lines, |line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        if fields.first() == Some(&"sl") {
            return true;
        }
        // Listening sockets come first.
        if fields.get(3) != Some(&LISTEN) {
            return false;
        }
        into.extend(parse_tcp(&fields, 1).filter(|(_, p)| *p == port).map(|(entry, _)| entry));
        true
    });
}

/// Collects sockets that are connected to that port, with the address of the other end.
fn established(lines: impl BufRead, port: u16, into: &mut Vec<Entry>) {
    each_line(lines, |line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        if fields.get(3) == Some(&CONNECTED) {
            into.extend(parse_tcp(&fields, 2).filter(|(_, p)| *p == port).map(|(entry, _)| entry));
        }
        true
    });
}

/// Parses a line; `end` is the column of the address: 1 for the local end, 2 for the other.
fn parse_tcp(fields: &[&str], end: usize) -> Option<(Entry, u16)> {
    let (address, port) = fields.get(end)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |n: usize| u32::from_str_radix(address.get(n * 8..n * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let mut bytes = [0; 16];
            bytes.copy_from_slice(words.as_flattened());
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some((Entry { address, user: fields.get(7)?.parse().ok()?, inode: fields.get(9)?.parse().ok()? }, port))
}

/// Returns inode and name of a socket that accepts connections or receives datagrams.
fn parse_unix(line: &str) -> Option<(u64, &str)> {
    let mut fields = line.split_ascii_whitespace();
    let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
    let datagram = fields.next()? == "0002";
    let inode = fields.nth(1)?;
    // The name may contain blanks: it is the rest of the line after the inode.
    let name = line.split_once(&format!(" {inode} "))?.1;
    (flags & ACCEPTS != 0 || datagram).then_some(())?;
    Some((inode.parse().ok()?, name))
}

/// Returns whether a client of `host` can reach a socket bound to `bound`. `::` accepts both address families
/// unless the program forbids that, which is not visible from outside.
fn reaches(bound: IpAddr, host: IpAddr) -> bool {
    let bound = bound.to_canonical();
    match bound {
        IpAddr::V6(address) if address.is_unspecified() => true,
        IpAddr::V4(address) if address.is_unspecified() => host.is_ipv4(),
        _ => bound == host || host.is_unspecified() && bound.is_ipv4() == host.is_ipv4(),
    }
}

/// Returns the user of a process that hides its descriptors.
fn hidden_user(pid: i32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|l| l.strip_prefix("Uid:")?.split_ascii_whitespace().nth(1)?.parse().ok())
}

fn is_stopped(pid: i32) -> bool {
    let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.iter().rposition(|&b| b == b')').and_then(|at| stat.get(at + 2));
    matches!(state, Some(b'T' | b't'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nobody_on_one_port_says_nothing_of_another() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Service::new(std::process::id() as i32);
        assert_eq!(tcp(&service, &[], 1), Socket::Nobody);
        let port = listener.local_addr().unwrap().port();
        assert_eq!(tcp(&service, &[], port), Socket::Ours(Some(Ipv4Addr::LOCALHOST.into())));
    }

    #[test]
    fn the_kernels_lists() {
        let list = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1FF5 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0\n   \
            1: 00000000000000000000000001000000:1FF5 00000000000000000000000000000000:0000 0A 00000000:00000000 \
            00:00000000 00000000     7        0 43 1 0\n   \
            2: 0100007F:1FF5 0100007F:9000 01 00000000:00000000 00:00000000 00000000  1000        0 44 1 0\n";
        let mut entries = Vec::new();
        listening(list.as_bytes(), 0x1FF5, &mut entries);
        let expected = [("127.0.0.1", 4242, 1000), ("::1", 43, 7)];
        let expected = expected.map(|(a, inode, user)| Entry { address: a.parse().unwrap(), inode, user });
        assert_eq!(entries, expected);
        let mut entries = Vec::new();
        established(list.as_bytes(), 0x9000, &mut entries);
        assert_eq!(entries, [Entry { address: "127.0.0.1".parse().unwrap(), inode: 44, user: 1000 }]);
        let line = "0000000000000000: 00000002 00000000 00010000 0001 01 4711 /run/a b";
        assert_eq!(parse_unix(line), Some((4711, "/run/a b")));
        assert_eq!(parse_unix("0000000000000000: 00000003 00000000 00000000 0001 03 4712 /run/a"), None);
    }

    #[test]
    fn addresses() {
        let reaches = |bound: &str, host: &str| super::reaches(bound.parse().unwrap(), host.parse().unwrap());
        for (bound, host) in
            [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::", "::1"), ("::ffff:127.0.0.1", "127.0.0.1")]
        {
            assert!(reaches(bound, host), "{bound} {host}");
        }
        for (bound, host) in [("0.0.0.0", "::1"), ("127.0.0.2", "127.0.0.1"), ("::1", "127.0.0.1")] {
            assert!(!reaches(bound, host), "{bound} {host}");
        }
    }
}
