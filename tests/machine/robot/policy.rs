//! Tests the polkit rule as users who have few permissions and try to do more.

mod audit;
mod channels;
mod flood;
mod gateway;
mod table;
pub(crate) mod transient;

use std::path::Path;
use std::thread;

use support::robot::{SECOND, SUITES, robot};
use testbed::{Machine, Session, Suite};

use table::{Ends, Table};

/// The calls that an operator may be permitted, whatever the table says: these, and only for stacks.
const OPERATORS: [&str; 4] = ["start", "stop", "restart", "resetfailed"];

const STACKS: [&str; 3] = ["running", "stopped", "others"];

#[test]
fn nobody_may_do_more_than_the_table_says() {
    let [trixie, bookworm] = thread::scope(|scope| {
        SUITES.map(|suite| scope.spawn(move || everybody(suite))).map(|t| t.join().unwrap())
    });
    let table = Table::of(&[bookworm, trixie]);

    // The table is a file that can be rewritten by mistake; these are its limits.
    let reading: Vec<_> = table.permitted("other").collect();
    assert!(reading.iter().all(|(_, class)| *class == "machine"), "everybody may: {reading:?}");
    // The gateway's user is an operator, because the UI bridge acts for the UI's users.
    for who in ["op", "late", "gone", "rovi"] {
        for (call, class) in table.permitted(who).filter(|cell| !reading.contains(cell)) {
            let verb = call.split(' ').next().unwrap_or(call).trim_start_matches("Unit.").to_lowercase();
            let verb = verb.trim_end_matches("replace").trim_end_matches("unit");
            assert!(OPERATORS.contains(&verb) && STACKS.contains(&class), "{who}: {call} of {class}");
        }
    }

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("machine/robot/policy.txt");
    let text = table.text();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    let differences = table.differences(&Table::parse(&expected));
    assert!(
        text == expected,
        "`{}` says something else (UPDATE=1 rewrites it):\n{}",
        file.display(),
        differences.join("\n")
    );
}

/// Returns the results of all users' calls on a suite, in the order of the table.
fn everybody(suite: Suite) -> Vec<Ends> {
    let robot = robot(suite)
        .files(TOOLS)
        .files(UNITS)
        .user("late", &[])
        .user("gone", &["rovi-ops"])
        .user("other", &[])
        .user("witness", &[])
        .boot()
        .unwrap();
    let witness = robot.login_session("witness");
    let [op, late, gone, other] = ["op", "late", "gone", "other"].map(|user| robot.login_session(user));
    robot.run("gpasswd --add late rovi-ops && gpasswd --delete gone rovi-ops").ok();
    // Users without rights first, before anything changes.
    let script = format!("cd /opt/policy && python3 calls.py {}", witness.id());
    let other = at_terminal(&robot, other, &script);
    // In a unit, because logind does not know callers from outside the machine.
    let unit = "systemd-run --quiet --wait --pipe --working-directory=/opt/policy";
    let service = format!("{unit} --uid=rovi python3 calls.py {}", witness.id());
    let rovi = calls(&robot, || robot.script(&service).within(120 * SECOND).run().ok().stdout);
    let late = at_terminal(&robot, late, &script);
    let gone = at_terminal(&robot, gone, &script);
    let op = at_terminal(&robot, op, &script);
    let service = format!("{unit} python3 calls.py {}", witness.id());
    let root = calls(&robot, || robot.script(&service).within(120 * SECOND).run().ok().stdout);
    vec![op, late, gone, other, rovi, root]
}

/// Makes the calls in a user's session.
fn at_terminal(robot: &Machine, mut session: Session<'_>, script: &str) -> Ends {
    calls(robot, || {
        session.type_line(&format!("({script}) >/tmp/calls-$USER 2>&1"));
        let (status, screen) = session.finish(90 * SECOND);
        let printed = session.run("cat /tmp/calls-$USER; rm /tmp/calls-$USER").ok().stdout;
        assert_eq!(status, 0, "{screen}{printed}");
        printed
    })
}

/// Sets up the calls, makes them, and reads their results.
fn calls(robot: &Machine, make: impl FnOnce() -> String) -> Ends {
    robot.run("systemctl reset-failed; shutdown --no-wall +600").ok();
    robot.run("systemctl start rovi-gateway rovi-hidden lamp && systemctl start --no-block slow && systemctl start rovi-nav").ok();
    table::ends(&make())
}

/// The client for D-Bus and the calls.
const TOOLS: [(&str, u32, &str); 2] = [
    ("/opt/policy/bus.py", 0o644, include_str!("policy/bus.py")),
    ("/opt/policy/calls.py", 0o644, include_str!("policy/calls.py")),
];

/// Units that are not ours. The start of one never ends, and `flush` does not drop it: a job of somebody else. It
/// also refers to every unit that a call is about: systemd forgets those that nobody mentions, sooner or later, and
/// then answers otherwise.
const UNITS: [(&str, u32, &str); 3] = [
    ("/etc/systemd/system/lamp.service", 0o644, "[Service]\nExecStart=sleep infinity\n"),
    ("/etc/systemd/system/rovi-hidden.service", 0o644, "[Service]\nExecStart=sleep infinity\n"),
    (
        "/etc/systemd/system/slow.service",
        0o644,
        "[Unit]\nIgnoreOnIsolate=yes\n\
         After=rovi-gateway.service rovi-nav.service rovi-camera.service rovi-teleop.service rovi-mapping.service\n\
         After=rovi-localization.service rovi-evil.service rovi-hidden.service lamp.service\n\
         [Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=sleep infinity\n",
    ),
];
