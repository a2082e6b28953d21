//! A robot's services: what starts, what stops, and what must never happen, in one module per topic. A
//! scenario's name begins with its requirement (`r04_…`); all scenarios run on every suite.

mod boot;
mod environment;
mod fault;
mod gateway;
mod launch;
mod lock;
mod session;
mod stop;
mod time;

use std::time::Duration;

use support::robot::{SECOND, SUITES, robot};
use testbed::{Machine, Result, Suite, at_once, ros};

/// The stacks in the catalog.
pub(crate) const STACKS: [&str; 5] = ["teleop", "mapping", "localization", "nav", "camera"];

/// Time limit for operations that take no time on an idle host.
pub(crate) const SOON: Duration = SECOND.saturating_mul(10);

/// Runs a scenario on a robot of each suite, with the gateway's processes running and an operator `op`.
pub(crate) fn on_every_suite(scenario: impl Fn(&Machine) + Sync) -> Result<()> {
    at_once(SUITES, |suite| ready(suite).map(|robot| scenario(&robot)))
}

/// Runs a scenario on one suite after the other, for time measurements.
pub(crate) fn on_one_suite_after_the_other(scenario: impl Fn(&Machine)) -> Result<()> {
    SUITES.into_iter().try_for_each(|suite| ready(suite).map(|robot| scenario(&robot)))
}

/// Returns a robot with the gateway's processes running.
pub(crate) fn ready(suite: Suite) -> Result<Machine> {
    let robot = robot(suite).boot()?;
    up(&robot, "gateway.launch.py");
    robot.wait_for_unit("rovi-gateway.service", "active", SOON);
    Ok(robot)
}

/// Returns the argument that only a stack's launch has.
pub(crate) fn of(stack: &str) -> String {
    format!("stack:={stack}")
}

/// Returns the processes of the latest launch with this argument, the launch first; they may have ended.
pub(crate) fn family(robot: &Machine, argument: &str) -> Vec<ros::Process> {
    let all = ros::processes(robot);
    let is_it = |p: &ros::Process| p.role == "launch" && p.argv.iter().any(|a| a == argument);
    let Some(at) = all.iter().rposition(is_it) else { return Vec::new() };
    let launch = all[at].pid;
    all.into_iter().skip(at).filter(|p| p.pid == launch || p.parent == launch).collect()
}

/// Waits until the launch and its two nodes run and handle signals.
#[track_caller]
pub(crate) fn up(robot: &Machine, argument: &str) -> Vec<ros::Process> {
    robot.wait_for(&format!("launch with {argument}"), SOON, || {
        let family = family(robot, argument);
        (family.len() == 3 && alive(robot, &family) == 3 && family.iter().all(|p| p.status.is_none()))
            .then_some(family)
    })
}

/// Starts a stack as an operator, and waits for its processes.
#[track_caller]
pub(crate) fn start(robot: &Machine, stack: &str) -> Vec<ros::Process> {
    robot.run_as("op", &format!("systemctl start rovi-{stack}")).ok();
    up(robot, &of(stack))
}

/// Stops a stack.
#[track_caller]
pub(crate) fn stop(robot: &Machine, stack: &str) {
    robot.run_as("op", &format!("systemctl stop rovi-{stack}")).ok();
    assert_eq!(state(robot, &format!("rovi-{stack}")), "inactive");
}

/// Returns how many of these processes run.
pub(crate) fn alive(robot: &Machine, family: &[ros::Process]) -> usize {
    family.iter().filter(|p| robot.has(&format!("/proc/{}", p.pid))).count()
}

/// Waits until none of them runs.
#[track_caller]
pub(crate) fn gone(robot: &Machine, family: &[ros::Process], bound: Duration) {
    let pids: Vec<u32> = family.iter().map(|p| p.pid).collect();
    robot.wait_for(&format!("end of the processes {pids:?}"), bound, || alive(robot, family) == 0);
}

/// Returns a unit's `ActiveState`.
pub(crate) fn state(robot: &Machine, unit: &str) -> String {
    property(robot, unit, "ActiveState")
}

/// Returns a property of a unit.
#[track_caller]
pub(crate) fn property(robot: &Machine, unit: &str, name: &str) -> String {
    robot.command(&["systemctl", "show", "--value", "--property", name, unit]).run().ok().text().to_owned()
}

/// Checks that a unit has failed, was not restarted, and left no process.
#[track_caller]
pub(crate) fn has_failed(robot: &Machine, unit: &str) {
    robot.wait_for_unit(unit, "failed", SOON);
    assert_eq!(property(robot, unit, "NRestarts"), "0");
    is_empty(robot, unit);
}

/// Checks that no process is left in a unit's cgroup.
#[track_caller]
pub(crate) fn is_empty(robot: &Machine, unit: &str) {
    let left = robot.read(&format!("/sys/fs/cgroup/system.slice/{unit}.service/cgroup.procs"));
    assert_eq!(left.unwrap_or_default(), "", "{unit} has left processes");
}
