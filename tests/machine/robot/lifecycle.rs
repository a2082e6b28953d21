//! What the scenarios of a package's life share: package managers, and what there is to see of an installed product. The numbers in the names of the scenarios are those of the behaviours that the
//! packages promise.

use std::path::Path;

use testbed::{Machine, Output, Plan, Suite, ros};

use crate::life::{of, up};

pub(crate) const GATEWAY: &str = "rovi-gateway.service";
pub(crate) const PENDING: &str = "/run/rovi/restart-pending";
pub(crate) const LINK: &str = "/etc/systemd/system/multi-user.target.wants/rovi-gateway.service";
/// The link that only the next version's unit asks for.
pub(crate) const NEW_LINK: &str = "/etc/systemd/system/rovi-main.service";

/// A machine that could run the product, without it.
pub(crate) fn bare(suite: Suite) -> Plan {
    Machine::on(suite).files(ros::stand_in())
}

/// `dpkg --install`, which asks no questions: faster than apt, and it does not solve anything in between.
#[must_use]
#[track_caller]
pub(crate) fn dpkg<'m>(robot: &'m Machine, package: &Path) -> Output<'m> {
    let inside = format!("/var/tmp/{}", package.file_name().unwrap().to_str().unwrap());
    robot.put_file(package, &inside);
    robot.run(&format!("dpkg --force-confdef --force-confold --install {inside}"))
}

/// A property of a unit.
#[track_caller]
pub(crate) fn show(robot: &Machine, unit: &str, property: &str) -> String {
    robot.run(&format!("systemctl show --value --property={property} {unit}")).ok().text().to_owned()
}

/// The main process of a unit that runs.
#[track_caller]
pub(crate) fn pid(robot: &Machine, unit: &str) -> String {
    assert_eq!(show(robot, unit, "ActiveState"), "active", "{unit}");
    show(robot, unit, "MainPID")
}

/// The user has its groups, in whatever order they were made, and the directories their owners and modes.
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

/// What `is-active` and `is-enabled` say of the gateway, in one line.
#[track_caller]
pub(crate) fn gateway(robot: &Machine) -> String {
    let said = robot.run(&format!("systemctl is-active {GATEWAY}; systemctl is-enabled {GATEWAY} 2>&1"));
    said.text().replace('\n', " ")
}

/// Starts a stack by hand, outside of every unit, and waits until its launch and nodes run.
#[track_caller]
pub(crate) fn by_hand(robot: &Machine, stack: &str) {
    robot.run_as("rovi", &format!("setsid --fork run_stack {stack} </dev/null >/dev/null 2>&1")).ok();
    // All of it: an earlier launch has left its record.
    up(robot, &of(stack));
}

/// Everything that the product left on a machine outside of its package's own files.
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
