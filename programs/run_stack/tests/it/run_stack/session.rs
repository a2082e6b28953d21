//! The session file exists while the launch runs, is removed on every exit, and is never incomplete.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use super::{Place, outcome, place, wait_until};

fn with_session(test: &str) -> Place {
    let session = json!({ "path": ".demo/session/current", "content": "demo/a.launch" });
    place(test, &[("a", json!({ "launch": { "session": session } })), ("plain", json!({}))])
}

const FILE: &str = "home/.demo/session/current";

#[test]
fn it_lives_as_long_as_the_launch() {
    let place = with_session("session");
    let running = place.start(&mut place.command(&["a"]), &["launch"]);
    assert_eq!(place.read(FILE), "demo/a.launch\n");
    place.end(0);
    running.outcome().is_success();
    let left: Vec<_> = fs::read_dir(place.path("home/.demo/session")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn it_goes_when_the_launch_is_killed() {
    let place = with_session("session_killed");
    let running = place.start(&mut place.command(&["a"]), &["launch"]);
    place.send("launch", Signal::KILL);
    running.outcome();
    assert!(!place.path(FILE).exists());
}

/// A killed run_stack cannot remove the file. The next one does, even if it fails before the launch.
#[test]
fn the_next_one_clears_what_a_killed_one_left() {
    let place = with_session("session_stale");
    let running = place.start(&mut place.command(&["a"]), &["launch"]);
    running.kill(Signal::KILL);
    running.outcome();
    assert!(place.path(FILE).exists());
    place.end(0);
    wait_until("the orphan has ended", || !super::is_alive(place.pid("launch").unwrap()));
    let failing = outcome(place.command(&["a"]).env("PATH", "/nonexistent"));
    assert_eq!(failing.status.code(), Some(78));
    assert!(!place.path(FILE).exists());
}

#[test]
fn home_is_needed() {
    let place = with_session("session_home");
    let todo = "HOME is not set: set HOME, or User= in the unit";
    outcome(place.command(&["a"]).env_remove("HOME"))
        .is_error(78, &format!("`.demo/session/current`: {todo}"));
}

/// On a full disk the launch does not start and no part of the file remains. With free space it works again.
#[test]
fn the_disk_is_full() {
    let place = with_session("session_full");
    let mounted = "mount -t tmpfs -o size=4k none \"$HOME\" && mkdir -p \"$HOME/.demo/session\" \
                   && { dd if=/dev/zero of=\"$HOME/fill\" bs=1 count=4096 2>/dev/null || :; } && \"$0\" a; s=$?; \
                   ls \"$HOME/.demo/session\"; rm -f \"$HOME/fill\"; \"$0\" a; exit $s";
    place.end(0);
    let outcome = outcome(place.in_own_mounts().args(["sh", "-c", mounted]).arg(place.path("lib/run_stack")));
    let why = "cannot write the session file: no space left on device: free space on its file system";
    outcome.is_error(1, &format!("`{}`: {why}", place.path(FILE).display()));
    assert_eq!((outcome.stdout.as_str(), place.pid("launch").is_some()), ("", true));
    assert_eq!(place.read("run/lock"), "");
}

impl Place {
    /// Prepares a program in its own mount namespace; `unshare` is in the package util-linux.
    pub(super) fn in_own_mounts(&self) -> std::process::Command {
        let mut command = self.program("unshare");
        if rustix::process::geteuid().is_root() {
            command.arg("--mount");
        } else {
            command.args(["--mount", "--map-root-user"]);
        }
        command
    }
}
