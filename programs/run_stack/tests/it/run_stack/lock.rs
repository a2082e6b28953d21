//! Only one launch runs at a time, whichever user starts it and however the previous launch ended.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use base::processes;
use rustix::process::Signal;
use serde_json::json;

use super::{Outcome, Place, is_alive, kill, outcome, place, wait_until};

fn pair(test: &str, names: &[&str]) -> Place {
    let argv = place(test, &[]).tree(names);
    place(
        test,
        &[("a", json!({ "launch": { "argv": argv } })), ("b", json!({ "launch": { "argv": ["true"] } }))],
    )
}

impl Place {
    fn flock(&self) -> bool {
        self.program("flock")
            .arg("--nonblock")
            .arg(self.path("run/lock"))
            .arg("true")
            .status()
            .unwrap()
            .success()
    }

    fn lock(&self) -> String {
        self.path("run/lock").display().to_string()
    }

    fn since(&self) -> String {
        self.read("run/lock").lines().find_map(|l| l.strip_prefix("since=")).unwrap().to_owned()
    }
}

#[test]
fn the_loser_names_the_holder() {
    let place = pair("holder", &[]);
    let running = place.start(&mut place.command(&["a"]), &["launch"]);
    let (pid, since, lock) = (running.pid(), place.since(), place.lock());
    place.run(&["b"]).is_error(75, &format!("`{lock}`: held by a (pid {pid}, since {since}): stop it first"));
    assert!(!place.flock(), "a shell's flock sees it too");
    let busy = place.run(&["--busy"]);
    busy.is_success();
    assert_eq!(busy.stdout, format!("{lock}: a (pid {pid}, since {since})\n"));
    place.end(0);
    running.outcome().is_success();
    assert_eq!(place.read("run/lock"), "");
    place.run(&["b"]).is_success();
}

#[test]
fn a_holder_that_is_no_run_stack() {
    let place = pair("foreign", &[]);
    place.write("run/lock", "service=a\npid=1\nsince=x\nstarted=1\ncgroup=\n");
    let mut command = place.program("flock");
    command.args([place.lock().as_str(), "python3"]).arg(place.path("tree.py")).arg(&place.root);
    let running = place.start(&mut command, &["launch"]);
    let message = format!("`{}`: held by an unknown program: stop it first", place.lock());
    place.run(&["b"]).is_error(75, &message);
    place.end(0);
    running.outcome();
    place.run(&["b"]).is_success();
}

/// After the launch has ended, the lock stays until the daemon that it started has ended too.
#[test]
fn the_last_descendant_frees_the_lock() {
    let place = pair("descendant", &["-daemon"]);
    let mut running = place.start(&mut place.command(&["a"]), &["launch", "daemon"]);
    place.write("launch.end", "4");
    wait_until("the launch has ended", || !is_alive(place.pid("launch").unwrap()));
    assert_eq!(place.run(&["b"]).status.code(), Some(75));
    // The daemon was asked to end, but it must have ended.
    wait_until("the daemon is told", || place.signals("daemon") == "SIGINT");
    assert!(!running.has_ended() && !place.flock());
    place.write("daemon.end", "");
    assert_eq!(running.outcome().status.code(), Some(4));
    assert!(place.flock());
}

/// The kernel frees the lock of a killed run_stack at once. Only an orderly end clears the record, so the next launch
/// finds the record, looks for the remaining processes, and refuses to start beside them.
#[test]
fn a_killed_holder_leaves_processes() {
    let place = pair("killed", &["-daemon"]);
    let running = place.start(&mut place.command(&["a"]), &["launch", "daemon"]);
    let (pid, since, lock) = (running.pid(), place.since(), place.lock());
    running.kill(Signal::KILL);
    running.outcome();
    let left = |names: &[&str]| {
        names.iter().map(|n| place.pid(n).unwrap().to_string()).collect::<Vec<_>>().join(" ")
    };
    let refusal = |names: &[&str]| {
        let left = left(names);
        let held =
            format!("held by a (pid {pid}, since {since}), killed, has left processes running: {left}");
        format!("`{lock}`: {held}: wait until they have ended, or end them with `kill -INT {left}`")
    };
    place.run(&["b"]).is_error(75, &refusal(&["launch", "daemon"]));
    assert!(place.run(&["--busy"]).status.success(), "what still moves is busy");
    place.send("launch", Signal::KILL);
    wait_until("the launch has ended", || !is_alive(place.pid("launch").unwrap()));
    place.run(&["b"]).is_error(75, &refusal(&["daemon"]));
    place.send("daemon", Signal::KILL);
    wait_until("the daemon has ended", || !is_alive(place.pid("daemon").unwrap()));
    place.run(&["b"]).is_success();
    assert_eq!(place.run(&["--busy"]).status.code(), Some(1));
}

