//! Every refusal: its exit status, its reason, its next step, and that nothing else changes.

use base::report::State;
use testbed::{Machine, Result};

use super::{outcome, service, start, status};
use crate::life::{SOON, of, on_every_suite, state, up};

#[test]
fn without_the_gateway_nothing_starts_and_nothing_is_stopped_for_it() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        robot.run("systemctl stop rovi-gateway").ok();
        for verb in ["start", "restart", "switch"] {
            op.run(&format!("rovi {verb} nav"))
                .exits(75)
                .says("`rovi-gateway.service` is inactive")
                .says("`systemctl start rovi-gateway.service`");
            // The check came first, so no failed unit is left.
            assert_eq!(service(op, "nav").state, State::Stopped);
        }
    })
}

#[test]
fn what_waits_to_be_stopped_runs_no_more() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        robot.put(testbed::ros::MANNERS, 0o644, "{\"deaf\": true}");
        start(robot, op, "nav");
        // The gateway runs until the stack's last process has ended, and these do not end.
        robot.run("systemctl stop --no-block rovi-gateway").ok();
        robot.wait_for("the stop to begin", SOON, || service(op, "nav").state == State::Stopping);
        let gateway = service(op, "gateway");
        assert_eq!((&*gateway.active, gateway.job.as_deref()), ("deactivating", Some("stop")));
        assert_eq!(gateway.state, State::Stopping);
        op.run("rovi start camera").exits(75).says("`rovi-gateway.service` is stopping, but must be active");
        robot.run("rovi start gateway").exits(75).says("gateway: another request is in progress");

        robot.run("systemctl kill --signal=KILL rovi-nav").ok();
        robot.wait_for("the gateway's end", SOON, || service(op, "gateway").state == State::Stopped);
    })
}

#[test]
fn who_has_the_lock_is_named_and_left_alone() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        start(robot, op, "nav");
        op.run("rovi start teleop").exits(75).says("held by nav (pid ").says("`rovi switch teleop`");
        assert_eq!(
            (state(robot, "rovi-nav"), state(robot, "rovi-teleop")),
            ("active".into(), "inactive".into())
        );
        op.run("rovi stop").ok();

        // Started outside of systemd, it must be stopped by the user who started it.
        robot.run("runuser -u rovi -- setsid --fork run_stack camera </dev/null >/dev/null 2>&1").ok();
        let by_hand = up(robot, &of("camera"));
        for line in ["start nav", "switch nav", "restart nav", "stop camera", "stop"] {
            let refused = outcome(op, &format!("rovi {line}"));
            assert_eq!(refused.exit, 75, "{refused:?}");
            assert!(
                refused.message.contains("camera (pid ") && refused.message.contains("kill -INT"),
                "{refused:?}"
            );
        }
        op.run("rovi status").ok().says("lock: held by camera, started by hand, process ");
        let lock = status(op).locks.remove(0);
        let holder = lock.holder.unwrap();
        assert!(lock.held == Some(true) && holder.by_hand && holder.service == "camera", "{holder:?}");

        // After a kill, its nodes remain and still move the robot.
        robot.run(&format!("kill -KILL {}", holder.pid)).ok();
        let refused = outcome(op, "rovi start nav");
        assert!(refused.exit == 75 && refused.message.contains("has left processes running"), "{refused:?}");
        op.run("rovi status").ok().says("lock: camera was killed and left processes running: ");
        let left: Vec<String> = status(op).locks.remove(0).left.iter().map(i32::to_string).collect();
        assert!(refused.message.ends_with(&format!("`kill -INT {}`", left.join(" "))), "{refused:?}");
        robot.run(&format!("kill -INT {}", left.join(" "))).ok();
        crate::life::gone(robot, &by_hand, SOON);
        start(robot, op, "nav");
    })
}

#[test]
fn who_may_not_is_told_why_and_what_to_do() -> Result<()> {
    on_every_suite(|robot| {
        robot.add_user("other", &[]);
        let op = &mut robot.login_session("op");
        op.run("rovi restart gateway").exits(3).says("only administrators may do that");
        op.run("rovi stop gateway").exits(3).says("`systemctl stop rovi-gateway.service`");
        let other = &mut robot.login_session("other");
        other
            .run("rovi start nav")
            .exits(3)
            .says("other is not in the group rovi-ops")
            .says("`usermod --append");
        robot.run("usermod --append --groups rovi-ops other").ok();
        // The newer suite's polkit uses the groups of the login session, the older one those of the database.
        let again = other.run("rovi start nav");
        match robot.suite() {
            testbed::Suite::Bookworm => drop(again.ok()),
            _ => drop(again.exits(3).says("after this login").says("log in again")),
        }
        robot.login_session("other").run("rovi start nav").ok();
        // An administrator's own rule takes precedence.
        robot.put(
            "/etc/polkit-1/rules.d/10-no.rules",
            0o644,
            "polkit.addRule(function (action, subject) { if (action.lookup('unit') == 'rovi-nav.service') return polkit.Result.NO; });\n",
        );
        robot.wait_for("the new rule", SOON, || {
            let stop = op.run("rovi stop nav");
            (stop.status == 3).then(|| stop.says("polkit refuses it although op is in the group rovi-ops"))
        });
    })
}

