//! Operators do not control the gateway: whatever they do with a stack and when, the gateway stays as the
//! administrator set it.

use std::time::Duration;

use support::robot::{SUITES, robot};
use testbed::{Machine, Output, Result, Suite, at_once};

use crate::life::ready;

/// A stack that is stopped before it is active can take its whole `TimeoutStopSec=`.
const BOUND: Duration = Duration::from_secs(30);

const MODES: [&str; 7] = [
    "replace",
    "fail",
    "flush",
    "replace-irreversibly",
    "ignore-dependencies",
    "ignore-requirements",
    "restart-dependencies",
];

/// Delays the end of a stack until the test releases it.
const SLOW: (&str, u32, &str) = (
    "/etc/systemd/system/rovi-nav.service.d/slow.conf",
    0o644,
    "[Service]\nExecStop=sh -c 'until test -e /run/go; do sleep 0.02; done'\n",
);

#[test]
fn no_job_of_a_stack_starts_the_gateway() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        robot.run("systemctl stop rovi-gateway").ok();
        for mode in MODES {
            for verb in ["Start", "Restart", "Stop"] {
                let _ = ask(&robot, verb, mode);
                settle(&robot);
                assert_eq!(states(&robot)[0], "inactive", "{suite}: the gateway after {verb} {mode}");
                assert_ne!(states(&robot)[1], "active", "{suite}: nav after {verb} {mode}");
            }
        }
        // The job mode bypasses all dependencies, but run_stack still reports the reason.
        robot.run("systemctl reset-failed").ok();
        let start = "systemctl start --job-mode=ignore-dependencies rovi-nav";
        robot.run_as("op", start).fails();
        robot.run("journalctl -u rovi-nav").says("`rovi-gateway.service` is inactive, but must be active");
        Ok(())
    })
}

#[test]
fn a_stop_of_the_gateway_cannot_be_undone_by_starting_a_stack() -> Result<()> {
    at_once(SUITES, |suite| {
        stop_and_start(suite);
        Ok(())
    })
}

/// An administrator stops the gateway while a stack runs. Its `ExecStop=` waits for the stack, and meanwhile
/// an operator acts.
fn stop_and_start(suite: Suite) {
    let robot = robot(suite).files([SLOW]).boot().unwrap();
    for mode in MODES {
        for verb in ["Start", "Restart", "Stop"] {
            robot.run("systemctl reset-failed; rm -f /run/go").ok();
            robot.run("systemctl start rovi-gateway && systemctl start rovi-nav").ok();
            robot.run("systemctl stop --no-block rovi-gateway").ok();
            robot.wait_for("the stop of nav", BOUND, || {
                let jobs = robot.run("systemctl list-jobs --no-legend rovi-nav.service").ok();
                jobs.text().split_whitespace().skip(2).eq(["stop", "running"])
            });
            let _ = ask(&robot, verb, mode);
            robot.run("touch /run/go").ok();
            settle(&robot);
            assert!(are_down(&robot), "{suite}: {:?} after {verb} {mode}", states(&robot));
        }
    }
}

#[test]
fn a_start_of_the_gateway_is_not_dropped_by_an_operator() -> Result<()> {
    at_once(SUITES, |suite| {
        // The gateway waits for something, as it does at boot.
        let first = "[Service]\nType=oneshot\nExecStart=sh -c 'until test -e /run/go; do sleep 0.05; done'\n";
        let robot = robot(suite)
            .file("/etc/systemd/system/first.service", 0o644, first)
            .file(
                "/etc/systemd/system/rovi-gateway.service.d/first.conf",
                0o644,
                "[Unit]\nAfter=first.service\n",
            )
            .boot()?;
        robot.run("systemctl stop rovi-gateway && systemctl start --no-block first rovi-gateway").ok();
        let _ = ask(&robot, "Stop", "flush");
        let _ = ask(&robot, "Start", "flush");
        robot.run("touch /run/go").ok();
        robot.wait_for_unit("rovi-gateway.service", "active", BOUND);
        Ok(())
    })
}

/// systemd rejects jobs that contradict an irreversible job, and polkit does not know whether a job is
/// irreversible. Therefore stacks are not part of an administrator's transaction. The stop waits for the
/// stack's end, as every stop of the gateway does.
#[test]
fn an_irreversible_job_does_not_refuse_a_stop_of_the_gateway() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = robot(suite).files([SLOW]).boot()?;
        robot.run("systemctl start rovi-nav").ok();
        ask(&robot, "Restart", "replace-irreversibly").ok();
        robot.run("systemctl stop --no-block rovi-gateway").ok();
        robot.run("touch /run/go").ok();
        settle(&robot);
        assert!(are_down(&robot), "{suite}: {:?}", states(&robot));
        Ok(())
    })
}

#[test]
fn the_gateway_ends_with_everything_else() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        robot.run("systemctl start rovi-nav && systemctl isolate multi-user.target").ok();
        assert_eq!(states(&robot)[0], "active", "{suite}");
        // Not awaited, because the rescue shell has no terminal here.
        robot.run("systemctl isolate --no-block rescue.target").ok();
        robot.wait_for("end of the gateway and of nav", BOUND, || are_down(&robot));
        Ok(())
    })
}

/// Sends an operator's request for nav without waiting for the job.
fn ask<'m>(robot: &'m Machine, verb: &str, mode: &str) -> Output<'m> {
    robot.run_as(
        "op",
        &format!(
            "busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager \
             {verb}Unit ss rovi-nav.service {mode}"
        ),
    )
}

/// Waits until systemd has no more jobs.
fn settle(robot: &Machine) {
    robot.wait_for("end of all jobs", BOUND, || {
        robot.run("systemctl list-jobs --no-legend").ok().text().is_empty()
    });
}

/// Returns whether neither runs. One that is stopped before it is active ends as `failed`.
fn are_down(robot: &Machine) -> bool {
    states(robot).iter().all(|state| state == "inactive" || state == "failed")
}

/// Returns the states of the gateway and of nav.
fn states(robot: &Machine) -> [String; 2] {
    let shown = robot.run("systemctl show --value --property=ActiveState rovi-gateway rovi-nav").ok();
    let states: Vec<String> = shown.text().lines().filter(|l| !l.is_empty()).map(str::to_owned).collect();
    states.try_into().expect("two units have two states")
}
