//! A service counts as alive only while its health probe passes.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Place, Running, free_port, place};

/// Runs a command in a unit with this `WatchdogSec=`, in milliseconds.
fn watched(place: &Place, milliseconds: u64, options: &[&str], command: &[&str]) -> Running {
    let mut helper = place.helper(options, command);
    helper.env("WATCHDOG_USEC", (milliseconds * 1000).to_string());
    Running { child: helper.spawn().unwrap() }
}

#[test]
fn it_is_fed_while_the_probe_passes() {
    let place = place("fed");
    fs::write(place.path("well"), "").unwrap();
    let running = watched(&place, 400, &["--ready", "file:/", "--watchdog", "file:well"], &["sleep", "60"]);
    place.manager.wait_for("READY=1");
    let began = Instant::now();
    for _ in 0..5 {
        assert_eq!(place.manager.told(), "WATCHDOG=1");
    }
    // The notifications come every half interval, and never later than the whole interval.
    let took = began.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_millis(2000)).contains(&took), "{took:?}");
    fs::remove_file(place.path("well")).unwrap();
    assert_eq!(place.manager.wait_for("STATUS="), "STATUS=unhealthy: file well: does not exist");
    assert_eq!(place.manager.told_within(Duration::from_millis(600)), [""; 0]);
    fs::write(place.path("well"), "").unwrap();
    assert_eq!(place.manager.told(), "WATCHDOG=1\nSTATUS=answers again");
    running.kill(Signal::KILL);
    let (_, _, stderr) = running.outcome();
    assert_eq!(stderr, "warning: unhealthy: file well: does not exist\n");
}

/// A probe that hangs fails.
#[test]
fn a_hanging_probe_does_not_feed_it() {
    let place = place("starved");
    let port = free_port();
    let program = format!(
        "s = socket(); s.bind(('127.0.0.1', {port})); s.listen()
while not os.path.exists('hang'):
    c = s.accept()[0]; c.recv(999); c.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n'); c.close()
sleep(60)"
    );
    let program = format!("import os\nfrom socket import *\nfrom time import sleep\n{program}");
    let http = format!("http://127.0.0.1:{port}");
    let options = ["--ready", &http, "--watchdog", &http];
    let running = watched(&place, 400, &options, &["python3", "-c", &program]);
    place.manager.wait_for("READY=1");
    assert_eq!(place.manager.told(), "WATCHDOG=1");
    fs::write(place.path("hang"), "").unwrap();
    // The probe that was already running may still pass.
    let line = format!("STATUS=unhealthy: http://127.0.0.1:{port}: no answer within 0.1 s");
    assert_eq!(place.manager.wait_for("STATUS="), line);
    assert_eq!(place.manager.told_within(Duration::from_millis(500)), [""; 0]);
    drop(running);
    let exec = ["--ready", "file:/", "--watchdog", "exec:sleep 60"];
    let _running = watched(&place, 400, &exec, &["sleep", "60"]);
    assert_eq!(
        place.manager.wait_for("STATUS=unhealthy: command"),
        "STATUS=unhealthy: command sleep 60: no answer within 0.1 s"
    );
}

/// A stopped process still listens, and the kernel still accepts connections for it.
#[test]
fn a_stopped_listener_does_not_feed_it() {
    let place = place("stopped");
    let port = free_port();
    let program = format!(
        "from socket import *\nfrom time import sleep\ns = socket(); s.bind(('127.0.0.1', {port})); s.listen(); sleep(60)"
    );
    let tcp = format!("tcp:{port}");
    let running = watched(&place, 400, &["--ready", &tcp, "--watchdog", &tcp], &["python3", "-c", &program]);
    place.manager.wait_for("READY=1");
    assert_eq!(place.manager.told(), "WATCHDOG=1");
    running.kill(Signal::STOP);
    let status = place.manager.wait_for("STATUS=");
    assert_eq!(status, format!("STATUS=unhealthy: port {port}: the listening process is stopped"));
    running.kill(Signal::CONT);
    assert_eq!(place.manager.wait_for("WATCHDOG=1"), "WATCHDOG=1\nSTATUS=answers again");
}

/// A warning appears if `--watchdog` has no effect.
#[test]
fn a_unit_without_a_watchdog_is_warned_of() {
    let place = place("unwatched");
    for pid in ["", "1"] {
        let mut helper = place.helper(&["--ready", "file:/", "--watchdog", "file:/"], &["sleep", "60"]);
        if !pid.is_empty() {
            helper.env("WATCHDOG_USEC", "100000").env("WATCHDOG_PID", pid);
        }
        let running = Running { child: helper.spawn().unwrap() };
        place.manager.wait_for("READY=1");
        super::wait_until("the watcher has gone", || running.watchers().is_empty());
        running.kill(Signal::KILL);
        let warning = "warning: `--watchdog`: the unit has no `WatchdogSec=`: the command is not watched\n";
        assert_eq!(running.outcome().2, warning);
    }
}

/// Each check of a port wakes the watcher once.
#[test]
fn an_idle_watcher_wakes_once_an_interval() {
    let place = place("wakes");
    let running = watched(&place, 1000, &["--ready", "file:/", "--watchdog", "file:/"], &["sleep", "60"]);
    place.manager.wait_for("READY=1");
    let watcher = running.watchers()[0];
    let switches = || -> u64 {
        let status = fs::read_to_string(format!("/proc/{watcher}/status")).unwrap();
        status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok()).unwrap()
    };
    assert_eq!(place.manager.told(), "WATCHDOG=1");
    std::thread::sleep(Duration::from_millis(100));
    let before = switches();
    for _ in 0..4 {
        assert_eq!(place.manager.told(), "WATCHDOG=1");
    }
    std::thread::sleep(Duration::from_millis(100));
    let woken = switches() - before;
    eprintln!("{woken} times awake in 4 intervals");
    assert_eq!(woken, 4);
}
