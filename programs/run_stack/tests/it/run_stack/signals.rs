//! Each launched process receives a stop signal exactly once, whichever process sends it, and every stop ends.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::{Place, Running, is_alive, kill, killed_by, place, wait_until};

/// Signals within this time count as one request.
const ONE_REQUEST: Duration = Duration::from_millis(200);

/// Processes in the group, outside of it, and a daemon.
const NAMES: [&str; 4] = ["launch", "node", "outsider", "daemon"];

fn tree(test: &str) -> Place {
    let tree = place(test, &[("a", json!({}))]);
    let argv = tree.tree(&["node", "+outsider", "-daemon"]);
    place(test, &[("a", json!({ "launch": { "argv": argv } }))])
}

/// Waits until run_stack and its processes have handled all earlier signals. run_stack forwards a `SIGUSR1` to the
/// launch, and then each process gets a `SIGUSR2`, which Python handles after a `SIGINT`.
fn settle(place: &Place, running: &Running) {
    by_another(place, running, "USR1");
    wait_until("the launch has SIGUSR1", || place.signals("launch").contains("SIGUSR1"));
    for name in NAMES {
        place.send(name, Signal::USR2);
        wait_until("a process has SIGUSR2", || place.signals(name).contains("SIGUSR2"));
    }
}

/// Sends a signal to run_stack alone, from a process that did not start it.
fn by_another(place: &Place, running: &Running, signal: &str) {
    let kill = format!("kill -{signal} {}", running.pid());
    assert!(place.program("sh").args(["-c", &kill]).status().unwrap().success());
}

#[track_caller]
fn each_saw(place: &Place, running: &Running, expected: &str) {
    let first = expected.split(' ').next().unwrap();
    for name in NAMES {
        wait_until(&format!("{name} sees {first}"), || place.signals(name).contains(first));
    }
    settle(place, running);
    for name in NAMES {
        let seen = place.signals(name).replace(" SIGUSR1", "").replace(" SIGUSR2", "");
        assert_eq!(seen, expected, "{name}");
    }
}

#[test]
fn kill_int_from_anybody() {
    let place = tree("kill_int");
    let running = place.start(&mut place.command(&["a"]), &NAMES);
    running.kill(Signal::INT);
    each_saw(&place, &running, "SIGINT");
    place.end(5);
    assert_eq!(running.outcome().status.code(), Some(5));
}

#[test]
fn term_and_hangup_mean_the_clean_way() {
    for (name, signal) in [("kill_term", Signal::TERM), ("kill_hup", Signal::HUP)] {
        let place = tree(name);
        let running = place.start(&mut place.command(&["a"]), &NAMES);
        running.kill(signal);
        each_saw(&place, &running, "SIGINT");
        place.end(0);
        assert_eq!(running.outcome().status.code(), Some(0));
    }
}

/// A launch that is interrupted while it starts its nodes may start one more before it handles the signal. That node
/// must not keep the launch alive, whoever stops the launch.
#[test]
fn a_node_that_starts_after_the_stop_is_told() {
    let late = |test: &str| {
        let argv = place(test, &[]).tree(&["node", "~late", "~~later"]);
        place(test, &[("a", json!({ "launch": { "argv": argv } }))])
    };
    let each_was_told_once = |place: &Place, running: Running| {
        for name in ["launch", "node", "late", "later"] {
            wait_until(&format!("{name} is told"), || place.signals(name).contains("SIGINT"));
        }
        place.end(0);
        running.outcome();
        for name in ["launch", "node", "late", "later"] {
            assert_eq!(place.signals(name), "SIGINT", "{name}");
        }
    };
    let place = late("late_by_hand");
    let running = place.start(&mut place.command(&["a"]), &["node", "launch"]);
    running.kill(Signal::INT);
    each_was_told_once(&place, running);

    let place = late("late_in_a_unit");
    let running = place.start(&mut place.command_of_unit(&["a"]), &["node", "launch"]);
    running.kill(Signal::INT);
    ["launch", "node"].iter().for_each(|name| place.send(name, Signal::INT));
    each_was_told_once(&place, running);
}

