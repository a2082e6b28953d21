//! False records in the lock file, and processes outside of their unit: no message asks to end a process that
//! belongs to no stack, and nothing that still runs is reported as stopped.

use support::robot::package;
use testbed::{Machine, Result};

use super::{start, status};
use crate::life::{SOON, has_failed, of, on_every_suite, up};
use crate::lifecycle::{GATEWAY, PENDING, dpkg, pid, show};

#[test]
fn a_forged_record_commands_nothing_and_holds_up_nothing() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        let gateway = pid(robot, GATEWAY);
        let root = "1".to_owned();
        for (victim, cgroup) in [(&root, ""), (&root, "0::/"), (&gateway, ""), (&gateway, "0::/system.slice")]
        {
            forge(robot, victim, cgroup);
            let shown = op.run("rovi status").ok();
            assert!(!shown.stdout.contains("lock:") && !shown.stdout.contains("kill"), "{shown}");
            assert_eq!(status(op).locks[0].held, Some(false));
            op.run("rovi stop").ok().says("no stack is running");
            robot.run("run_stack --busy").exits(1);
            start(robot, op, "nav");
            forge(robot, victim, cgroup);
            let refused = op.run("rovi start camera").exits(75);
            assert!(!refused.stdout.contains("kill"), "{refused}");
            op.run("rovi stop").ok();
        }
        // The same while the operator's own process holds the lock: only that is true.
        op.run("(exec 9<>/run/rovi/stack.lock; flock 9; exec sleep 601) & until pgrep -f 'sleep 601'; do :; done").ok();
        for victim in [&root, &gateway] {
            forge(robot, victim, "");
            let refused = op.run("rovi start nav").exits(75).says("an unknown program");
            assert!(!refused.stdout.contains("kill"), "{refused}");
            assert_eq!((status(op).locks[0].held, &status(op).locks[0].holder), (Some(true), &None));
        }
        robot.run("pkill -f 'sleep 601'").ok();

        // No upgrade waits for it, and no removal fails.
        forge(robot, &root, "");
        dpkg(robot, package("deb")).ok();
        assert!(!robot.has(PENDING) && pid(robot, GATEWAY) != gateway);
        forge(robot, &root, "");
        robot.run("dpkg --remove rovi-services").ok();
        assert_eq!(show(robot, GATEWAY, "ActiveState"), "inactive");
    })
}

#[test]
fn what_has_left_its_unit_is_not_called_stopped() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        let uid = robot.run("id -u rovi").ok().text().to_owned();
        // Only an administrator can give it a user manager.
        robot.run("systemd-run --quiet --wait loginctl enable-linger rovi").ok();
        robot.wait_for_unit(&format!("user@{uid}.service"), "active", SOON);
        start(robot, op, "nav");
        let left = leave(robot);
        let told = op.run("rovi stop").exits(1).says("nav: the unit is stopped, but processes ");
        told.says(&format!(" {left} ")).says("`loginctl disable-linger rovi; loginctl terminate-user rovi`");
        robot.run(&format!("kill {left}")).ok();

        // A leftover of a killed stack blocks the next start, like any other leftover.
        start(robot, op, "nav");
        let left = leave(robot);
        robot.run("kill -KILL $(systemctl show --value --property=MainPID rovi-nav)").ok();
        has_failed(robot, "rovi-nav");
        op.run("rovi start camera").exits(75).says("has left processes running").says(&left);
        robot.run(&format!("kill {left}")).ok();
        robot.wait_for("its end", SOON, || !robot.run("run_stack --busy").success());
        op.run("rovi start camera").ok();
        up(robot, &of("camera"));
        op.run("rovi stop").ok();
    })
}

/// Writes a lock record with this process and cgroup, as an operator.
fn forge(robot: &Machine, pid: &str, cgroup: &str) {
    let record = format!(
        "printf 'service=nav\\npid={pid}\\nsince=2026-01-01T00:00:00Z\\nstarted=%s\\ngroup={pid}\\ncgroup={cgroup}\\n' \
         $(cut -d' ' -f22 /proc/{pid}/stat) >/run/rovi/stack.lock"
    );
    robot.run_as("op", &record).ok();
}

/// Starts a process as the stacks' user outside of their units; only its process ID distinguishes it from
/// theirs.
#[track_caller]
fn leave(robot: &Machine) -> String {
    let run = "XDG_RUNTIME_DIR=/run/user/$(id -u) systemd-run --user --quiet --collect sleep 602";
    robot.run_as("rovi", run).ok();
    robot.wait_for("the process", SOON, || {
        let found = robot.run("pgrep --uid rovi --full '^(/usr)?(/bin/)?sleep 602'");
        found.success().then(|| found.text().to_owned())
    })
}
