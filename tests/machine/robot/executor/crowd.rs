//! Many clients at once: each gets a correct answer, and two stacks never run at once.

use base::report::{Outcome, State};
use serde::Deserialize;
use support::robot::SECOND;
use testbed::{Machine, Result, ros};

use crate::life::{STACKS, on_every_suite};

const CROWD: &str = include_str!("crowd/crowd.py");

/// Tolerance between a request and systemd's timestamps, in microseconds.
const SLACK: u64 = 50_000;

/// Maximum delay of polkit's entries in the journal.
const DELAY: u64 = 1_000_000;

/// A request, with the times of request and answer in microseconds.
#[derive(Debug, Deserialize)]
struct Request {
    begin: u64,
    end: u64,
    stack: String,
    status: u8,
    outcome: Outcome,
}

/// The end of a job in systemd's journal.
#[derive(Debug)]
struct Entry {
    at: u64,
    stack: String,
    kind: String,
    result: String,
}

#[test]
fn two_hundred_requests_of_ten_clients_get_true_answers_and_never_two_stacks() -> Result<()> {
    on_every_suite(|robot| {
        // One node is enough to detect two stacks, and starts faster than two.
        robot.put(ros::MANNERS, 0o644, "{\"nodes\": [\"talker\"]}");
        robot.put("/opt/crowd.py", 0o644, CROWD);
        let op = &mut robot.login_session("op");
        op.type_line(&format!("python3 /opt/crowd.py 10 20 {} >/tmp/answers", STACKS.join(" ")));
        let (status, screen) = op.finish(90 * SECOND);
        assert_eq!(status, 0, "{screen}");
        let answers = op.run("cat /tmp/answers").ok().stdout;
        let requests: Vec<Request> =
            answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(requests.len(), 200);

        let launches = ros::processes(robot);
        assert!(launches.iter().all(|p| !p.clash), "two stacks at once");
        let (entries, asked) = (entries(robot), asked(robot));
        let launched = |stack: &str, pid: u32| {
            launches
                .iter()
                .any(|p| p.role == "launch" && p.parent == pid && p.argv.contains(&format!("stack:={stack}")))
        };
        for request in &requests {
            let Request { begin, end, stack, status, outcome } = request;
            assert_eq!(*status, outcome.exit, "{request:?}");
            let wrote = |kind: &str, result: &str| {
                entries.iter().any(|e| {
                    e.stack == *stack
                        && e.kind == kind
                        && e.result == result
                        && (begin - SLACK..=end + SLACK).contains(&e.at)
                })
            };
            // According to the last end of a job before the request.
            let ran = entries
                .iter()
                .filter(|e| e.stack == *stack && e.at < *begin)
                .max_by_key(|e| e.at)
                .is_some_and(|e| e.kind == "start" && e.result == "done");
            match (outcome.exit, outcome.verb.as_str()) {
                (0, "start" | "switch") => {
                    let so = wrote("start", "done") || !outcome.changed && ran;
                    assert!(so, "not in the journal: {request:?}");
                    assert!(
                        outcome.state == Some(State::Running) || outcome.message.contains("again"),
                        "{request:?}"
                    );
                }
                (0, "stop") => {
                    // Stopping a stack that is not running, or that fails at the same moment, does nothing
                    // and is not logged.
                    let so = wrote("stop", "done") || wrote("start", "failed") || !ran;
                    assert!(so, "not in the journal: {request:?}");
                }
                (75, _) if outcome.message.contains("held by ") => {
                    // The named stack held the lock: it was launched, or about to be.
                    let (_, holder) = outcome.message.split_once("held by ").unwrap();
                    let (other, rest) = holder.split_once(" (pid ").unwrap_or((holder, ""));
                    let pid = rest.split_once(',').map(|(pid, _)| pid.parse::<u32>().unwrap());
                    let known = STACKS.contains(&other)
                        && pid
                            .is_some_and(|pid| launched(other, pid) || began(&entries, other, *begin, *end));
                    assert!(known || pid.is_none(), "nobody was {other}: {request:?}");
                }
                (75, _) if outcome.message.contains("canceled") => {
                    // systemd does not log a job that another one replaces, nor the end of that one if the
                    // stack has ended by itself meanwhile. polkit was asked about it.
                    let about = begin - SLACK..=end + DELAY;
                    let instead = asked.iter().any(|(at, of)| of == stack && about.contains(at));
                    assert!(instead, "nobody stopped it: {request:?}");
                }
                (75, _) => {
                    let known = [
                        "another request is in progress",
                        "too many programs are trying to take this lock",
                        "the lock is held",
                    ];
                    assert!(known.iter().any(|k| outcome.message.contains(k)), "{request:?}");
                }
                (1, _) => assert!(
                    wrote("start", "failed") || wrote("start", "done"),
                    "not in the journal: {request:?}"
                ),
                _ => panic!("{request:?}"),
            }
        }
        let count = |exit: u8| requests.iter().filter(|r| r.outcome.exit == exit).count();
        assert!(count(0) >= 20 && count(75) >= 20, "{} done, {} refused", count(0), count(75));
        eprintln!("{}: {} done, {} refused, {} failed", robot.suite(), count(0), count(75), count(1));
    })
}

/// Returns whether a start of that stack ended about then, with any result. A successful start has launched
/// something that may have been stopped before it could write its record, because Python takes time to start.
fn began(entries: &[Entry], stack: &str, begin: u64, end: u64) -> bool {
    let about = begin.saturating_sub(10_000_000)..=end + 10_000_000;
    entries.iter().any(|e| e.stack == stack && e.kind == "start" && about.contains(&e.at))
}

/// Returns every permitted stop of a stack from polkit's log: time and stack.
fn asked(robot: &Machine) -> Vec<(u64, String)> {
    let journal =
        robot.run("journalctl --sync; journalctl --quiet --output=short-unix -t rovi-polkit").ok().stdout;
    let stop = |line: &str| {
        let (at, rest) = line.split_once(' ')?;
        let (_, unit) = rest.split_once("): stop rovi-")?;
        let (stack, _) = unit.split_once(".service")?;
        let (seconds, fraction) = at.split_once('.')?;
        Some((format!("{seconds}{fraction}").parse().unwrap(), stack.to_owned()))
    };
    journal.lines().filter_map(stop).collect()
}

/// Returns every end of a stack's job in the journal.
fn entries(robot: &Machine) -> Vec<Entry> {
    let fields = "UNIT,JOB_TYPE,JOB_RESULT,_SOURCE_REALTIME_TIMESTAMP";
    let script =
        format!("journalctl --sync; journalctl --quiet --output=json --output-fields={fields} _PID=1");
    let journal = robot.run(&script).ok().stdout;
    let text = |entry: &serde_json::Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let mut entries = Vec::new();
    for line in journal.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let unit = text(&entry, "UNIT");
        let Some(stack) = unit.strip_prefix("rovi-").and_then(|u| u.strip_suffix(".service")) else {
            continue;
        };
        let result = text(&entry, "JOB_RESULT");
        if !result.is_empty() {
            let at = text(&entry, "_SOURCE_REALTIME_TIMESTAMP").parse().unwrap();
            entries.push(Entry { at, stack: stack.to_owned(), kind: text(&entry, "JOB_TYPE"), result });
        }
    }
    entries
}