/// Users who may take the lock may write anything into its file. A record that the kernel does not confirm neither blocks
/// a launch nor leads to advice to end a process.
#[test]
fn a_forged_record_is_not_believed() {
    let place = pair("forged", &[]);
    let mut innocent = place.program("sleep");
    let innocent = super::Running { child: Some(innocent.arg("600").process_group(0).spawn().unwrap()) };
    let mut records = Vec::new();
    for pid in [1, innocent.pid(), std::process::id() as i32] {
        let own = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        for cgroup in own.lines().chain(["", "0::/"]) {
            for started in [0, processes::process(pid).unwrap().started] {
                let since = "2026-01-01T00:00:00Z";
                records.push(format!(
                    "service=a\npid={pid}\nsince={since}\nstarted={started}\ngroup={pid}\ncgroup={cgroup}\n"
                ));
            }
        }
    }
    for record in &records {
        place.write("run/lock", record);
        let busy = place.run(&["--busy"]);
        assert_eq!((busy.status.code(), busy.stdout.as_str()), (Some(1), ""), "{record}");
        place.run(&["b"]).is_success();
    }
    // The same records in a file that another process holds: only the lock itself is believed.
    let mut command = place.program("flock");
    command.args([place.lock().as_str(), "python3"]).arg(place.path("tree.py")).arg(&place.root);
    let running = place.start(&mut command, &["launch"]);
    let started = processes::process(running.pid()).unwrap().started;
    let own = format!("service=a\npid={}\nsince=2026\nstarted={started}\ngroup=1\ncgroup=\n", running.pid());
    let told = format!("`{}`: held by an unknown program: stop it first", place.lock());
    for record in records.iter().chain([&own]) {
        place.write("run/lock", record);
        place.run(&["b"]).is_error(75, &told);
        let busy = place.run(&["--busy"]).stdout;
        assert_eq!(busy, format!("{}: an unknown program\n", place.lock()), "{record}");
    }
    place.end(0);
    running.outcome();
}

/// Messages quote only a service name and a time from a record.
#[test]
fn words_of_a_record_are_not_shown() {
    let place = pair("words", &[]);
    let running = place.start(&mut place.command(&["a"]), &["launch"]);
    let record = place.read("run/lock");
    for (true_one, forged) in [
        ("service=a\n", "service=a; run `reboot`\n"),
        ("service=a\n", "service=\x1b[2Ja\n"),
        ("service=a\n", "service=nobody\n"),
        ("since=", "since=`reboot` "),
        ("since=", "since=\x1b[2J"),
    ] {
        place.write("run/lock", &record.replace(true_one, forged));
        let told = format!("`{}`: held by an unknown program: stop it first", place.lock());
        place.run(&["b"]).is_error(75, &told);
    }
    place.write("run/lock", &record);
    assert!(place.run(&["--busy"]).stdout.contains(&format!("a (pid {}, ", running.pid())));
    place.end(0);
    running.outcome().is_success();
}

/// The lock cannot be taken while other processes share it.
#[test]
fn a_shared_lock_is_held() {
    let place = pair("shared", &[]);
    place.run(&["b"]).is_success();
    let mut command = place.program("flock");
    command.args(["--shared", place.lock().as_str(), "python3"]).arg(place.path("tree.py")).arg(&place.root);
    let running = place.start(&mut command, &["launch"]);
    let busy = place.run(&["--busy"]);
    busy.is_success();
    assert_eq!(busy.stdout, format!("{}: an unknown program\n", place.lock()));
    let told = format!("`{}`: held by an unknown program: stop it first", place.lock());
    place.run(&["b"]).is_error(75, &told);
    place.end(0);
    running.outcome();
    assert_eq!(place.run(&["--busy"]).status.code(), Some(1));
}

/// A pipe can be locked, but it cannot hold a record.
#[test]
fn a_pipe_or_directory_is_no_lock_file() {
    let place = pair("pipe", &[]);
    let told = format!("`{}`: not a regular file: remove it while no service is running", place.lock());
    outcome(place.program("mkfifo").arg(place.lock())).is_success();
    place.run(&["b"]).is_error(78, &told);
    place.run(&["--busy"]).is_error(78, &told);
    fs::remove_file(place.lock()).unwrap();
    fs::create_dir(place.lock()).unwrap();
    place.run(&["--busy"]).is_error(78, &told);
    assert_eq!(place.run(&["b"]).status.code(), Some(78));
}

/// Of many simultaneous launches, one succeeds and each of the others names it.
#[test]
fn a_crowd() {
    let place = pair("crowd", &[]);
    let start = || place.command(&["a"]).spawn().map(|child| super::Running { child: Some(child) }).unwrap();
    let mut crowd: Vec<_> = (0..12).map(|_| start()).collect();
    wait_until("all but one have ended", || {
        crowd.iter_mut().map(|r| r.has_ended()).filter(|ended| !ended).count() == 1
    });
    let winner = crowd.iter_mut().position(|r| !r.has_ended()).unwrap();
    let winner = crowd.remove(winner);
    let expected = format!(
        "error: `{}`: held by a (pid {}, since {}): stop it first\n",
        place.lock(),
        winner.pid(),
        place.since()
    );
    for loser in crowd {
        let Outcome { status, stderr, .. } = loser.outcome();
        assert_eq!((status.code(), stderr.as_str()), (Some(75), expected.as_str()));
    }
    place.end(0);
    winner.outcome().is_success();
}

