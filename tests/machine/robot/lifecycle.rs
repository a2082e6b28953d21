//! Helpers for the scenarios of a package's lifecycle: package managers, and the state of an installed
//! product. The numbers in the scenarios' names are those of the behaviors that the packages promise.

use std::path::Path;

use testbed::{Machine, Output, Plan, Suite, ros};

use crate::life::{of, up};

pub(crate) const GATEWAY: &str = "rovi-gateway.service";
pub(crate) const PENDING: &str = "/run/rovi/restart-pending";
pub(crate) const LINK: &str = "/etc/systemd/system/multi-user.target.wants/rovi-gateway.service";
/// The link that only the next version's unit requires.
pub(crate) const NEW_LINK: &str = "/etc/systemd/system/rovi-main.service";

/// Returns a machine that could run the product, without it.
pub(crate) fn bare(suite: Suite) -> Plan {
    Machine::on(suite).files(ros::stand_in())
}

/// Runs `dpkg --install` without prompts, which is faster than apt and resolves no dependencies.
#[must_use]
#[track_caller]
pub(crate) fn dpkg<'m>(robot: &'m Machine, package: &Path) -> Output<'m> {
    let inside = format!("/var/tmp/{}", package.file_name().unwrap().to_str().unwrap());
    robot.put_file(package, &inside);
    robot.run(&format!("dpkg --force-confdef --force-confold --install {inside}"))
}

/// Returns a property of a unit.
#[track_caller]
pub(crate) fn show(robot: &Machine, unit: &str, property: &str) -> String {
    robot.run(&format!("systemctl show --value --property={property} {unit}")).ok().text().to_owned()
}

/// Returns the main process of a running unit.
#[track_caller]
pub(crate) fn pid(robot: &Machine, unit: &str) -> String {
    assert_eq!(show(robot, unit, "ActiveState"), "active", "{unit}");
    show(robot, unit, "MainPID")
}

/// Checks the user's groups, and the owners and modes of the directories.
#[track_caller]
pub(crate) fn has_users_and_directories(robot: &Machine) {
    assert_eq!(
        robot.run("id -nG rovi | xargs -n1 | sort | xargs").ok().text(),
        "dialout input rovi rovi-ops video"
    );
    robot
        .run("stat -c '%a %U %G' /run/rovi /run/rovi/stack.lock /var/lib/rovi")
        .ok()
        .says("755 root root\n660 rovi rovi-ops\n750 rovi rovi\n");
}

/// Returns the gateway's `is-active` and `is-enabled` in one line.
#[track_caller]
pub(crate) fn gateway(robot: &Machine) -> String {
    let said = robot.run(&format!("systemctl is-active {GATEWAY}; systemctl is-enabled {GATEWAY} 2>&1"));
    said.text().replace('\n', " ")
}

/// Starts a stack by hand, outside of every unit, and waits until its launch and nodes run.
#[track_caller]
pub(crate) fn by_hand(robot: &Machine, stack: &str) {
    robot.run_as("rovi", &format!("setsid --fork run_stack {stack} </dev/null >/dev/null 2>&1")).ok();
    // Waits for all processes, because the records of an earlier launch remain.
    up(robot, &of(stack));
}

/// Returns everything that the product left on a machine besides its package's files.
#[track_caller]
pub(crate) fn traces(robot: &Machine) -> String {
    robot
        .run(
            "find /etc/systemd/system /var/lib/systemd/deb-systemd-helper-* /run/rovi /run/systemd/system \
                -name '*rovi*' -printf '%p %l %m\\n' 2>/dev/null | sort
             getent group rovi rovi-ops; getent passwd rovi; id -nG rovi
             find /etc/rovi -type f -exec sha256sum {} + 2>/dev/null | sort",
        )
        .stdout
        .clone()
}
