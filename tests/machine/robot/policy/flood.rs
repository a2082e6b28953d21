//! An operator floods systemd with permitted calls in every job mode. polkit does not know the mode, so the
//! units must cope: an administrator's plain commands succeed at the first attempt and within the usual time.

use std::time::Duration;

use support::robot::SUITES;
use testbed::{Machine, Result, at_once};

use crate::life::{ready, state, up};

const ROUNDS: usize = 30;
/// Time limit for a stop of the gateway, which includes the end of a stack's launch.
const STOP: Duration = Duration::from_secs(10);
/// No stack is alive after this time.
const ALIVE: Duration = Duration::from_millis(2500);
/// Time limit for a shutdown.
const DOWN: Duration = Duration::from_secs(15);

/// The calls that an operator repeats forever, one set per round in turn.
const FLOODS: [&[&str]; 3] = [
    &["--job-mode=replace-irreversibly restart rovi-nav"],
    &[
        "--job-mode=flush restart rovi-nav",
        "--job-mode=flush stop rovi-camera",
        "--job-mode=flush start rovi-nav",
    ],
    &[
        "--job-mode=replace-irreversibly start rovi-nav",
        "--job-mode=replace-irreversibly stop rovi-nav rovi-camera",
        "--job-mode=flush restart rovi-nav",
        "--job-mode=ignore-dependencies restart rovi-nav",
        "--job-mode=ignore-requirements restart rovi-camera",
        "--job-mode=fail start rovi-nav",
        "--job-mode=replace restart rovi-nav",
        "--job-mode=isolate start rovi-nav",
        "reset-failed rovi-nav",
    ],
];

/// The robot's state on a separate file system: units that require it stop during a shutdown.
const STATE: (&str, u32, &str) = (
    "/etc/systemd/system/var-lib-rovi.mount",
    0o644,
    "[Mount]\nWhat=tmpfs\nWhere=/var/lib/rovi\nType=tmpfs\n[Install]\nWantedBy=local-fs.target\n",
);

#[test]
fn an_administrator_stops_the_gateway_under_any_flood() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        for round in 0..ROUNDS {
            robot.run("systemctl reset-failed 'rovi-*'; systemctl start rovi-gateway").ok();
            up(&robot, "gateway.launch.py");
            flood(&robot, round);
            let stop = robot.run("systemctl stop rovi-gateway").ok();
            assert!(stop.took < STOP, "round {round} on {suite}: {stop}");
            robot.wait_for(&format!("end of the stacks in round {round}"), ALIVE, || {
                stacks(&robot).is_empty()
            });
            // During the flood, nothing comes back.
            assert_ne!(state(&robot, "rovi-gateway"), "active", "round {round} on {suite}");
            end(&robot);
            assert_eq!(stacks(&robot), "", "round {round} on {suite}");
        }
        Ok(())
    })
}

#[test]
fn an_administrator_reboots_under_any_flood() -> Result<()> {
    at_once(SUITES, |suite| {
        let mut robot = support::robot::robot(suite).files([STATE]).boot()?;
        robot.run("systemctl enable var-lib-rovi.mount").ok();
        robot.reboot()?;
        for round in 0..ROUNDS {
            up(&robot, "gateway.launch.py");
            assert_eq!(state(&robot, "var-lib-rovi.mount"), "active");
            flood(&robot, round);
            ask_to_go_down(&robot, "reboot", round);
            robot.wait_for_reboot(DOWN)?;
        }
        Ok(())
    })
}

#[test]
fn an_administrator_turns_the_machine_off_under_any_flood() -> Result<()> {
    at_once(SUITES, |suite| {
        for round in 0..ROUNDS {
            let mut robot = ready(suite)?;
            flood(&robot, round);
            ask_to_go_down(&robot, "poweroff", round);
            robot.wait_for_poweroff(DOWN)?;
        }
        Ok(())
    })
}

#[test]
fn an_administrator_isolates_rescue_under_any_flood() -> Result<()> {
    at_once(SUITES, |suite| {
        for round in 0..ROUNDS {
            let robot = ready(suite)?;
            flood(&robot, round);
            // Not awaited, because the rescue shell has no terminal here.
            robot.run("systemctl isolate --no-block rescue.target").ok();
            robot.wait_for_unit("rovi-gateway", "inactive", DOWN);
            robot.wait_for(&format!("end of the stacks in round {round}"), ALIVE, || {
                stacks(&robot).is_empty()
            });
            robot.wait_for_unit("rescue.target", "active", DOWN);
        }
        Ok(())
    })
}

/// Runs the command, which systemd must accept. It ends with the machine, so its status means nothing.
fn ask_to_go_down(robot: &Machine, command: &str, round: usize) {
    let output = robot.run(command);
    assert!(!output.stderr.contains("destructive"), "round {round} on {}: {output}", robot.suite());
}

/// Starts a flood and waits until it has reached a stack.
fn flood(robot: &Machine, round: usize) {
    robot.run("rm -rf /tmp/flood; install -d -m 1777 /tmp/flood").ok();
    for call in FLOODS[round % FLOODS.len()] {
        robot
            .run_as(
                "op",
                &format!("echo $$ >>/tmp/flood/pids; (while :; do systemctl --no-block {call}; done) >/dev/null 2>&1 &"),
            )
            .ok();
    }
    robot.wait_for("a stack in the flood", DOWN, || state(robot, "rovi-nav") != "inactive");
}

/// Ends the flood.
fn end(robot: &Machine) {
    robot.run("for group in $(cat /tmp/flood/pids); do kill -KILL -- -$group; done").ok();
    robot.wait_for("end of all jobs", DOWN, || {
        robot.run("systemctl list-jobs --no-legend").ok().text().is_empty()
    });
}

/// Returns the running programs of stacks.
fn stacks(robot: &Machine) -> String {
    let alive = "for unit in nav camera teleop mapping localization; do \
                     for pid in $(cat /sys/fs/cgroup/system.slice/rovi-$unit.service/cgroup.procs 2>/dev/null); do \
                         grep -qs 'stack:=' /proc/$pid/cmdline && echo $unit $pid; done; done; true";
    robot.run(alive).ok().stdout
}