/// Processes that the nodes start in order to shut down are left alone, as Ctrl-C in a terminal leaves them.
#[test]
fn a_node_that_cleans_up_is_left_alone() {
    let argv = place("clean_up", &[]).tree(&["node", "cleaner!helper"]);
    let place = place("clean_up", &[("a", json!({ "launch": { "argv": argv } }))]);
    let running = place.start(&mut place.command(&["a"]), &["node", "cleaner", "launch"]);
    running.kill(Signal::INT);
    wait_until("the helper runs", || place.pid("helper").is_some());
    // Longer than run_stack looks for processes that start late.
    std::thread::sleep(Duration::from_millis(1800));
    place.end(0);
    running.outcome();
    assert_eq!((place.signals("cleaner").as_str(), place.signals("helper").as_str()), ("SIGINT", ""));
}

/// This process acts as the manager and signals every process of the unit, as systemd does.
#[test]
fn the_manager_stops_the_unit() {
    let place = tree("manager");
    let running = place.start(&mut place.command_of_unit(&["a"]), &NAMES);
    running.kill(Signal::INT);
    NAMES.iter().for_each(|name| place.send(name, Signal::INT));
    each_saw(&place, &running, "SIGINT");
    place.end(0);
    assert_eq!(running.outcome().status.code(), Some(0));
}

/// A process other than the manager signals the main process of a unit.
#[test]
fn an_admin_kills_the_main_process_of_a_unit() {
    let place = tree("unit_kill");
    let running = place.start(&mut place.command_of_unit(&["a"]), &NAMES);
    by_another(&place, &running, "INT");
    each_saw(&place, &running, "SIGINT");
    place.end(0);
    running.outcome();
}

/// On a real terminal, the kernel sends Ctrl-C to the foreground process group.
#[test]
fn ctrl_c_in_a_terminal() {
    let place = tree("ctrl_c");
    let (mut keyboard, mut command) = in_terminal(&place, &["a"]);
    let running = place.start(&mut command, &NAMES);
    keyboard.write_all(b"\x03").unwrap();
    each_saw(&place, &running, "SIGINT");
    place.end(0);
    assert_eq!(running.outcome().status.code(), Some(0));
}

/// When the connection is lost, the kernel signals only the session leader, here run_stack.
#[test]
fn the_terminal_goes_away() {
    let place = tree("hangup");
    let (keyboard, mut command) = in_terminal(&place, &["a"]);
    let running = place.start(&mut command, &NAMES);
    drop((keyboard, command));
    each_saw(&place, &running, "SIGINT");
    place.end(0);
    assert_eq!(running.outcome().status.code(), Some(0));
}

#[test]
fn nohup_is_respected() {
    let place = tree("nohup");
    let mut command = place.program("nohup");
    command.arg(place.path("lib/run_stack")).arg("a");
    let running = place.start(&mut command, &NAMES);
    running.kill(Signal::HUP);
    settle(&place, &running);
    assert_eq!(place.signals("node"), "SIGUSR2");
    place.end(0);
    running.outcome();
}

/// The second request sends a stronger signal, and the third kills all processes.
#[test]
fn whoever_asks_again_means_it() {
    let place = tree("again");
    let running = place.start(&mut place.command(&["a"]), &NAMES);
    running.kill(Signal::INT);
    wait_until("all saw SIGINT", || NAMES.iter().all(|n| place.signals(n) == "SIGINT"));
    // Two signals within this time are one request, so this test must wait for time to pass.
    std::thread::sleep(ONE_REQUEST);
    running.kill(Signal::INT);
    wait_until("all saw SIGTERM", || NAMES.iter().all(|n| place.signals(n) == "SIGINT SIGTERM"));
    std::thread::sleep(ONE_REQUEST);
    running.kill(Signal::INT);
    let pids = NAMES.map(|n| place.pid(n).unwrap());
    assert_eq!(killed_by(running.outcome().status), Some(9));
    assert_eq!(pids.map(is_alive), [false; 4]);
}

