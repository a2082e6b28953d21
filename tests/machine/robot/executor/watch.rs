//! `rovi status --watch`: prompt, complete, and asleep while nothing changes.

use base::report::{State, Status};
use testbed::{Machine, Result};

use super::start;
use crate::life::{SOON, on_every_suite, on_one_suite_after_the_other};

/// Records the time of each line: nanoseconds since 1970, then the line.
const OBSERVER: &str = include_str!("watch/observer.py");
const SEEN: &str = "/var/tmp/seen";

/// A line with its time in microseconds.
type Line = (u64, Status);

#[test]
fn a_change_is_shown_at_once_and_nothing_costs_nothing() -> Result<()> {
    on_one_suite_after_the_other(|robot| {
        robot.put("/opt/observer.py", 0o644, OBSERVER);
        let op = &mut robot.login_session("op");
        op.run(&format!("setsid --fork python3 /opt/observer.py {SEEN} rovi status --watch --json </dev/null 2>/var/tmp/complaints")).ok();
        wait_for(robot, "nav", State::Stopped, 1);
        let pid = robot.run("pgrep -x rovi").ok().text().to_owned();

        for round in 1..=5 {
            start(robot, op, "nav");
            wait_for(robot, "nav", State::Running, round);
            op.run("rovi stop nav").ok();
            wait_for(robot, "nav", State::Stopped, round + 1);
        }
        start(robot, op, "nav");
        robot.run("kill -KILL $(systemctl show --value --property=MainPID rovi-nav)").ok();
        wait_for(robot, "nav", State::Failed, 1);

        // Each line with a new state follows shortly after systemd's change. Single delays are possible on a
        // busy host.
        let mut delays: Vec<u64> = Vec::new();
        let lines = lines(robot);
        for pair in lines.windows(2) {
            let nav = |line: &Line| line.1.services[4].clone();
            let (before, after) = (nav(&pair[0]), nav(&pair[1]));
            if let Some(since) = after.since.filter(|_| before.state != after.state) {
                let at =
                    robot.run(&format!("date --date='{since}' +%s%6N")).ok().text().parse::<u64>().unwrap();
                delays.push(pair[1].0.saturating_sub(at));
            }
        }
        delays.sort_unstable();
        assert!(delays.len() >= 7, "{delays:?}");
        assert!(delays[delays.len() / 2] <= 50_000, "µs: {delays:?}");

        // A launch by hand causes no event of systemd.
        robot.run("runuser -u rovi -- setsid --fork run_stack camera </dev/null >/dev/null 2>&1").ok();
        robot.wait_for("the holder", SOON, || {
            last(robot).locks[0].holder.as_ref().is_some_and(|h| h.service == "camera" && h.by_hand)
        });
        robot.run(&format!("kill -INT {}", last(robot).locks[0].holder.as_ref().unwrap().pid)).ok();
        robot.wait_for("a free lock", SOON, || last(robot).locks[0].held == Some(false));
        robot.run("echo rovi-gateway.service >/run/rovi/restart-pending").ok();
        robot.wait_for("what is pending", SOON, || last(robot).services[0].restart_pending);

        // Units of others change meanwhile and are ignored: it stays asleep.
        robot.wait_for("rest", SOON, || {
            let before = switches(robot, &pid);
            robot.run("systemd-run --quiet --wait true").ok();
            before == switches(robot, &pid)
        });
        let before = switches(robot, &pid);
        robot.run("for i in $(seq 20); do systemd-run --quiet --wait true; systemctl show rovi-nav >/dev/null; done").ok();
        assert_eq!(switches(robot, &pid), before, "it woke up while nothing happened");
        let status = robot.run(&format!("cat /proc/{pid}/status")).ok();
        let peak: u32 = status
            .stdout
            .lines()
            .find_map(|l| l.strip_prefix("VmHWM:"))
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        assert!(peak < 4096, "{peak} kB");

        // systemd re-executes itself.
        robot.run("for i in 1 2 3; do systemctl daemon-reexec; done; systemctl daemon-reload").ok();
        let running = count(robot, "nav", State::Running);
        start(robot, op, "nav");
        wait_for(robot, "nav", State::Running, running + 1);
        // When the reader ends, so does the watch, even without a change.
        robot.run("pkill -KILL -f /opt/observer.py").ok();
        robot.wait_for("end of the watch", SOON, || !robot.has(&format!("/proc/{pid}")));
        assert_eq!(robot.read("/var/tmp/complaints").unwrap(), "");
    })
}

#[test]
fn on_a_terminal_the_picture_is_drawn_anew_until_ctrl_c() -> Result<()> {
    on_every_suite(|robot| {
        let [op, other] = &mut [robot.login_session("op"), robot.login_session("op")];
        op.type_line("TERM=linux NO_COLOR=1 rovi status --watch");
        op.wait_for("camera        stopped", SOON);
        start(robot, other, "camera");
        op.wait_for("\x1b[6A\r\x1b[J", SOON);
        op.wait_for("camera        running", SOON);
        op.interrupt();
        assert_eq!(op.finish(SOON).0, 0);
        // Without a terminal, only changes are printed.
        op.type_line("rovi status --watch | cat");
        op.wait_for("nav           stopped", SOON);
        other.run("rovi stop").ok();
        op.wait_for("camera        stopped", SOON);
        op.interrupt();
        let (_, screen) = op.finish(SOON);
        assert_eq!(screen.matches("nav           stopped").count(), 1, "{screen}");
    })
}

/// Returns the complete lines so far.
fn lines(robot: &Machine) -> Vec<Line> {
    let seen = robot.read(SEEN).unwrap_or_default();
    let whole = &seen[..seen.rfind('\n').map_or(0, |end| end + 1)];
    whole
        .lines()
        .map(|line| {
            let (at, line) = line.split_once(' ').unwrap();
            (at.parse::<u64>().unwrap() / 1000, serde_json::from_str(line).unwrap())
        })
        .collect()
}

fn last(robot: &Machine) -> Status {
    lines(robot).pop().unwrap().1
}

/// Returns how often a service entered a state.
fn count(robot: &Machine, name: &str, state: State) -> usize {
    let states: Vec<State> =
        lines(robot).iter().map(|(_, s)| s.services.iter().find(|s| s.name == name).unwrap().state).collect();
    (0..states.len()).filter(|&at| states[at] == state && (at == 0 || states[at - 1] != state)).count()
}

#[track_caller]
fn wait_for(robot: &Machine, name: &str, state: State, times: usize) {
    let what = format!("{name} {} {times} times", state.describe());
    robot.wait_for(&what, SOON, || count(robot, name, state) >= times);
}

/// Returns how often any thread of a process was scheduled.
fn switches(robot: &Machine, pid: &str) -> String {
    robot.run(&format!("grep -h ctxt_switches /proc/{pid}/task/*/status")).ok().stdout
}
