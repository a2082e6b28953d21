//! From the installation to the first stack and back.

use machine::{Result, ros};

use crate::package::{SECOND, SUITES, robot};

#[test]
fn an_operator_starts_and_stops_a_stack_after_the_installation() -> Result<()> {
    for suite in SUITES {
        let robot = robot(suite).boot()?;
        robot.wait_for_unit("rovi-gateway.service", "active", 5 * SECOND);
        robot.run_as("op", "systemctl start rovi-nav").ok();
        robot.wait_for("the launch of nav", 5 * SECOND, || {
            ros::processes(&robot).iter().any(|p| p.argv.iter().any(|a| a == "stack:=nav"))
        });
        robot.run_as("op", "systemctl stop rovi-nav").ok();
        robot.run("systemctl is-active rovi-nav").fails().says("inactive");
        robot.run("systemctl is-active rovi-gateway").ok();
    }
    Ok(())
}
