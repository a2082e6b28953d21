//! The time that a start through run_stack takes.

use testbed::{Machine, Result, host};

use super::{of, on_one_suite_after_the_other, property, up};

/// The minimum of this many rounds: other load makes some starts slower, but none faster.
const ROUNDS: [u32; 3] = [6, 12, 24];

/// The usual command without run_stack.
const BASH: &str = "ExecStart=/bin/bash -c 'cd $ROVI_ROS_WS_DIR; source /opt/ros/jazzy/setup.bash; \
                    source install/setup.bash; exec ros2 launch rovi_bringup bash.launch.py stack:=bash'";

#[test]
fn a_start_adds_less_than_20_ms_over_the_launch_itself() -> Result<()> {
    on_one_suite_after_the_other(|robot| {
        // The same unit, with everything that systemd sets up for it.
        let unit = robot.read("/usr/lib/systemd/system/rovi-nav.service").unwrap();
        let lines = unit.lines().filter_map(|line| match line.split_once('=') {
            Some(("ExecStart", _)) => Some(BASH),
            Some(("Type", _)) => Some("Type=exec"),
            Some(("ExecStopPost", _)) => None,
            _ => Some(line),
        });
        robot.put("/etc/systemd/system/rovi-bash.service", 0o644, lines.collect::<Vec<_>>().join("\n"));
        robot.run("systemctl daemon-reload").ok();
        let bound = 20_000 * host::busy().ceil() as i64;
        let (mut ours, mut bash) = (Start { main: i64::MAX, ready: i64::MAX }, i64::MAX);
        for rounds in ROUNDS {
            for _ in 0..rounds {
                let start = time(robot, "nav");
                ours = Start { main: ours.main.min(start.main), ready: ours.ready.min(start.ready) };
                bash = bash.min(time(robot, "bash").main);
            }
            if ours.main < bash + bound && ours.ready < bash + bound {
                break;
            }
        }
        eprintln!(
            "{}: from the start to the launch's first line: {} µs, by bash {bash} µs; READY after {} µs",
            robot.suite(),
            ours.main,
            ours.ready
        );
        assert!(ours.main < bash + bound, "{} µs, by bash {bash} µs", ours.main);
        assert!(ours.ready < bash + bound, "READY after {} µs, by bash {bash} µs", ours.ready);
    })
}

/// Microseconds since systemd forked for the unit.
struct Start {
    /// Until the launched program's first line.
    main: i64,
    /// Until systemd considered the unit active.
    ready: i64,
}

fn time(robot: &Machine, stack: &str) -> Start {
    let unit = format!("rovi-{stack}");
    robot.run(&format!("systemctl start {unit}")).ok();
    let launch = up(robot, &of(stack))[0].pid;
    let moment = |name: &str| property(robot, &unit, name).parse::<i64>().unwrap();
    let begin = moment("ExecMainStartTimestampMonotonic");
    // Read at once: systemd unloads an inactive unit that nothing refers to.
    let ready = moment("ActiveEnterTimestampMonotonic") - begin;
    assert!(ready > 0, "{unit}: active {ready} µs after its start");
    // The record's name is in nanoseconds since 1970; convert it to the monotonic clock.
    let clocks = "import time; print(time.time_ns() - time.clock_gettime_ns(time.CLOCK_MONOTONIC))";
    let offset: i64 = robot.command(&["python3", "-c", clocks]).run().ok().text().parse().unwrap();
    let record = robot.run(&format!("ls /dev/shm/ros-stand-in | grep -- -{launch}$ | tail -n1")).ok();
    let main: i64 = record.text().split('-').next().unwrap().parse().unwrap();
    robot.run(&format!("systemctl stop {unit}")).ok();
    Start { main: (main - offset) / 1000 - begin, ready }
}
