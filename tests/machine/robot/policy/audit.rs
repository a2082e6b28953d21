//! The rule's decisions are in the journal, logged by polkit's user; no other user can forge them.

use support::robot::{SECOND, SUITES, robot};
use testbed::{Machine, Result, Suite, at_once};

/// The lines logged by polkit's user. Anyone can use a tag, but the kernel sets the sender's user.
const READ: &str = "journalctl --sync; journalctl -q -o cat -t rovi-polkit _UID=$(id -u polkitd)";

#[test]
fn every_decision_is_in_the_journal() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = robot(suite).user("other", &[]).boot()?;
        for (verb, unit, line) in [
            ("start", "rovi-nav", Some("yes: op: start rovi-nav.service")),
            ("restart", "rovi-nav", Some("yes: op: restart rovi-nav.service")),
            ("kill", "rovi-nav", Some("left to other rules: op: kill rovi-nav.service (Authentication is")),
            ("reset-failed", "rovi-camera", Some("yes: op: reset-failed rovi-camera.service")),
            ("stop", "rovi-nav", Some("yes: op: stop rovi-nav.service")),
            ("stop", "rovi-gateway", None),
        ] {
            if verb == "reset-failed" {
                // nav holds the lock, so this start fails.
                robot.run(&format!("systemctl start {unit}")).fails();
            }
            let before = lines(&robot).len();
            let ran = robot.run_as("op", &format!("systemctl --no-ask-password {verb} {unit}"));
            assert_eq!(ran.success(), line.is_some_and(|l| l.starts_with("yes")), "{suite}: {ran}");
            let new = lines(&robot).split_off(before);
            match line {
                Some(line) => {
                    assert!(matches!(&new[..], [one] if one.starts_with(line)), "{suite}: {line}: {new:?}")
                }
                // For other units, the rule decides nothing.
                None => assert!(new.is_empty(), "{suite}: {new:?}"),
            }
        }
        // systemd 252 does not pass the name of such a unit to polkit.
        robot.run_as("op", "systemd-run --no-ask-password --unit=rovi-nav id").fails();
        let refused = "no: op: start rovi-nav.service (Authentication is required to start transient unit";
        let is_told = lines(&robot).iter().any(|line| line.starts_with(refused));
        assert_eq!(is_told, suite == SUITES[0], "{suite}: {:?}", lines(&robot));
        Ok(())
    })
}

#[test]
fn nobody_forges_a_decision() -> Result<()> {
    at_once(SUITES, |suite| {
        // The strangest possible name.
        let odd = "yes: op";
        let robot = robot(suite).user("other", &[]).boot()?;
        robot
            .run("useradd --badname -M -G rovi-ops 'o$(id)p;:x' 2>/dev/null || useradd -M -G rovi-ops 'o-p_'")
            .ok();
        let before = lines(&robot);
        let as_other = |script: &str| drop(robot.run_as("other", script));
        // Anyone can use the tag, so readers also filter by user.
        as_other(&format!("logger -t rovi-polkit '{odd}: start rovi-nav.service'"));
        robot.run("journalctl --sync; journalctl -q -o cat -t rovi-polkit").ok().says(odd);
        // polkit only accepts details from the owner of an action.
        for detail in ["rovi-nav.service", "rovi-nav.service\nyes: op: stop rovi-nav.service"] {
            let check = "pkcheck --action-id org.freedesktop.systemd1.manage-units --process $$";
            as_other(&format!("{check} --detail unit '{detail}' --detail verb start"));
            robot
                .run_as("op", &format!("{check} --detail unit '{detail}' --detail verb $'start\\nyes:'"))
                .fails();
        }
        // A unit's name is only logged if it is exactly one of the list.
        let manager = "org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager";
        for unit in ["rovi-nav.service\nyes: op: stop x", "rovi-nav.service ", "$(id).service"] {
            let call = ["busctl", "call", manager, "StartUnit", "ss"].join(" ");
            robot.run_as("op", &format!("{call} $'{}' replace", unit.replace('\n', "\\n"))).fails();
        }
        assert_eq!(lines(&robot), before, "{suite}");
        Ok(())
    })
}

#[test]
fn the_rule_decides_without_a_logger() -> Result<()> {
    at_once(SUITES, |suite| {
        decide_without_logger(suite);
        Ok(())
    })
}

fn decide_without_logger(suite: Suite) {
    let robot = robot(suite).boot().unwrap();
    // Missing, failing, or hanging: polkit gives up after some seconds.
    for logger in ["", "#!/bin/sh\nexit 7\n", "#!/bin/sh\nexec sleep 1000\n"] {
        robot.run("rm -f /usr/bin/logger").ok();
        if !logger.is_empty() {
            robot.put("/usr/bin/logger", 0o755, logger);
        }
        robot.script("systemctl start rovi-nav").user("op").within(60 * SECOND).run().ok();
        robot.run_as("op", "systemctl --no-ask-password stop rovi-gateway").fails();
        robot.run("systemctl stop rovi-nav").ok();
    }
}

/// Returns all decisions so far, without process IDs.
fn lines(robot: &Machine) -> Vec<String> {
    let text = robot.run(READ).ok().stdout;
    let plain = |line: &str| match (line.find(" (pid "), line.find("): ")) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &line[..from], &line[to + 1..]),
        _ => line.to_owned(),
    };
    text.lines().map(plain).collect()
}
