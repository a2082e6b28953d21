//! The session file: it exists while a stack runs, and is never incomplete.

use testbed::{Machine, Result};

use super::{SOON, STACKS, family, of, on_every_suite, start, state, stop, up};

const FILE: &str = "/var/lib/rovi/.ros/rovi/session/current_launch";

#[test]
fn r24_the_session_file_is_there_while_the_stack_runs() -> Result<()> {
    on_every_suite(|robot| {
        assert!(!robot.has(FILE));
        for stack in STACKS {
            let launch = start(robot, stack);
            assert_eq!(robot.read(FILE).as_deref(), Some(&*format!("rovi_bringup/{stack}.launch.py\n")));
            // It is written before the launch, so the launch can read it.
            let written = robot.run(&format!("stat -c %.9Y {FILE}")).ok().text().parse::<f64>().unwrap();
            let record = format!("ls /dev/shm/ros-stand-in | grep -- -{}$ | tail -n1", launch[0].pid);
            let started: f64 = robot.run(&record).ok().text().split('-').next().unwrap().parse().unwrap();
            assert!(written < started / 1e9, "{written} {started}");
            only_it(robot);
            stop(robot, stack);
            assert!(!robot.has(FILE), "{stack}");
        }
        // A refused start does not remove it, neither before nor after it has the lock.
        start(robot, "nav");
        robot.run_as("op", "systemctl start rovi-mapping").fails();
        robot.run_as("rovi", "run_stack mapping").exits(75);
        assert_eq!(robot.read(FILE).as_deref(), Some("rovi_bringup/nav.launch.py\n"));
    })
}

#[test]
fn r24_the_session_file_goes_with_whatever_is_killed() -> Result<()> {
    on_every_suite(|robot| {
        let kills = [
            "kill -KILL $LAUNCH",
            "kill -KILL $NODE",
            "kill -KILL $RUN_STACK",
            // Not `systemctl kill --signal=KILL`: with systemd 257 on Linux 6.18 it also killed processes
            // that systemd started later in the same cgroup, such as ExecStopPost=. Then the next start
            // removes the file.
            "kill -KILL $RUN_STACK $LAUNCH $NODE",
            "kill -KILL $(systemctl show --value --property=MainPID rovi-gateway)",
        ];
        for kill in kills {
            let nav = start(robot, "nav");
            assert!(robot.has(FILE));
            let [run_stack, launch, node] =
                [nav[0].parent, nav[0].pid, nav[1].pid].map(|pid| pid.to_string());
            let kill =
                kill.replace("$LAUNCH", &launch).replace("$NODE", &node).replace("$RUN_STACK", &run_stack);
            robot.run(&kill).ok();
            if kill == format!("kill -KILL {node}") {
                // The others keep running, and so does the stack.
                assert!(robot.has(FILE) && state(robot, "rovi-nav") == "active");
                stop(robot, "nav");
            }
            robot.wait_for("end of the stack", SOON, || {
                ["failed", "inactive"].contains(&&*state(robot, "rovi-nav"))
            });
            assert!(!robot.has(FILE), "after {kill}");
            only_it(robot);
            robot.run("systemctl start rovi-gateway").ok();
        }
        // By hand, it is in the person's own home, and is removed in the same way.
        let own = FILE.replace("/var/lib/rovi", "/home/op");
        robot.run_as("op", "run_stack nav >/dev/null 2>&1 &").ok();
        let nav = up(robot, &of("nav"));
        assert!(robot.has(&own) && !robot.has(FILE));
        robot.run_as("op", &format!("kill -KILL {}", nav[0].pid)).ok();
        robot.wait_for("end of the session", SOON, || !robot.has(&own));
        assert_eq!(family(robot, &of("nav")).len(), 3);
    })
}

/// Checks that the folder only contains the file.
#[track_caller]
fn only_it(robot: &Machine) {
    let files = robot.run(&format!("ls -A $(dirname {FILE})")).ok();
    assert!(["", "current_launch"].contains(&files.text()), "{files}");
}
