//! The processes of a unit's control group, and their names.
//!
//! A name must match exactly: the last component of the first argument; for an interpreter, also that of the
//! script or module. Other arguments do not count.

use std::fs;
use std::path::{Path, PathBuf};

use base::processes;
use base::report::Process;

/// Mount points of systemd's hierarchy: unified, hybrid and legacy.
const ROOTS: [&str; 3] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"];

/// Interpreters, by the start of their names, with their options that take a value.
const INTERPRETERS: [(&str, &str); 9] = [
    ("python", "WX"),
    ("bash", "oO"),
    ("dash", "o"),
    ("sh", "o"),
    ("zsh", "o"),
    ("perl", "I"),
    ("ruby", "IrC"),
    ("node", "r"),
    ("lua", "l"),
];

/// Returns the processes of a control group and its descendants, sorted by ID.
pub fn processes(cgroup: &str) -> Vec<Process> {
    let mut pids = Vec::new();
    if let Some(folder) = folder(cgroup) {
        collect(&folder, &mut pids, 0);
    }
    pids.sort_unstable();
    pids.into_iter().filter_map(process).collect()
}

/// Returns all visible processes.
pub fn everywhere() -> Vec<Process> {
    processes::all().into_iter().filter_map(|p| process(p.pid)).collect()
}

/// Returns whether one of the processes has this name.
pub fn is_there(processes: &[Process], name: &str) -> bool {
    processes.iter().any(|process| process.names.iter().any(|n| n == name))
}

/// Returns the memory of the processes themselves, if systemd does not count the unit's memory.
pub fn memory(processes: &[Process]) -> Option<u64> {
    let own = |process: &Process| {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).ok()?;
        let kilobytes = |name: &str| -> Option<u64> {
            status.lines().find_map(|l| l.strip_prefix(name))?.trim().strip_suffix(" kB")?.parse().ok()
        };
        Some((kilobytes("RssAnon:")? + kilobytes("RssShmem:")?) * 1024)
    };
    let all: Vec<u64> = processes.iter().filter_map(own).collect();
    (!all.is_empty()).then(|| all.iter().sum())
}

/// Returns the names of a process from its command line.
pub fn names(arguments: &[u8]) -> Vec<String> {
    let mut words = arguments.split(|&b| b == 0);
    let Some(program) = words.next().map(last).filter(|name| !name.is_empty()) else { return Vec::new() };
    // The name of a login shell begins with a hyphen.
    let program = program.trim_start_matches('-').to_owned();
    let versioned = |rest: &str| rest.chars().all(|c| c.is_ascii_digit() || c == '.');
    let interpreter = INTERPRETERS.iter().find(|(name, _)| program.strip_prefix(name).is_some_and(versioned));
    let mut found = vec![program.clone()];
    if let Some((name, with_value)) = interpreter {
        found.extend(script(words, name, with_value).filter(|script| *script != program));
    }
    found
}

fn folder(cgroup: &str) -> Option<PathBuf> {
    let below = cgroup.strip_prefix('/').filter(|below| !below.is_empty())?;
    ROOTS.iter().map(|root| Path::new(root).join(below)).find(|path| path.join("cgroup.procs").exists())
}

fn collect(folder: &Path, pids: &mut Vec<i32>, depth: u32) {
    let list = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    pids.extend(list.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
    // No unit delegates more levels.
    if depth < 16 {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let folders = entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
        folders.for_each(|below| collect(&below.path(), pids, depth + 1));
    }
}

/// Returns the process unless it has ended: an ended process has no arguments.
fn process(pid: i32) -> Option<Process> {
    let names = names(&fs::read(format!("/proc/{pid}/cmdline")).ok()?);
    (!names.is_empty()).then_some(Process { pid, names })
}

/// Returns what an interpreter runs: the first argument that is not an option, or Python's module after `-m`.
fn script<'a>(
    mut words: impl Iterator<Item = &'a [u8]>,
    interpreter: &str,
    with_value: &str,
) -> Option<String> {
    while let Some(word) = words.next() {
        let word = String::from_utf8_lossy(word);
        match word.strip_prefix('-') {
            None | Some("") => return Some(last(word.as_bytes())).filter(|name| !name.is_empty()),
            Some("-") => return words.next().map(last).filter(|name| !name.is_empty()),
            Some(options) if options.starts_with('-') => {}
            // Combined short options: the first one with a value ends them.
            Some(options) => {
                for (at, letter) in options.char_indices() {
                    let rest = &options[at + letter.len_utf8()..];
                    if letter == 'm' && interpreter == "python" {
                        let module = if rest.is_empty() { words.next().map(text)? } else { rest.to_owned() };
                        return Some(module);
                    }
                    if letter == 'c'
                        || letter == 'e' && matches!(interpreter, "perl" | "ruby" | "node" | "lua")
                    {
                        return None;
                    }
                    if with_value.contains(letter) {
                        if rest.is_empty() {
                            words.next();
                        }
                        break;
                    }
                }
            }
        }
    }
    None
}

fn last(word: &[u8]) -> String {
    text(word.rsplit(|&b| b == b'/').next().unwrap_or_default())
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[track_caller]
    fn check(command: &str, expected: &[&str]) {
        let arguments: String = command.split(' ').map(|word| format!("{word}\0")).collect();
        assert_eq!(names(arguments.as_bytes()), expected, "{command}");
    }

    #[test]
    fn programs_and_scripts() {
        check("/opt/x/lidar --port 1", &["lidar"]);
        check("sleep 9", &["sleep"]);
        check("-bash", &["bash"]);
        check("/usr/bin/python3 /opt/ros/jazzy/bin/ros2 launch a b", &["python3", "ros2"]);
        check("/usr/bin/python3.12 -u -W ignore -Xdev /opt/node.py --name lidar", &["python3.12", "node.py"]);
        check("python3 -m hakuriver.cli.host --config x", &["python3", "hakuriver.cli.host"]);
        check("python3 -um weather", &["python3", "weather"]);
        check("/bin/sh -e /opt/start lidar", &["sh", "start"]);
        check("bash -o pipefail /opt/start", &["bash", "start"]);
        check("perl -I /lib -- /opt/x.pl", &["perl", "x.pl"]);
        check("", &[]);
    }

    #[test]
    fn what_only_stands_on_the_command_line_is_no_name() {
        for command in [
            "/usr/bin/tail -f /var/log/lidar",
            "python3 -c lidar",
            "bash -c lidar lidar",
            "/opt/lidar/bin/node",
            "/opt/lidar2",
            "perl -ne lidar lidar",
            "pythonic lidar",
            "python3 --version",
            "sudo lidar",
        ] {
            let arguments = command.replace(' ', "\0");
            assert!(!names(arguments.as_bytes()).contains(&"lidar".to_owned()), "{command}");
        }
    }
}
