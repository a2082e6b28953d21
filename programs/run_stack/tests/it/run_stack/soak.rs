//! Many clients start, stop and kill launches. Two launches never run at once, and nothing stale remains.

use std::fs;
use std::time::{Duration, Instant};

use base::processes;
use rustix::process::Signal;
use serde_json::json;

use super::{Place, Running, kill, place};

/// A second lock observes the launches: every process of a launch inherits it and holds it until the process ends. One
/// process leaves the process tree, and one is slow to stop.
const LAUNCH: &str = "exec 9>alone; flock -n 9 || echo clash >>clashes; echo run >>runs\n\
                      (setsid sleep 0.15 &); sleep 0.1 & sleep 0.05; wait";

#[test]
fn never_two_at_once() {
    let place = place("soak", &[]);
    let launch = json!({ "argv": ["bash", "-c", LAUNCH], "directory": place.root });
    let session = json!({ "session": { "path": ".session", "content": "x" } });
    let mut launch_a = launch.clone();
    super::merge(&mut launch_a, &session);
    let place =
        super::place("soak", &[("a", json!({ "launch": launch_a })), ("b", json!({ "launch": launch }))]);
    let end = Instant::now() + Duration::from_secs(5);
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            let place = &place;
            scope.spawn(move || client(place, seed, end));
        }
    });
    assert_eq!(place.read("clashes"), "");
    assert!(place.read("runs").lines().count() > 5, "{}", place.read("runs"));
    // The last kill may have left processes. They end by themselves, and then the next launch starts normally.
    super::wait_until("it is calm", || place.run(&["--busy"]).status.code() == Some(1));
    place.run(&["a"]);
    assert_eq!((place.read("run/lock").as_str(), fs::read_dir(place.path("home")).unwrap().count()), ("", 0));
}

/// The same seed performs the same actions, although their effects can differ.
fn client(place: &Place, seed: u64, end: Instant) {
    let mut state = seed;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    while Instant::now() < end {
        let mut running =
            Running { child: Some(place.command(&[["a", "b"][random(2) as usize]]).spawn().unwrap()) };
        // This does not wait for an event: the time of the action is random too.
        std::thread::sleep(Duration::from_millis(random(120)));
        if !running.has_ended() {
            let pid = running.pid();
            match random(4) {
                0 => kill(pid, Signal::INT),
                1 => kill(pid, Signal::KILL),
                2 => processes::descendants(pid).iter().take(1).for_each(|p| kill(p.pid, Signal::KILL)),
                _ => {}
            }
        }
        let outcome = running.outcome();
        let status = outcome.status;
        assert!(status.code().is_none_or(|c| c == 0 || c == 75), "{outcome:?}");
    }
}
