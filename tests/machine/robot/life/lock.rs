//! One stack at a time, regardless of who starts it and how.

use support::robot::SECOND;
use testbed::{Machine, Result, ros};

use super::{
    SOON, alive, family, gone, has_failed, is_empty, of, on_every_suite, on_one_suite_after_the_other,
    property, start, state, stop, up,
};

#[test]
fn r12_the_second_start_fails_at_once_and_names_the_holder() -> Result<()> {
    on_one_suite_after_the_other(|robot| {
        start(robot, "nav");
        let holder = format!("held by nav (pid {}, since 20", property(robot, "rovi-nav", "MainPID"));
        let mut ours = u64::MAX;
        // More than six attempts, which is where systemd's start limit would apply; more on a busy host,
        // where none may be fast.
        for attempt in 0..30 {
            if attempt >= 7 && ours < 100_000 {
                break;
            }
            robot.run_as("op", "systemctl start rovi-mapping").fails();
            has_failed(robot, "rovi-mapping");
            assert_eq!(property(robot, "rovi-mapping", "ExecMainStatus"), "75");
            robot.run_as("op", "systemctl status rovi-mapping").fails().says(&holder).says("stop it first");
            assert!(robot.journal_of("rovi-mapping").contains(&holder));
            let moment = |name: &str| property(robot, "rovi-mapping", name).parse::<u64>().unwrap();
            let took = moment("ExecMainExitTimestampMonotonic") - moment("ExecMainStartTimestampMonotonic");
            ours = ours.min(took);
        }
        eprintln!(
            "{}: losing the lock took {ours} µs, systemd's own part of the start included",
            robot.suite()
        );
        assert!(ours < 100_000, "losing the lock took {ours} µs");
        robot.run_as("op", "run_stack mapping").exits(75).says(&holder);
        robot.run_as("rovi", "run_stack mapping").exits(75).says(&holder);
        robot.run_as("op", "run_stack --busy").ok().says("nav (pid ");
        assert!(family(robot, &of("mapping")).is_empty());
        // The first one is not affected, and the second one can start later.
        assert_eq!(state(robot, "rovi-nav"), "active");
        stop(robot, "nav");
        start(robot, "mapping");
    })
}

#[test]
fn r12_by_hand_and_by_systemd_exclude_each_other() -> Result<()> {
    on_every_suite(|robot| {
        // The unit's user, and a developer who is a member of the group.
        for user in ["rovi", "op"] {
            let nav = by_hand(robot, user, "nav");
            let holder = format!("held by nav (pid {}, since 20", nav[0].parent);
            robot.run_as("op", "systemctl start rovi-mapping").fails();
            robot.run_as("op", "systemctl status rovi-mapping").fails().says(&holder);
            robot.run_as("op", "systemctl start rovi-nav").fails();
            for other in ["rovi", "op"] {
                robot.run_as(other, "run_stack mapping").exits(75).says(&holder);
            }
            assert_eq!(alive(robot, &family(robot, &of("mapping"))), 0, "{user}");
            robot.run_as(user, &format!("kill -INT {}", nav[0].parent)).ok();
            gone(robot, &nav, SOON);
            free(robot);
            start(robot, "mapping");
            stop(robot, "mapping");
        }
        // Other users may not even try.
        robot.add_user("guest", &[]);
        robot.run_as("guest", "run_stack nav").exits(78).says("/run/rovi/stack.lock");
    })
}

#[test]
fn r12_the_lock_cannot_be_replaced() -> Result<()> {
    on_every_suite(|robot| {
        let stat = robot.run("stat -c '%a %U:%G' /run/rovi /run/rovi/stack.lock").ok();
        assert_eq!(stat.text(), "755 root:root\n660 rovi:rovi-ops");
        start(robot, "nav");
        for user in ["rovi", "op"] {
            for attempt in
                ["rm -f /run/rovi/stack.lock", "mv /run/rovi/stack.lock /run/rovi/x", "touch /run/rovi/x"]
            {
                robot.run_as(user, attempt).fails();
            }
        }
        stop(robot, "nav");
        // The file stays the same, whatever units do.
        let inode = || robot.run("stat -c %i /run/rovi/stack.lock").ok().text().to_owned();
        let before = inode();
        robot.run("systemctl restart rovi-gateway").ok();
        start(robot, "nav");
        robot.run("systemctl kill --signal=KILL rovi-nav").ok();
        robot.run("systemctl stop rovi-gateway").ok();
        assert_eq!(inode(), before);
    })
}

