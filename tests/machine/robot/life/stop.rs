//! How a stack ends: in order, or killed and left to a person.

use support::robot::{SECOND, SUITES};
use testbed::{Machine, Result, at_once, ros};

use super::{
    SOON, alive, family, gone, has_failed, is_empty, of, on_every_suite, property, ready, start, state, stop,
    up,
};

#[test]
fn r05_a_killed_stack_stays_failed() -> Result<()> {
    on_every_suite(|robot| {
        let run_stack = "kill -KILL $(systemctl show --value --property=MainPID rovi-nav)";
        let launch = "kill -KILL $LAUNCH";
        for kill in [run_stack, "systemctl kill --signal=KILL rovi-nav", launch] {
            let nav = start(robot, "nav");
            robot.run(&kill.replace("$LAUNCH", &nav[0].pid.to_string())).ok();
            has_failed(robot, "rovi-nav");
            assert_eq!(alive(robot, &nav), 0);
            robot.run("systemctl is-active rovi-gateway").ok();
            assert!(robot.journal_of("rovi-nav").contains("Failed with result 'signal'"));
            // The next start needs no cleanup.
            start(robot, "nav");
            stop(robot, "nav");
        }
    })
}

#[test]
fn r05_a_failing_launch_passes_its_status_on() -> Result<()> {
    on_every_suite(|robot| {
        robot.put(ros::MANNERS, 0o644, r#"{"exit": 7}"#);
        // It started and then failed, so the start may report either.
        let _ = robot.run_as("op", "systemctl start rovi-nav");
        has_failed(robot, "rovi-nav");
        assert_eq!(property(robot, "rovi-nav", "ExecMainStatus"), "7");
        robot.run("systemctl is-active rovi-gateway").ok();
    })
}

#[test]
fn r06_every_process_sees_exactly_one_sigint() -> Result<()> {
    on_every_suite(|robot| {
        for setting in ["KillSignal=2", "KillMode=control-group", "TimeoutStopUSec=20s"] {
            let (name, value) = setting.split_once('=').unwrap();
            assert_eq!(property(robot, "rovi-nav", name), value);
            assert_eq!(property(robot, "rovi-gateway", name), value);
        }
        let gateway = up(robot, "gateway.launch.py");

        let nav = start(robot, "nav");
        let stopped = robot.run_as("op", "systemctl stop rovi-nav").ok();
        assert!(stopped.took < 20 * SECOND, "{stopped}");
        is_empty(robot, "rovi-nav");
        ended_in_order(robot, &nav, "`systemctl stop`");
        assert_eq!(property(robot, "rovi-nav", "Result"), "success");

        let nav = start(robot, "nav");
        robot.run("kill -INT $(systemctl show --value --property=MainPID rovi-nav)").ok();
        robot.wait_for_unit("rovi-nav", "inactive", SOON);
        is_empty(robot, "rovi-nav");
        ended_in_order(robot, &nav, "`kill -INT` of the unit's run_stack");

        // At a terminal, Ctrl-C reaches the whole foreground group.
        let mut terminal = robot.login_session("op");
        terminal.type_line("run_stack nav");
        let nav = up(robot, &of("nav"));
        terminal.interrupt();
        let (status, screen) = terminal.finish(SOON);
        assert_eq!(status, 0, "{screen}");
        ended_in_order(robot, &nav, "Ctrl-C");

        // From another terminal, a signal only reaches run_stack.
        terminal.type_line("run_stack nav");
        let nav = up(robot, &of("nav"));
        robot.run_as("op", &format!("kill -INT {}", nav[0].parent)).ok();
        assert_eq!(terminal.finish(SOON).0, 0);
        ended_in_order(robot, &nav, "`kill -INT` of run_stack by hand");

        // The terminal window is closed.
        terminal.type_line("run_stack nav");
        let nav = up(robot, &of("nav"));
        drop(terminal);
        gone(robot, &nav, SOON);
        ended_in_order(robot, &nav, "a closed terminal");

        robot.run("systemctl stop rovi-gateway").ok();
        is_empty(robot, "rovi-gateway");
        ended_in_order(robot, &gateway, "`systemctl stop` of the gateway");
    })
}

/// Checks that each process received one SIGINT, no other signal, and ended by itself.
#[track_caller]
fn ended_in_order(robot: &Machine, before: &[ros::Process], how: &str) {
    let all = ros::processes(robot);
    for process in before.iter().map(|b| all.iter().rfind(|p| p.pid == b.pid).unwrap()) {
        let others: Vec<_> = process.signals.iter().filter(|(signal, _)| signal != "SIGINT").collect();
        // A closing terminal also sends SIGHUP to its foreground group; SIGINT still comes once.
        let only_hangups = others.iter().all(|(signal, _)| signal == "SIGHUP" && how == "a closed terminal");
        assert!(process.count("SIGINT") == 1 && only_hangups, "{how}: {process:?}");
        // A process that prints to a closed terminal may fail.
        assert!(process.status == Some(0) || how == "a closed terminal", "{how}: {process:?}");
        assert!(process.unheard.is_empty(), "{how}: {process:?}");
    }
}

#[test]
fn r06_deaf_nodes_are_killed_in_time() -> Result<()> {
    on_every_suite(|robot| {
        // Two seconds instead of twenty, to save time.
        robot.put(
            "/etc/systemd/system/rovi-nav.service.d/quick.conf",
            0o644,
            "[Service]\nTimeoutStopSec=2\n",
        );
        robot.put(ros::MANNERS, 0o644, r#"{"deaf": true}"#);
        robot.run("systemctl daemon-reload").ok();
        let nav = start(robot, "nav");
        let stopped = robot.run_as("op", "systemctl stop rovi-nav").ok();
        assert!(2 * SECOND <= stopped.took && stopped.took < SOON, "{stopped}");
        assert_eq!(alive(robot, &nav), 0);
        is_empty(robot, "rovi-nav");
        assert_eq!(property(robot, "rovi-nav", "Result"), "timeout");
        assert!(family(robot, &of("nav")).iter().all(|p| p.count("SIGINT") == 1));
        robot.run("systemctl is-active rovi-gateway").ok();
        // Killed processes leave nothing behind that blocks the next start.
        robot.run(&format!("rm {}", ros::MANNERS)).ok();
        start(robot, "mapping");
        assert_eq!(state(robot, "rovi-nav"), "failed");
    })
}

/// A shutdown stops stacks through the gateway, which stops them before it ends.
#[test]
fn r06_a_stack_ends_in_order_when_the_machine_goes_down() -> Result<()> {
    at_once(SUITES, |suite| {
        let mut robot = ready(suite)?;
        // Keeps the processes' records beyond the boot.
        let keep =
            "install -d -m 1777 /var/lib/records && mount --bind /var/lib/records /dev/shm/ros-stand-in";
        robot.run(keep).ok();
        start(&robot, "nav");
        robot.reboot()?;
        robot.run("cp /var/lib/records/* /dev/shm/ros-stand-in/").ok();
        let nav = family(&robot, &of("nav"));
        assert_eq!(nav.len(), 3);
        for process in nav {
            let signals: Vec<&str> = process.signals.iter().map(|(signal, _)| &**signal).collect();
            assert_eq!((signals, process.status), (vec!["SIGINT"], Some(0)), "{suite}: {:?}", process.role);
        }
        Ok(())
    })
}
