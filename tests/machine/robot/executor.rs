//! `rovi` for its users: an operator at a terminal, a program that reads lines, an administrator. Every verb,
//! every refusal, and concurrent requests. Each scenario runs on every suite.

mod crowd;
mod guard;
mod refusal;
mod status;
mod untrue;
mod verbs;
mod waiting;
mod watch;

use base::report::{Outcome, Service, State, Status};
use testbed::{Machine, Session};

use crate::life::{SOON, of, up};

/// A launch waits until a line is written to this FIFO.
const GATE: &str = "/etc/gate";

/// Returns the output of `rovi status --json`, parsed with the program's own types.
#[track_caller]
fn status(session: &mut Session<'_>) -> Status {
    let output = session.run("rovi status --json").ok();
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
}

/// Returns the status of one service.
#[track_caller]
fn service(session: &mut Session<'_>, name: &str) -> Service {
    status(session).services.into_iter().find(|s| s.name == name).unwrap()
}

/// Returns the JSON outcome of a verb, which must match the exit status.
#[track_caller]
fn outcome(session: &mut Session<'_>, line: &str) -> Outcome {
    let output = session.run(&format!("{line} --json"));
    let outcome: Outcome = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output}"));
    assert_eq!(i32::from(outcome.exit), output.status, "{output}");
    outcome
}

/// Starts a stack and waits for its processes.
#[track_caller]
fn start(robot: &Machine, session: &mut Session<'_>, stack: &str) {
    session.run(&format!("rovi start {stack}")).ok().says(&format!("{stack} runs (process "));
    up(robot, &of(stack));
}

/// Makes launches wait at the gate from now on.
fn shut_gate(robot: &Machine) {
    let wait = format!("test ! -p {GATE} || read -r _ <{GATE}");
    robot.run(&format!("mkfifo --mode=666 {GATE} && echo '{wait}' >>/opt/ros/jazzy/setup.bash")).ok();
}

/// Releases the launch that waits there, and later ones.
fn open_gate(robot: &Machine) {
    robot.run(&format!("echo >{GATE}; rm {GATE}")).ok();
}

/// Waits until a stack's launch is at the gate.
fn at_gate(robot: &Machine, session: &mut Session<'_>, stack: &str) {
    robot.wait_for(&format!("{stack} at the gate"), SOON, || {
        let service = service(session, stack);
        service.state == State::Starting
            && service.processes.iter().any(|p| p.names.contains(&"bash".to_owned()))
    });
}