#[test]
fn r12_what_a_killed_run_stack_left_keeps_others_out() -> Result<()> {
    on_every_suite(|robot| {
        for user in ["rovi", "op"] {
            // By hand, nothing stops the nodes of a killed run_stack.
            let nav = by_hand(robot, user, "nav");
            robot.run_as(user, &format!("kill -KILL {}", nav[0].parent)).ok();
            robot.wait_for("end of run_stack", SOON, || {
                alive(robot, &nav[..1]) == 1 && !is_there(robot, nav[0].parent)
            });
            assert_eq!(alive(robot, &nav), 3);
            for other in ["rovi", "op"] {
                let refused = robot.run_as(other, "run_stack mapping").exits(75);
                let _ = refused.says("killed, has left processes running");
            }
            robot.run_as("op", "systemctl start rovi-mapping").fails();
            robot.run_as("op", "systemctl status rovi-mapping").fails().says("killed, has left");
            assert_eq!(alive(robot, &family(robot, &of("mapping"))), 0, "{user}: two stacks run at once");
            let pids: Vec<String> = nav.iter().map(|p| p.pid.to_string()).collect();
            robot.run_as(user, &format!("kill -INT {}", pids.join(" "))).ok();
            gone(robot, &nav, SOON);
            start(robot, "mapping");
            stop(robot, "mapping");
        }
        // The same in a script, which leads the process group and goes on.
        robot.run_as("op", "setsid bash -c 'run_stack nav >/tmp/script 2>&1; sleep 601' &").ok();
        let nav = up(robot, &of("nav"));
        robot.run_as("op", &format!("kill -KILL {}", nav[0].parent)).ok();
        robot.wait_for("end of run_stack", SOON, || !is_there(robot, nav[0].parent));
        for other in ["rovi", "op"] {
            let _ =
                robot.run_as(other, "run_stack mapping").exits(75).says("killed, has left processes running");
        }
        robot.run_as("op", "systemctl start rovi-mapping").fails();
        assert_eq!(alive(robot, &family(robot, &of("mapping"))), 0, "two stacks run at once");
        robot.run("pkill -KILL -f 'sleep 601|stack:=nav|lib/[r]ovi_bringup/(talker|listener)'").ok();
        robot.run("systemctl restart rovi-gateway").ok();

        // In a unit, systemd stops them, which takes long for deaf nodes: until then no other stack starts.
        robot.put(ros::MANNERS, 0o644, r#"{"deaf": true}"#);
        robot.put(
            "/etc/systemd/system/rovi-nav.service.d/quick.conf",
            0o644,
            "[Service]\nTimeoutStopSec=2\n",
        );
        robot.run("systemctl daemon-reload").ok();
        let nav = start(robot, "nav");
        robot.run("kill -KILL $(systemctl show --value --property=MainPID rovi-nav)").ok();
        robot.run_as("op", "systemctl start rovi-mapping").fails();
        robot.run_as("op", "run_stack mapping").exits(75).says("killed, has left processes running");
        assert!(alive(robot, &nav) > 0);
        robot.run(&format!("rm {}", ros::MANNERS)).ok();
        has_failed(robot, "rovi-nav");
        start(robot, "mapping");
        is_empty(robot, "rovi-nav");
    })
}

/// Starts a stack by hand in the background of a shell with job control, and waits for its processes.
#[track_caller]
fn by_hand(robot: &Machine, user: &str, stack: &str) -> Vec<ros::Process> {
    robot.run_as(user, &format!("set -m; run_stack {stack} >/tmp/by-hand-{user} 2>&1 &")).ok();
    up(robot, &of(stack))
}

fn is_there(robot: &Machine, pid: u32) -> bool {
    robot.run(&format!("test -d /proc/{pid}")).success()
}

#[track_caller]
fn free(robot: &Machine) {
    robot.wait_for("a free lock", 5 * SECOND, || robot.run_as("op", "run_stack --busy").status == 1);
}