/// `--busy` shares the lock for a moment, and no launch fails because of that.
#[test]
fn looking_disturbs_nobody() {
    let place = pair("looking", &[]);
    place.run(&["b"]).is_success();
    let stop = place.path("stop");
    let script = "while [ ! -e \"$1\" ]; do \"$0\" --busy >/dev/null; done";
    let looker = |_| {
        let mut command: Command = place.program("sh");
        command.args(["-c", script]).arg(place.path("lib/run_stack")).arg(&stop);
        super::Running { child: Some(command.spawn().unwrap()) }
    };
    let lookers: Vec<_> = (0..2).map(looker).collect();
    for _ in 0..100 {
        place.run(&["b"]).is_success();
    }
    fs::write(&stop, "").unwrap();
    lookers.into_iter().for_each(|l| drop(l.outcome()));
}

#[test]
fn nothing_is_busy_before_anything_was_installed() {
    let place = pair("not_busy", &[]);
    let calm = place.run(&["--busy"]);
    assert_eq!((calm.status.code(), calm.stdout.as_str(), calm.stderr.as_str()), (Some(1), "", ""));
    fs::remove_dir(place.path("run")).unwrap();
    assert_eq!(place.run(&["--busy"]).status.code(), Some(1));
    let todo = "create its directory: run `systemd-tmpfiles --create` as root";
    place.run(&["b"]).is_error(78, &format!("`{}`: no such file or directory: {todo}", place.lock()));
}

/// The first launch creates the file. The next may be started by another user of the group, with another umask.
#[test]
fn the_file_is_for_the_group() {
    let place = pair("mode", &[]);
    let mut command = place.program("sh");
    command.args(["-c", "umask 077; exec \"$0\" b"]).arg(place.path("lib/run_stack"));
    outcome(&mut command).is_success();
    assert_eq!(fs::metadata(place.lock()).unwrap().permissions().mode() & 0o777, 0o664);
}

#[test]
fn no_permission() {
    let place = pair("denied", &[]);
    let directory = place.path("run").display().to_string();
    place.write("run/lock", "");
    fs::set_permissions(place.lock(), fs::Permissions::from_mode(0o400)).unwrap();
    let mut command = place.command(&["b"]);
    if rustix::process::geteuid().is_root() {
        command = place.program("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(place.path("lib/run_stack"))
            .arg("b");
    }
    let todo = format!("run this as the unit's user, or as a member of the group that owns `{directory}`");
    outcome(&mut command).is_error(78, &format!("`{}`: permission denied: {todo}", place.lock()));
}

#[test]
fn read_only_and_full_file_systems() {
    let place = pair("read_only", &[]);
    let on = |options: &str, then: &str| {
        let script = format!("mount -t tmpfs -o {options} none run && {then} \"$0\" b");
        let mut command = place.in_own_mounts();
        outcome(command.args(["sh", "-c", &script]).arg(place.path("lib/run_stack")).current_dir(&place.root))
    };
    let (lock, directory) = (place.lock(), place.path("run"));
    let todo = format!("make the file system of `{}` writable", directory.display());
    on("ro", "").is_error(78, &format!("`{lock}`: read-only file system: {todo}"));
    let fill = "{ dd if=/dev/zero of=run/fill bs=4096 count=1 2>/dev/null || :; };";
    let why = "cannot write the lock record: no space left on device: free space on its file system";
    on("size=4k", fill).is_error(1, &format!("`{lock}`: {why}"));
    place.run(&["b"]).is_success();
}

/// A symlink as lock file could make a privileged user write to another file.
#[test]
fn a_link_is_no_lock_file() {
    let place = pair("link", &[]);
    let target = place.write("precious", "content");
    std::os::unix::fs::symlink(&target, place.path("run/lock")).unwrap();
    assert_eq!(place.run(&["b"]).status.code(), Some(78));
    assert_eq!(place.read("precious"), "content");
}

/// A service without a lock runs beside all others, and beside itself.
#[test]
fn a_service_without_a_lock() {
    let place = place("unlocked", &[("g", json!({ "launch": { "lock": null } })), ("a", json!({}))]);
    let first = place.start(&mut place.command(&["g"]), &["launch"]);
    fs::remove_file(place.path("launch.pid")).unwrap();
    let second = place.start(&mut place.command(&["a"]), &["launch"]);
    kill(first.pid(), Signal::INT);
    place.end(0);
    first.outcome().is_success();
    second.outcome().is_success();
}
