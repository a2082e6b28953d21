//! The watcher runs as long as it is needed, and uses few resources.

use std::fs;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use base::processes;
use rustix::process::{Signal, kill_process_group};

use super::{place, wait_until, watchers_of};

fn is_gone(pid: i32) -> bool {
    processes::process(pid).is_none_or(|p| p.zombie)
}

#[test]
fn a_command_that_ends_early_ends_the_watch() {
    let place = place("early");
    place.manager.confirm();
    let began = Instant::now();
    let running = place.run(&["--ready", "tcp:1", "--ready", "file:x"], &["sh", "-c", "sleep .2; exit 7"]);
    let pid = running.pid();
    wait_until("it is watched", || !watchers_of(pid).is_empty());
    let (status, _, stderr) = running.outcome();
    assert_eq!(status, 7);
    assert_eq!(
        stderr,
        "error: the command ended before it was ready: waiting for port 1, 0 s: no process is listening\n"
    );
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(watchers_of(pid).is_empty());
}

/// When there is nothing left to watch, the watcher ends and only the command runs.
#[test]
fn it_ends_when_the_command_is_ready() {
    let place = place("ready_gone");
    let running = place.run(&["--ready", "file:/"], &["sleep", "60"]);
    place.manager.wait_for("READY=1");
    wait_until("it has gone", || running.watchers().is_empty());
    assert!(processes::descendants(running.pid()).is_empty());
}

/// A command that waits for all its children must not wait for the watcher.
#[test]
fn the_command_has_no_child_that_it_did_not_start() {
    let place = place("children");
    place.manager.confirm();
    let program = "try: os.wait()\nexcept ChildProcessError: print('none')";
    let running = place.python(&["--ready", "file:no", "--ready", "log:x"], program);
    assert_eq!(running.outcome().1, "none\n");
}

/// Ctrl-C reaches the foreground process group, and a stop of the unit reaches every process of the unit.
#[test]
fn signals_that_are_meant_for_the_command_do_not_end_it() {
    let place = place("group");
    let program = "trap '' INT TERM HUP; >up; while [ ! -e go ]; do sleep .05; done; >ready; exec sleep 60";
    let running = place.run(&["--ready", "file:ready"], &["sh", "-c", program]);
    wait_until("it is up", || place.path("up").exists());
    let watcher = running.watchers()[0];
    let groups = [running.pid(), watcher].map(|pid| processes::process(pid).unwrap().group);
    assert_ne!(groups[0], groups[1]);
    for signal in [Signal::INT, Signal::HUP, Signal::TERM] {
        let _ = kill_process_group(processes::pid(running.pid()).unwrap(), signal);
        let _ = rustix::process::kill_process(processes::pid(watcher).unwrap(), signal);
    }
    fs::write(place.path("go"), "").unwrap();
    place.manager.wait_for("READY=1");
}

/// The manager reports only a timeout. The journal also has the probe that did not pass.
#[test]
fn a_stop_during_the_start_says_what_was_missing() {
    let place = place("stop");
    let running = place.run(&["--ready", "tcp:127.0.0.1:1"], &["sleep", "60"]);
    place.manager.wait_for("STATUS=");
    let watcher = running.watchers()[0];
    let _ = rustix::process::kill_process(processes::pid(watcher).unwrap(), Signal::TERM);
    running.kill(Signal::TERM);
    let (status, _, stderr) = running.outcome();
    assert_eq!(status, 143);
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    assert!(
        lines[0].ends_with("before it was ready: waiting for 127.0.0.1:1, 0 s: no process is listening"),
        "{stderr}"
    );
}

/// Of the command's descriptors, the watcher keeps only standard error.
#[test]
fn it_holds_nothing_open_that_is_the_commands() {
    let place = place("open");
    let mut helper = place.helper(&["--ready", "file:no"], &["sh", "-c", "exec 1>&- 8>&-; exec sleep 60"]);
    // A descriptor that systemd or a shell passed to the command.
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "exec 8>lock; exec \"$0\" \"$@\""]).arg(helper.get_program()).args(helper.get_args());
    shell.env("NOTIFY_SOCKET", place.path("n")).current_dir(&*place.dir).stdout(std::process::Stdio::piped());
    shell.stderr(std::process::Stdio::null());
    helper.stdout(std::process::Stdio::null());
    let mut running = super::Running { child: shell.spawn().unwrap() };
    place.manager.wait_for("STATUS=");
    // The reader sees the end of the pipe while the command and the watcher still run.
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut running.child.stdout.take().unwrap(), &mut rest).unwrap();
    let watcher = running.watchers()[0];
    let open = |pid: i32| -> Vec<String> {
        let fds = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        fds.filter_map(|fd| Some(fs::read_link(fd.path()).ok()?.to_string_lossy().into_owned())).collect()
    };
    // A pipe exists until the manager confirms a message.
    place.manager.confirm();
    let pipe = |fd: &String| fd.starts_with("pipe:");
    wait_until("it has no pipe", || !open(watcher).iter().any(pipe));
    let fds = open(watcher);
    assert!(!fds.iter().any(|fd| fd.ends_with("/lock")), "{fds:?}");
}

/// A socket from systemd belongs to the command: it counts for probes, and the watcher does not hold it.
#[test]
fn a_passed_socket_stays_the_commands() {
    let place = place("passed");
    let listener = UnixListener::bind(place.path("u")).unwrap();
    let probe = format!("unix:{}", place.path("u").display());
    let program = "exec sleep 60";
    let mut helper = place.helper(&["--ready", &probe], &["sh", "-c", program]);
    helper.stdin(std::process::Stdio::from(std::os::fd::OwnedFd::from(listener)));
    let _running = super::Running { child: helper.spawn().unwrap() };
    place.manager.wait_for("READY=1");
}

/// The watcher is small and sleeps.
#[test]
fn it_costs_little() {
    let place = place("cost");
    for probe in ["tcp:1", "log:x", "file:/nowhere", "http://127.0.0.1:1", "exec:false"] {
        let running = place.run(&["--ready", probe, "--interval", "300ms"], &["sleep", "60"]);
        place.manager.wait_for("STATUS=");
        let watchers = running.watchers();
        let expected = if probe.starts_with("log") { 2 } else { 1 };
        assert_eq!(watchers.len(), expected, "{probe}");
        for pid in &watchers {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let field = |name: &str| -> u64 {
                let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap();
                line.trim().trim_end_matches(" kB").parse().unwrap()
            };
            eprintln!("{probe}: VmRSS {} kB", field("VmRSS:"));
            // The test binary is not optimized and has all its symbols.
            assert!(field("RssAnon:") < 256, "{status}");
        }
        running.kill(Signal::KILL);
        wait_until("they are gone", || watchers.iter().all(|pid| is_gone(*pid)));
    }
}
