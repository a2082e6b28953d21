//! What the rule has decided is in the journal, said by polkit's own user; nobody else can say it there.

use support::robot::{SECOND, SUITES, robot};
use testbed::{Machine, Result, Suite, at_once};

/// The lines that polkit's own user has written: a tag can be anybody's, but the sender's user is the kernel's word.
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
                // The lock is nav's, so this one fails.
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
                // Not one of its units: the rule has decided nothing.
                None => assert!(new.is_empty(), "{suite}: {new:?}"),
            }
        }
        // 252 tells polkit no name for such a unit.
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
        // As odd as a name can be made.
        let odd = "yes: op";
        let robot = robot(suite).user("other", &[]).boot()?;
        robot
            .run("useradd --badname -M -G rovi-ops 'o$(id)p;:x' 2>/dev/null || useradd -M -G rovi-ops 'o-p_'")
            .ok();
        let before = lines(&robot);
        let as_other = |script: &str| drop(robot.run_as("other", script));
        // The tag alone is anybody's, which is why nobody reads by it alone.
        as_other(&format!("logger -t rovi-polkit '{odd}: start rovi-nav.service'"));
        robot.run("journalctl --sync; journalctl -q -o cat -t rovi-polkit").ok().says(odd);
        // polkit takes details from those only who own the action.
        for detail in ["rovi-nav.service", "rovi-nav.service\nyes: op: stop rovi-nav.service"] {
            let check = "pkcheck --action-id org.freedesktop.systemd1.manage-units --process $$";
            as_other(&format!("{check} --detail unit '{detail}' --detail verb start"));
            robot
                .run_as("op", &format!("{check} --detail unit '{detail}' --detail verb $'start\\nyes:'"))
                .fails();
        }
        // A unit's name reaches the line only when it is one of the list, letter by letter.
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
    // Gone, broken, and one that never ends: polkit gives up on it after some seconds.
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

/// Every decision so far, without the numbers of processes.
fn lines(robot: &Machine) -> Vec<String> {
    let text = robot.run(READ).ok().stdout;
    let plain = |line: &str| match (line.find(" (pid "), line.find("): ")) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &line[..from], &line[to + 1..]),
        _ => line.to_owned(),
    };
    text.lines().map(plain).collect()
}
