//! Tests the unit that must be active, and the unit whose environment a service expects.

use std::process::{Command, Stdio};

use serde_json::json;

use super::bus::{Bus, Property};
use super::{Place, Running, outcome, place};

const UNIT: &str = "demo_2dgateway_2eservice";

fn guarded(test: &str) -> (Place, Bus) {
    let expects =
        json!([{ "service": "gateway", "unit": "demo-gateway.service", "env": { "TF": "0", "X": "1" } }]);
    let gateway = json!({ "launch": { "env_file": "/etc/demo/.env", "lock": null } });
    let place = place(
        test,
        &[("gateway", gateway), ("a", json!({ "only_while": "demo-gateway.service", "expects": expects }))],
    );
    let bus = Bus::at(&place.path("b"));
    (place, bus)
}

fn asking(place: &Place, bus: &Bus) -> Command {
    let mut command = place.command(&["a"]);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", bus.address());
    command
}

#[test]
fn refused_unless_active() {
    let (place, bus) = guarded("only_while");
    bus.set(UNIT, "MainPID", Property::Number(0));
    for state in ["inactive", "activating", "deactivating", "failed"] {
        bus.set(UNIT, "ActiveState", Property::Text(state));
        let message = format!(
            "a: `demo-gateway.service` is {state}, but must be active: an administrator must run \
             `systemctl start demo-gateway.service`"
        );
        outcome(&mut asking(&place, &bus)).is_error(75, &message);
    }
    assert!(!place.path("run/lock").exists());
    place.end(0);
    for state in ["active", "reloading"] {
        bus.set(UNIT, "ActiveState", Property::Text(state));
        outcome(&mut asking(&place, &bus)).is_success();
    }
}

#[test]
fn nobody_to_ask() {
    let (place, bus) = guarded("only_while_unknown");
    let todo = "see `systemctl status dbus.service`";
    let unknown = format!("`demo-gateway.service`: cannot query systemd: unknown unit: {todo}");
    outcome(&mut asking(&place, &bus)).is_error(75, &unknown);
    let mut command = asking(&place, &bus);
    let gone = format!("`demo-gateway.service`: cannot query systemd: no such file or directory: {todo}");
    outcome(command.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent")).is_error(75, &gone);
}

/// On a machine without systemd, a launch is refused unless the caller uses `--no-systemd`.
#[test]
fn without_systemd() {
    let (place, bus) = guarded("no_systemd");
    place.end(0);
    // Hides systemd from this test.
    let hidden = |args: &str| {
        let script = format!("mount -t tmpfs none /run/systemd 2>/dev/null; exec \"$0\" {args}");
        outcome(place.in_own_mounts().args(["sh", "-c", &script]).arg(place.path("lib/run_stack")))
    };
    let message = "a: runs only while `demo-gateway.service` is active, but systemd is not running: on a \
                   developer's machine, use `--no-systemd`";
    hidden("a").is_error(75, message);
    hidden("--no-systemd a").is_success();

    bus.set(UNIT, "ActiveState", Property::Text("active"));
    bus.set(UNIT, "MainPID", Property::Number(0));
    let mut command = place.command(&["--no-systemd", "a"]);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", bus.address());
    outcome(&mut command).is_error(2, "`--no-systemd`: systemd is running: omit the option");
}

/// Outside a unit nothing propagates the stop, so `run_stack` follows the unit's main process.
#[test]
fn by_hand_it_stops_with_the_unit() {
    let (place, bus) = guarded("follows");
    let mut gateway = place.program("sleep").arg("1000").spawn().unwrap();
    bus.set(UNIT, "ActiveState", Property::Text("active"));
    bus.set(UNIT, "MainPID", Property::Number(gateway.id()));
    let running = place.start(asking(&place, &bus).stderr(Stdio::null()), &["launch"]);
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    super::wait_until("the launch is told", || place.signals("launch") == "SIGINT");
    place.end(0);
    assert_eq!(running.outcome().status.code(), Some(0));
}

#[test]
fn a_differing_environment_is_a_warning() {
    let (place, bus) = guarded("expects");
    place.end(0);
    let gateway = Running { child: Some(place.program("sleep").arg("1000").env("TF", "1").spawn().unwrap()) };
    bus.set(UNIT, "ActiveState", Property::Text("active"));
    bus.set(UNIT, "MainPID", Property::Number(gateway.pid() as u32));
    let warned = outcome(&mut asking(&place, &bus));
    let todo =
        "an administrator must set it in `/etc/demo/.env` and run `systemctl restart demo-gateway.service`";
    let expected = format!(
        "warning: `demo-gateway.service` runs with TF=1, but a expects TF=0: {todo}\n\
         warning: `demo-gateway.service` runs without X, but a expects X=1: {todo}\n"
    );
    assert_eq!((warned.status.code(), warned.stderr), (Some(0), expected));
}
