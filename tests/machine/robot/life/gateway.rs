//! No stack runs without the gateway, and none starts by itself when it is back.

use support::robot::SECOND;
use testbed::{Machine, Result, ros};

use super::{SOON, STACKS, alive, family, gone, has_failed, of, on_every_suite, property, start, state, up};

const GATEWAY: &str = "gateway.launch.py";

#[test]
fn r03_without_the_gateway_a_stack_fails_at_once_and_does_not_start_it() -> Result<()> {
    on_every_suite(|robot| {
        robot.run("systemctl stop rovi-gateway").ok();
        for stack in STACKS {
            let start = robot.run_as("op", &format!("systemctl start rovi-{stack}")).fails();
            assert!(start.took < SOON / 5, "{start}");
        }
        // No job mode bypasses run_stack, which checks by itself.
        for user in ["op", "root"] {
            let forced = "systemctl --job-mode=ignore-dependencies start rovi-nav";
            robot.run_as(user, forced).fails();
            has_failed(robot, "rovi-nav");
            assert_eq!(property(robot, "rovi-nav", "ExecMainStatus"), "75");
            robot
                .run_as("op", "systemctl status rovi-nav")
                .fails()
                .says("`rovi-gateway.service` is inactive");
            robot.run_as("op", "systemctl reset-failed rovi-nav").ok();
        }
        for user in ["op", "rovi"] {
            robot.run_as(user, "run_stack nav").exits(75).says("`systemctl start rovi-gateway.service`");
        }
        assert_eq!(state(robot, "rovi-gateway"), "inactive");
        assert!(STACKS.iter().all(|stack| family(robot, &of(stack)).is_empty()));
        // The stack is not broken.
        robot.run("systemctl start rovi-gateway").ok();
        start(robot, "nav");
    })
}

#[test]
fn r04_stacks_stop_when_the_gateway_is_stopped() -> Result<()> {
    on_every_suite(|robot| goes_down_with_it(robot, "systemctl stop rovi-gateway", "inactive"))
}

#[test]
fn r04_stacks_stop_when_the_gateway_is_restarted_and_stay_stopped() -> Result<()> {
    on_every_suite(|robot| goes_down_with_it(robot, "systemctl restart rovi-gateway", "active"))
}

#[test]
fn r04_stacks_stop_when_the_gateway_is_killed() -> Result<()> {
    on_every_suite(|robot| {
        let main = "kill -KILL $(systemctl show --value --property=MainPID rovi-gateway)";
        goes_down_with_it(robot, main, "failed");
        assert_eq!(property(robot, "rovi-gateway", "NRestarts"), "0");
        robot.run("systemctl start rovi-gateway").ok();
        goes_down_with_it(robot, "systemctl kill --signal=KILL rovi-gateway", "failed");
        // A clean exit is an end too: the launch gives up by itself.
        robot.run("systemctl start rovi-gateway").ok();
        goes_down_with_it(robot, "kill -INT $FAMILY", "inactive");
    })
}

/// A launch that is about to start its nodes when it is interrupted starts them afterwards. They end too.
#[test]
fn r04_a_stack_that_is_just_starting_stops_with_the_gateway() -> Result<()> {
    on_every_suite(|robot| {
        robot.put(ros::MANNERS, 0o644, "{\"slow\": 0.3}");
        let main = "kill -KILL $(systemctl show --value --property=MainPID rovi-gateway)";
        let ends = [main, "systemctl stop rovi-gateway", "systemctl stop rovi-nav"];
        for end in ends {
            robot.run("systemctl reset-failed; systemctl start rovi-gateway").ok();
            robot.run_as("op", "systemctl start rovi-nav").ok();
            let launch = robot.wait_for("the launch", SOON, || {
                family(robot, &of("nav"))
                    .first()
                    .filter(|p| alive(robot, &[(*p).clone()]) == 1)
                    .map(|p| p.pid)
            });
            robot.run(end).ok();
            robot.wait_for(&format!("end of the stack after `{end}`"), 2 * SECOND, || {
                state(robot, "rovi-nav") == "inactive"
            });
            let nav = family(robot, &of("nav"));
            assert_eq!((nav[0].pid, alive(robot, &nav)), (launch, 0), "after `{end}`");
        }
    })
}

/// Runs the nav stack in its unit, then by hand. Both end within two seconds after the gateway, and only
/// start again when a person starts them. `$FAMILY` contains the gateway's launch and nodes.
#[track_caller]
fn goes_down_with_it(robot: &Machine, hit: &str, then: &str) {
    for by_hand in [false, true] {
        if state(robot, "rovi-gateway") != "active" {
            robot.run("systemctl reset-failed; systemctl start rovi-gateway").ok();
        }
        let gateway = up(robot, GATEWAY);
        let nav = if by_hand {
            robot.run_as("op", "run_stack nav >/tmp/by-hand 2>&1 &").ok();
            up(robot, &of("nav"))
        } else {
            start(robot, "nav")
        };
        let all: Vec<String> = gateway.iter().map(|p| p.pid.to_string()).collect();
        robot.run(&hit.replace("$FAMILY", &all.join(" "))).ok();
        gone(robot, &nav, 2 * SECOND);
        robot.wait_for_unit("rovi-gateway", then, SOON);
        robot.wait_for_unit("rovi-nav", "inactive", SOON);
        robot.wait_for("end of all jobs", SOON, || {
            robot.run("systemctl list-jobs --no-legend").ok().text().is_empty()
        });
        gone(robot, &gateway, SOON);
        if then == "active" {
            up(robot, GATEWAY);
        }
        assert_eq!(state(robot, "rovi-nav"), "inactive");
        assert_eq!(property(robot, "rovi-nav", "NRestarts"), "0");
        assert_eq!(family(robot, &of("nav"))[0].pid, nav[0].pid, "it was launched again");
        robot.wait_for("a free lock", SOON, || !robot.run_as("op", "run_stack --busy").success());
    }
}