/// Some programs signal a process and then its group.
#[test]
fn signals_close_together_are_one_request() {
    let place = tree("together");
    let running = place.start(&mut place.command(&["a"]), &NAMES);
    running.kill(Signal::INT);
    running.kill(Signal::TERM);
    each_saw(&place, &running, "SIGINT");
    place.end(0);
    running.outcome();
}

/// A shell starts background jobs of a script with SIGINT ignored. A launch must receive it anyway.
#[test]
fn a_background_job_of_a_script() {
    let place = tree("background");
    let mut command = place.program("sh");
    let script = "\"$0\" a & echo $! >\"$HOME/pid\"; wait $!";
    command.args(["-c", script]).arg(place.path("lib/run_stack"));
    let running = place.start(&mut command, &NAMES);
    kill(place.read("home/pid").trim().parse().unwrap(), Signal::INT);
    wait_until("all saw SIGINT", || NAMES.iter().all(|n| place.signals(n) == "SIGINT"));
    place.end(0);
    assert_eq!(running.outcome().status.code(), Some(0));
}

/// When the launch is killed, its nodes get no signal. run_stack stops them, beginning with SIGINT.
#[test]
fn a_killed_launch_leaves_nobody() {
    let place = tree("killed_launch");
    let running = place.start(&mut place.command(&["a"]), &NAMES);
    place.send("launch", Signal::KILL);
    for name in ["node", "outsider", "daemon"] {
        wait_until(&format!("{name} is told"), || place.signals(name) == "SIGINT");
    }
    place.write("node.end", "");
    place.write("outsider.end", "");
    // The daemon ignores SIGINT; stronger signals follow.
    let outcome = running.outcome();
    assert_eq!(killed_by(outcome.status), Some(9));
    assert_eq!(place.signals("daemon"), "SIGINT SIGTERM");
    assert!(!is_alive(place.pid("daemon").unwrap()));
}

/// Writing a warning fails on a closed terminal or a pipe without a reader. Supervision continues.
#[test]
fn nobody_has_to_read_its_warnings() {
    let place = tree("unread");
    let mut running = place.start(&mut place.command(&["a"]), &NAMES);
    drop(running.child.as_mut().unwrap().stderr.take());
    place.send("launch", Signal::KILL);
    wait_until("the daemon is told", || place.signals("daemon") == "SIGINT");
    let daemon = place.pid("daemon").unwrap();
    place.end(0);
    assert_eq!(killed_by(running.outcome().status), Some(9));
    assert!(!is_alive(daemon));
    assert_eq!(place.read("run/lock"), "", "an orderly end empties the lock");
}

/// The shell that sources setup scripts is stopped like a launch, and nothing is launched afterwards.
#[test]
fn a_stop_during_setup() {
    let place = place("stop_in_setup", &[]);
    let script =
        place.write("slow.bash", &format!("echo >'{}'; sleep 1000", place.path("sourcing").display()));
    let setup = json!([{ "path": script, "hint": "no" }]);
    let place = super::place("stop_in_setup", &[("a", json!({ "launch": { "setup": setup } }))]);
    place.write("slow.bash", &format!("echo >'{}'; sleep 1000", place.path("sourcing").display()));
    let running = place.start(&mut place.command(&["a"]), &[]);
    wait_until("it sources", || place.path("sourcing").exists());
    running.kill(Signal::INT);
    assert_eq!(killed_by(running.outcome().status), Some(2));
    assert_eq!((place.pid("launch"), place.read("run/lock").as_str()), (None, ""));
}

/// Runs the program in its own session on its own terminal, and types there.
fn in_terminal(place: &Place, args: &[&str]) -> (File, std::process::Command) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let slave = || {
        let mut options = File::options();
        let noctty = rustix::fs::OFlags::NOCTTY.bits() as i32;
        std::os::unix::fs::OpenOptionsExt::custom_flags(options.read(true).write(true), noctty)
            .open(&name)
            .unwrap()
    };
    let mut command = place.program("setsid");
    command.arg("--ctty").arg(place.path("lib/run_stack")).args(args);
    command.stdin(slave()).stdout(slave()).stderr(Stdio::null());
    (File::from(master), command)
}
