//! The process tree from `/proc`. A snapshot is never quite consistent, so callers that must reach all
//! processes repeat until no new one appears.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use rustix::process::Pid;

/// A process at the time of the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Process ID.
    pub pid: i32,
    /// ID of the parent; of a subreaper after the parent has ended.
    pub parent: i32,
    /// Process group, which a terminal's Ctrl-C reaches.
    pub group: i32,
    /// Start time in clock ticks since boot, which distinguishes it from a later process with the same ID.
    pub started: u64,
    /// The process has ended, but its parent has not reaped it.
    pub zombie: bool,
}

/// Returns a process by ID, if it exists and is visible.
pub fn process(pid: i32) -> Option<Process> {
    // One read returns the whole line; more reads per process would be slow with many processes.
    let mut line = [0; 1024];
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
    parse(pid, &line[..length])
}

/// Returns the ID of this process.
pub fn this() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// Returns the ID of the systemd that started this process, or `None` if another process did.
///
/// Every process below a service inherits `INVOCATION_ID` and `NOTIFY_SOCKET`, but `SYSTEMD_EXEC_PID` names
/// the process that systemd executed. systemd before 248 does not set it; then a launch counts as one by
/// hand, which only reads the same environment file again.
pub fn manager_pid() -> Option<i32> {
    let executed = std::env::var("SYSTEMD_EXEC_PID").ok()?.parse::<i32>().ok()?;
    let parent = rustix::process::getppid().map_or(0, |p| p.as_raw_nonzero().get());
    (executed == this()).then_some(parent)
}

/// Returns all visible processes.
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| process(e.file_name().to_str()?.parse().ok()?)).collect()
}

/// Returns the children of `parent`.
pub fn children(parent: i32) -> Vec<Process> {
    all().into_iter().filter(|p| p.parent == parent).collect()
}

/// Returns all descendants of `ancestor`, without zombies.
pub fn descendants(ancestor: i32) -> Vec<Process> {
    let all = all();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![ancestor];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|p| p.parent == parent) {
            parents.push(process.pid);
            found.push(*process);
        }
    }
    found.retain(|p| !p.zombie);
    found
}

/// Returns the real user of a process, which is readable even if the process is not dumpable.
pub fn read_user(pid: i32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|l| l.strip_prefix("Uid:"))?.split_whitespace().next()?.parse().ok()
}

/// Returns the control group: of the unified hierarchy, or of systemd's own.
pub fn read_cgroup(pid: i32) -> Option<String> {
    let all = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let path = |of: &str| all.lines().find_map(|l| Some(l.split_once(of)?.1)).filter(|path| path.len() > 1);
    path("0::").or_else(|| path(":name=systemd:")).map(str::to_owned)
}

/// Returns the line of `/proc/self/cgroup` with the unit: of the unified hierarchy, or of systemd's own.
pub fn own_cgroup() -> Option<String> {
    let all = fs::read_to_string("/proc/self/cgroup").ok()?;
    let named = |prefix: &str| {
        all.lines().find(|l| l.split_once(prefix).is_some_and(|(_, path)| path.len() > 1)).map(str::to_owned)
    };
    named("0::").or_else(|| named(":name=systemd:"))
}

/// Returns whether the process runs that program, as far as this user can see. With an emulator or
/// interpreter, the program is the second argument.
pub fn runs(pid: i32, program: &str) -> bool {
    let is_it = |path: &[u8]| path.rsplit(|&b| b == b'/').next() == Some(program.as_bytes());
    if let Ok(executable) = fs::read_link(format!("/proc/{pid}/exe")) {
        let path = executable.as_os_str().as_bytes();
        // An upgrade has replaced the file.
        if is_it(path.strip_suffix(b" (deleted)").unwrap_or(path)) {
            return true;
        }
    }
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    arguments.split(|&b| b == 0).take(2).any(is_it)
}

/// Converts an ID for system calls.
pub fn pid(number: i32) -> Option<Pid> {
    Pid::from_raw(number)
}

/// Parses `/proc/PID/stat`. The name in parentheses may contain spaces and parentheses.
fn parse(pid: i32, stat: &[u8]) -> Option<Process> {
    let end_of_name = stat.iter().rposition(|&b| b == b')')?;
    let rest = std::str::from_utf8(stat.get(end_of_name + 2..)?).ok()?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    // The start time is field 22 of the line, the group is field 5.
    let started = fields.nth(16)?.parse().ok()?;
    Some(Process { pid, parent, group, started, zombie: matches!(state, "Z" | "X") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces() {
        let line = b"12 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 99 1\n";
        let expected = Process { pid: 12, parent: 1, group: 7, started: 4242, zombie: false };
        assert_eq!(parse(12, line), Some(expected));
    }

    #[test]
    fn this_process_is_among_all() {
        assert!(all().iter().any(|p| p.pid == this()));
    }
}
