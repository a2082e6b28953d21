//! Permissions: every call to systemd and logind, by the services' users and by another user, compared with a
//! reviewed table of what is permitted. Everything else is denied.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use testbed::{Machine, Result, Suite, at_once};

use crate::lab::lab;

/// The columns in this order; the last one is a user without rights.
const WHO: [&str; 3] = ["home-lab-inference", "home-lab-shutdown", "op"];

const HEAD: &str = "\
# Who may do what: `cargo test -p machine --test homelab policy` makes every call on booted machines and compares. A call
# that is not here is denied to all of them. One character for each of these, in this order:
#   home-lab-inference, home-lab-shutdown: the services' users; op: somebody without any group
#   .  denied, or an error that everybody gets
#   y  permitted
#   ~  permitted, and not tried here, because it would end the machine: see power.rs
#   e  permitted, and then refused by systemd for another reason
#   o  permitted on Debian 12 only (systemd 252, polkit 122), n  on Debian 13 only (systemd 257, polkit 126)
#
# The units: running and stopped are models; no-file is a name that could be a model's, without its file; services are the
# product's own three, foreign is somebody else's, missing has our prefix and is not there; odd are names that only look
# like a model's; machine is what concerns no unit.
";

/// The calls that may be permitted at all, whatever the file says.
const MODELS: [&str; 4] = ["start", "restart", "stop", "resetfailed"];
const POWERS: [&str; 4] =
    ["logind PowerOff", "logind ScheduleShutdown", "logind CancelScheduledShutdown", "logind SetWallMessage"];

/// Class and call, with the result for each of [`WHO`].
type Ends = BTreeMap<(String, String), Vec<String>>;

#[test]
fn nobody_may_do_more_than_the_table_says() -> Result<()> {
    let ends = Mutex::new(BTreeMap::new());
    at_once(Suite::STABLE, |suite| {
        let found = everybody(suite)?;
        ends.lock().unwrap().insert(suite, found);
        Ok(())
    })?;
    let ends = ends.into_inner().unwrap();
    let [new, old] = Suite::STABLE.map(|suite| &ends[&suite]);
    let mut text = HEAD.to_owned();
    for (key, ends) in new {
        let (new, old) = (letters(ends), letters(&old[key]));
        let cell: String = new.iter().zip(&old).map(|(new, old)| join(*old, *new)).collect();
        let (class, call) = key;
        for (who, letter) in WHO.iter().zip(cell.chars()).filter(|(_, letter)| *letter != '.') {
            assert!(may(who, class, call, ends), "{who}: {call} of {class}: {letter}");
        }
        if cell != "..." {
            let _ = writeln!(text, "{class:8} {call:40} {cell}");
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("machine/homelab/policy.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, expected, "`{}` says something else (UPDATE=1 rewrites it)", file.display());
    Ok(())
}

/// The upper limit of the table.
fn may(who: &str, class: &str, call: &str, ends: &[String]) -> bool {
    // Reading, and what logind permits to everyone.
    if class == "machine" && ends[2] == "ok" {
        return true;
    }
    let verb = call.split(' ').next().unwrap_or(call).trim_start_matches("Unit.").to_lowercase();
    let verb = verb.trim_end_matches("unit").trim_end_matches("replace").trim_end_matches("unit");
    match who {
        "home-lab-inference" => ["running", "stopped", "no-file"].contains(&class) && MODELS.contains(&verb),
        "home-lab-shutdown" => class == "machine" && POWERS.contains(&call),
        _ => false,
    }
}

/// Returns the results of all users' calls on a suite.
fn everybody(suite: Suite) -> Result<Ends> {
    let machine = lab(suite).files(TOOLS).user("witness", &[]).boot()?;
    let witness = machine.login_session("witness");
    // In a unit, because logind does not know callers from outside the machine.
    let unit =
        |who: &str| format!("systemd-run --quiet --wait --pipe --uid={who} --working-directory=/opt/policy");
    let calls = format!("python3 calls.py {} units.json", witness.id());
    let mut ends = Ends::new();
    // Users without rights first, before anything changes.
    for (at, who) in WHO.iter().enumerate().rev() {
        begin(&machine);
        let script = format!("{} {calls}", unit(who));
        let run = machine.script(&script).within(Duration::from_secs(600)).run().ok();
        for line in run.stdout.lines() {
            let [class, _, call, end] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("no answer of a call: {line}")
            };
            let cell = ends.entry((class.to_owned(), call.to_owned())).or_default();
            cell.resize(WHO.len(), String::new());
            let end = end.rsplit('.').next().unwrap_or(end);
            // Several units of one class: the most permissive result counts.
            if rank(end) >= rank(&cell[at]) {
                end.clone_into(&mut cell[at]);
            }
        }
    }
    // Nothing may have run under the name without a file, whatever was permitted. (The robot's table shows
    // that the calls are valid, because root makes them there.)
    let ghost = machine.journal_of("home-lab-model@ghost.service");
    assert!(
        ghost.contains("Assertion failed") && !ghost.contains("Starting home-lab-model"),
        "{suite}:\n{ghost}"
    );
    Ok(ends)
}

/// Returns the setup of the calls.
#[track_caller]
fn begin(machine: &Machine) {
    machine.run("systemctl reset-failed; shutdown --no-wall +600").ok();
    machine.run("systemctl start home-lab lamp home-lab-model@small && systemctl start --no-block slow").ok();
}

fn rank(end: &str) -> u8 {
    match end {
        "" => 0,
        "AccessDenied" | "InteractiveAuthorizationRequired" => 1,
        "ok" => 3,
        _ => 2,
    }
}

/// Returns one character for each of [`WHO`].
fn letters(ends: &[String]) -> Vec<char> {
    let stranger = &ends[WHO.len() - 1];
    let letter = |end: &String| match end.as_str() {
        "ok" => 'y',
        "not tried" => '~',
        end if rank(end) == 1 => '.',
        // polkit did not decide: a user without any rights gets the same result.
        end if end == stranger => '.',
        _ => 'e',
    };
    ends.iter().map(letter).collect()
}

/// Combines the characters of both suites.
fn join(old: char, new: char) -> char {
    match (old, new) {
        ('.', '.') => '.',
        ('.', _) => 'n',
        (_, '.') => 'o',
        (old, new) if old == new => old,
        _ => 'y',
    }
}

/// The calls, which are the same for every product, and units of others: see the robot's policy.
const TOOLS: [(&str, u32, &str); 5] = [
    ("/opt/policy/bus.py", 0o644, include_str!("../robot/policy/bus.py")),
    ("/opt/policy/calls.py", 0o644, include_str!("../robot/policy/calls.py")),
    ("/opt/policy/units.json", 0o644, include_str!("units.json")),
    ("/etc/systemd/system/lamp.service", 0o644, "[Service]\nExecStart=sleep infinity\n"),
    (
        "/etc/systemd/system/slow.service",
        0o644,
        "[Unit]\nIgnoreOnIsolate=yes\n\
         After=home-lab.service home-lab-model@small.service home-lab-model@big.service home-lab-model@ghost.service\n\
         After=home-lab-inference.service home-lab-shutdown.service home-lab-evil.service lamp.service\n\
         [Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=sleep infinity\n",
    ),
];
