//! What is launched, the messages if that fails, and the warnings.

use testbed::Result;

use super::{STACKS, family, has_failed, of, on_every_suite, property, start, stop, up};

#[test]
fn r11_r13_r14_each_launch_has_exactly_its_arguments() -> Result<()> {
    on_every_suite(|robot| {
        let gateway = up(robot, "gateway.launch.py");
        let argv = "/opt/ros/jazzy/bin/ros2 launch rovi_bringup gateway.launch.py robot_mode:=real";
        assert_eq!(gateway[0].argv.join(" "), argv);
        for stack in STACKS {
            let argv = format!(
                "/opt/ros/jazzy/bin/ros2 launch rovi_bringup rovi.launch.py robot_mode:=real gateway_enabled:=false \
                 stack:={stack} rviz:=false"
            );
            assert_eq!(start(robot, stack)[0].argv.join(" "), argv);
            stop(robot, stack);
            // By hand, additional arguments are passed on.
            robot.run_as("op", &format!("run_stack {stack} 'map:=ground floor' -d >/dev/null 2>&1 &")).ok();
            let launch = up(robot, "map:=ground floor");
            assert_eq!(launch[0].argv.join(" "), argv + " map:=ground floor -d");
            robot.run_as("op", &format!("kill -INT {}", launch[0].parent)).ok();
            robot.wait_for("a free lock", super::SOON, || !robot.run_as("op", "run_stack --busy").success());
        }
    })
}

#[test]
fn r11_an_unknown_stack_is_refused_with_the_known_ones() -> Result<()> {
    on_every_suite(|robot| {
        let known = "expected one of gateway, teleop, mapping, localization, nav, camera";
        robot.run_as("op", "run_stack view").exits(2).says(known);
    })
}

#[test]
fn r11_without_ros_or_workspace_it_says_what_to_do() -> Result<()> {
    on_every_suite(|robot| {
        for (missing, hint) in [
            (
                "/opt/ros/jazzy/setup.bash",
                "install ROS 2 jazzy, or correct ROS_DISTRO in /etc/rovi/.env.robot",
            ),
            ("/opt/rovi/ros_ws/install/setup.bash", "colcon build in /opt/rovi/ros_ws"),
        ] {
            robot.run(&format!("mv {missing} {missing}.away")).ok();
            robot.run_as("op", "systemctl start rovi-nav").fails();
            has_failed(robot, "rovi-nav");
            assert_eq!(property(robot, "rovi-nav", "ExecMainStatus"), "78");
            // Operators cannot read the system journal; the unit's status shows the message too.
            robot.run_as("op", "systemctl status rovi-nav").fails().says(hint);
            assert!(robot.journal_of("rovi-nav").contains(hint));
            robot.run_as("op", "run_stack nav").exits(78).says(hint);
            robot.run(&format!("mv {missing}.away {missing}")).ok();
        }
        // The message distinguishes a failing file from a missing one.
        robot.run("echo 'return 3' >>/opt/rovi/ros_ws/install/setup.bash").ok();
        robot.run_as("op", "systemctl start rovi-nav").fails();
        robot.run_as("op", "systemctl status rovi-nav").fails().says("exited with status 3");
        assert!(family(robot, &of("nav")).is_empty());
        // The gateway fails as well.
        robot.run("systemctl restart rovi-gateway").fails();
        has_failed(robot, "rovi-gateway");
        assert_eq!(property(robot, "rovi-gateway", "ExecMainStatus"), "78");
    })
}

#[test]
fn r15_a_gateway_with_another_expectation_is_warned_of() -> Result<()> {
    on_every_suite(|robot| {
        let warns = |stack: &str| {
            let mark = robot.mark();
            start(robot, stack);
            stop(robot, stack);
            let journal = robot.journal_since(&mark);
            let line = journal.lines().find(|l| l.contains("warning: ")).map(str::to_owned);
            if let Some(line) = &line {
                assert!(line.contains("ROVI_ODOM_INTEGRATOR_PUBLISH_TF"), "{line}");
                assert!(line.contains("/etc/rovi/.env.robot"), "{line}");
                assert!(line.contains("`systemctl restart rovi-gateway.service`"), "{line}");
            }
            line.is_some()
        };
        let warned = STACKS.map(warns);
        assert_eq!(warned, [true, false, false, false, false], "{STACKS:?}");
        robot.run("sed -i 's/^\\(ROVI_ODOM_INTEGRATOR_PUBLISH_TF\\)=0/\\1=1/' /etc/rovi/.env.robot").ok();
        // The running gateway counts, not the file.
        assert_eq!((warns("teleop"), warns("nav")), (true, false));
        robot.run("systemctl restart rovi-gateway").ok();
        assert_eq!(STACKS.map(warns), [false, true, true, true, false], "{STACKS:?}");
    })
}
