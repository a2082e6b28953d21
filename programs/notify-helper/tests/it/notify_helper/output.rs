//! Output that the watcher reads arrives unchanged.

use std::fs;
use std::time::Duration;

use base::processes;
use rustix::process::{Signal, kill_process};

use super::{Running, place, wait_until};

#[test]
fn a_line_makes_it_ready() {
    let place = place("log");
    let running = place.run(
        &["--ready", "log:^listening on .*[0-9]$"],
        &["sh", "-c", "echo listening; sleep .3; printf 'listening on '; sleep .1; echo 80; exec sleep 60"],
    );
    assert!(
        place.manager.told().starts_with("STATUS=waiting for an output line that matches ^listening on ")
    );
    assert!(place.manager.wait_for("READY=1").starts_with("READY=1\nSTATUS=ready after "));
    running.kill(Signal::TERM);
    assert_eq!(running.outcome(), (143, "listening\nlistening on 80\n".to_owned(), String::new()));
}

/// Standard error counts too, and each stream arrives at its own destination.
#[test]
fn two_streams_stay_two() {
    let place = place("two");
    let running = place.run(&["--ready", "log:up"], &["sh", "-c", "echo out; echo up >&2; exec sleep 60"]);
    place.manager.wait_for("READY=1");
    running.kill(Signal::TERM);
    assert_eq!(running.outcome(), (143, "out\n".to_owned(), "up\n".to_owned()));
}

/// The command may end before the watcher has read all of its output.
#[test]
fn the_last_line_counts_although_the_command_has_ended() {
    let place = place("last");
    let go = place.path("go");
    let program = format!(
        "import os, time\nwhile not os.path.exists({go:?}): time.sleep(0.01)\n\
         os.write(1, b'x\\n' * 30000 + b'up\\n')"
    );
    let running = place.run(&["--ready", "log:^up"], &["python3", "-c", &program]);
    let pid = running.pid();
    place.manager.wait_for("STATUS=waiting");
    let watcher = processes::pid(super::watchers_of(pid)[0]).unwrap();
    kill_process(watcher, Signal::STOP).unwrap();
    fs::write(&go, "").unwrap();
    wait_until("the command has ended", || processes::process(pid).is_none_or(|p| p.zombie));
    kill_process(watcher, Signal::CONT).unwrap();
    assert!(place.manager.wait_for("READY=1").starts_with("READY=1\nSTATUS=ready after "));
    assert_eq!(running.outcome(), (0, "x\n".repeat(30000) + "up\n", String::new()));
}

/// If both streams are the same, as in the journal, their lines stay in order.
#[test]
fn one_stream_stays_in_order_and_whole() {
    let place = place("order");
    place.manager.confirm();
    let program = "for i in range(20000):\n    os.write(1 + i % 2, b'%d %s\\n' % (i, b'x' * (i % 300)))\nos.write(1, b'\\xff\\0no end')";
    let program = format!("import os\n{program}");
    for file in [false, true] {
        let mut helper = place.helper(&["--ready", "log:^19999 "], &["python3", "-c", &program]);
        let read: Box<dyn FnOnce() -> Vec<u8>> = if file {
            let out = fs::File::create(place.path("out")).unwrap();
            helper.stdout(out.try_clone().unwrap()).stderr(out);
            let path = place.path("out");
            Box::new(move || fs::read(path).unwrap())
        } else {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            helper
                .stdout(std::os::fd::OwnedFd::from(theirs.try_clone().unwrap()))
                .stderr(std::os::fd::OwnedFd::from(theirs));
            Box::new(move || {
                let (mut all, mut ours) = (Vec::new(), ours);
                std::io::Read::read_to_end(&mut ours, &mut all).unwrap();
                all
            })
        };
        let mut child = helper.spawn().unwrap();
        // Otherwise this end would keep the socket open.
        drop(helper);
        let pid = child.id() as i32;
        if file {
            child.wait().unwrap();
            wait_until("the watcher is gone", || super::watchers_of(pid).is_empty());
        }
        let all = read();
        child.wait().unwrap();
        let mut expected = Vec::new();
        for i in 0..20000 {
            expected.extend(format!("{i} {}\n", "x".repeat(i % 300)).bytes());
        }
        expected.extend(b"\xff\0no end");
        assert_eq!(all.len(), expected.len());
        assert!(all == expected, "the order differs");
    }
}

/// If the watcher dies, the command continues and its output still arrives.
#[test]
fn no_death_beside_it_stops_its_output() {
    let place = place("death");
    for victim in [0, 1] {
        let program = "echo up; while [ ! -e go ]; do sleep .02; done; i=0; while [ $i -lt 3000 ]; do echo $i is a line of some length; i=$((i+1)); done; exit 5";
        let running = place.run(&["--ready", "log:^up"], &["sh", "-c", program]);
        place.manager.wait_for("READY=1");
        let watchers = running.watchers();
        assert_eq!(watchers.len(), 2);
        kill_process(processes::pid(watchers[victim]).unwrap(), Signal::KILL).unwrap();
        wait_until("it is dead", || processes::process(watchers[victim]).is_none_or(|p| p.zombie));
        fs::write(place.path("go"), "").unwrap();
        let (status, stdout, _) = running.outcome();
        assert_eq!(
            (status, stdout.lines().count(), stdout.lines().last()),
            (5, 3001, Some("2999 is a line of some length"))
        );
        wait_until("all are gone", || {
            watchers.iter().all(|pid| processes::process(*pid).is_none_or(|p| p.zombie))
        });
        fs::remove_file(place.path("go")).unwrap();
    }
}

/// The command does not notice when the reader closes the output.
#[test]
fn a_reader_that_goes_away() {
    let place = place("reader");
    let program = "echo up; while [ ! -e go ]; do sleep .02; done; i=0; while [ $i -lt 9000 ]; do echo $i is a line; i=$((i+1)); done; exit 5";
    let mut helper = place.helper(&["--ready", "log:^up"], &["sh", "-c", program]);
    let mut running = Running { child: helper.spawn().unwrap() };
    place.manager.wait_for("READY=1");
    drop((running.child.stdout.take(), running.child.stderr.take()));
    fs::write(place.path("go"), "").unwrap();
    wait_until("it ends", || running.child.try_wait().unwrap().is_some());
    assert_eq!(running.child.wait().unwrap().code(), Some(5));
}

/// A reader that stops reading blocks the output, as without notify-helper, but nothing else.
#[test]
fn a_reader_that_is_slow_holds_up_nothing_else() {
    let place = place("slow");
    let program = "import sys, time\nprint('up', flush=True)\nfor i in range(90000): print(i)\n";
    let mut helper =
        place.helper(&["--ready", "log:^up", "--watchdog", "file:/"], &["python3", "-c", program]);
    helper.env("WATCHDOG_USEC", "200000");
    let running = Running { child: helper.spawn().unwrap() };
    place.manager.wait_for("READY=1");
    for _ in 0..5 {
        assert_eq!(place.manager.told(), "WATCHDOG=1");
    }
    let (status, stdout, _) = running.outcome();
    assert_eq!((status, stdout.lines().count()), (0, 90001));
    place.manager.told_within(Duration::from_millis(10));
}