#[test]
fn names_units_and_command_lines_that_are_wrong() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        for verb in ["start", "stop", "restart", "switch", "status", "logs"] {
            op.run(&format!("rovi {verb} ../nav"))
                .exits(4)
                .says("expected one of gateway, teleop, mapping, localization, nav, camera");
        }
        op.run("rovi switch gateway").exits(2).says("`rovi start gateway`");
        robot.run("systemctl mask --runtime rovi-nav").ok();
        op.run("rovi start nav").exits(78).says("`systemctl unmask rovi-nav.service`");
        op.run("rovi status").ok().says("nav           stopped   masked");
        robot.run("systemctl unmask --runtime rovi-nav").ok();
        robot.run("mv /usr/lib/systemd/system/rovi-nav.service /root && systemctl daemon-reload").ok();
        start(robot, op, "camera");
        for verb in ["start", "stop", "switch"] {
            op.run(&format!("rovi {verb} nav")).exits(78).says("`rovi-nav.service` is not installed");
        }
        // Nothing is stopped for a stack that cannot start.
        assert_eq!(state(robot, "rovi-camera"), "active");
        op.run("rovi status").ok().says("nav           missing\n");
        assert_eq!(service(op, "nav").state, State::Missing);
    })
}

#[test]
fn without_a_bus_or_a_table_there_is_one_line() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        let there = "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere/bus";
        op.run(&format!("{there} rovi status"))
            .exits(1)
            .says("error: the system bus: no such file or directory: see ");
        let down = outcome(op, &format!("{there} rovi start nav"));
        assert!(down.exit == 1 && down.message.contains("`systemctl status dbus.service`"), "{down:?}");
        // A bus that accepts the connection but never responds gives a timeout.
        robot.run("mv /usr/share/rovi/services.json /root").ok();
        op.run("rovi list").exits(78).says("services.json").says("reinstall the package");
        robot.run("mv /root/services.json /usr/share/rovi/").ok();
        op.run("rovi list >/dev/full").exits(1).says("standard output: no space left on device");
        op.run("rovi list | true; test ${PIPESTATUS[0]} = 0").ok();
    })
}

#[test]
fn a_launch_that_fails_says_its_own_reason_and_a_switch_to_it_leaves_things_stopped() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        start(robot, op, "camera");
        robot.run("mv /opt/ros/jazzy /opt/ros/gone").ok();
        let failed = outcome(op, "rovi switch nav");
        assert_eq!(
            (failed.exit, failed.state, failed.changed),
            (78, Some(State::Failed), true),
            "{failed:?}"
        );
        assert!(failed.message.contains("install ROS 2 jazzy"), "{failed:?}");
        assert!(failed.message.ends_with("; camera was stopped and stays stopped"), "{failed:?}");
        assert!(
            failed.notes.iter().any(|n| n.contains("you may not read the log of system services")),
            "{failed:?}"
        );
        assert_eq!(state(robot, "rovi-camera"), "inactive");
        // Users who may read the journal see its last lines.
        robot.run("rovi start nav").exits(78).says("  | ").says("install ROS 2 jazzy");
        robot.run("mv /opt/ros/gone /opt/ros/jazzy").ok();

        // It starts and ends at once, or it cannot even be started.
        drop_in(robot, "[Service]\nExecStart=\nExecStart=/bin/sh -c 'exit 7'\n");
        op.run("rovi start nav").exits(1).says("it exited with status 7");
        drop_in(robot, "[Service]\nExecStart=\nExecStart=sleep 1000\nTimeoutStartSec=100ms\n");
        op.run("rovi start nav").exits(1).says("took too long");
        drop_in(robot, "[Unit]\nJobRunningTimeoutSec=200ms\n[Service]\nExecStart=\nExecStart=sleep 1000\n");
        op.run("rovi start nav").exits(1).says("nav: the start timed out");
        robot.run("systemctl stop rovi-nav").ok();
        drop_in(robot, "[Unit]\nConditionPathExists=/nowhere\n");
        op.run("rovi start nav").exits(1).says("a condition of its unit is not met");
        drop_in(robot, "[Unit]\nRequires=broken.service\nAfter=broken.service\n");
        robot.put("/etc/systemd/system/broken.service", 0o644, "[Service]\nType=oneshot\nExecStart=false\n");
        robot.run("systemctl daemon-reload").ok();
        op.run("rovi start nav").exits(1).says("a unit that it depends on did not start");
        // Without these changes, it starts.
        drop_in(robot, "");
        op.run("rovi start nav").ok();
    })
}

/// Replaces the drop-in of nav, as an administrator would.
fn drop_in(robot: &Machine, text: &str) {
    robot.put("/etc/systemd/system/rovi-nav.service.d/override.conf", 0o644, text);
    robot.run("systemctl daemon-reload").ok();
}
