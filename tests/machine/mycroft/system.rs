//! The services of a machine: a common name, their own account, their journal.

use testbed::{Result, Suite, at_once};

use crate::assistant::{BUS, CLIENTS, Of, PARENT, SOON, assistant, children};

#[test]
fn m1_the_parent_stands_for_all_and_each_for_itself() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let machine = assistant(suite).boot()?;
        let all = Of(&machine, false);
        all.all_down();
        all.systemctl(&format!("start {PARENT}")).ok();
        let mut before = all.pids();
        assert_eq!(all.show(PARENT, "Type"), "oneshot");
        assert_eq!(all.show(PARENT, "RemainAfterExit"), "yes");

        // Restarting one, even the bus, does not affect the others.
        for (i, unit) in children().enumerate() {
            all.systemctl(&format!("restart {unit}")).ok();
            let after = all.pids();
            let same: Vec<bool> = before.iter().zip(&after).map(|(b, a)| b == a).collect();
            let expected: Vec<bool> = (0..5).map(|k| k != i).collect();
            assert_eq!(same, expected, "{unit}");
            before = after;
        }
        assert_eq!(all.state(PARENT), "active");

        // A stopped service stays stopped, whatever happens to the others.
        all.systemctl(&format!("stop {}", CLIENTS[3])).ok();
        all.systemctl(&format!("restart {} {BUS}", CLIENTS[0])).ok();
        machine.run(&format!("kill -KILL $(systemctl show --value --property=MainPID {BUS})")).ok();
        machine.wait_for("the bus", SOON, || all.state(BUS) == "active" && all.show(BUS, "NRestarts") == "1");
        assert_eq!(all.state(CLIENTS[3]), "inactive");
        // A client does not start the bus either.
        all.systemctl(&format!("stop {BUS}")).ok();
        all.systemctl(&format!("restart {}", CLIENTS[1])).fails();
        let why = format!("error: {BUS} is inactive (dead): journalctl --unit={BUS}");
        assert!(machine.journal_of(CLIENTS[1]).contains(&why), "{suite}");
        assert_eq!(all.state(BUS), "inactive");
        all.systemctl(&format!("stop {PARENT}")).ok();
        all.systemctl("reset-failed").ok();

        // A masked service is left out, and the rest is active.
        all.systemctl(&format!("mask {}", CLIENTS[3])).ok();
        all.systemctl(&format!("start {PARENT}")).ok();
        assert_eq!(all.state(CLIENTS[3]), "inactive");
        all.systemctl(&format!("unmask {}", CLIENTS[3])).ok();
        all.systemctl(&format!("restart {PARENT}")).ok();
        let before = all.pids();
        all.systemctl(&format!("restart {PARENT}")).ok();
        assert!(all.pids().iter().zip(&before).all(|(after, before)| after != before));

        all.systemctl(&format!("stop {PARENT}")).ok();
        all.all_down();
        // Stopping the parent stops its children as well.
        all.systemctl(&format!("start {BUS}")).ok();
        all.systemctl(&format!("stop {PARENT}")).ok();
        all.all_down();
        Ok(())
    })
}

#[test]
fn m4_m8_as_the_machines_services_from_boot_on_with_their_journal() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let mut machine = assistant(suite).boot()?;
        // They are not enabled.
        machine.reboot()?;
        let all = Of(&machine, false);
        all.all_down();
        assert_eq!(all.systemctl(&format!("is-enabled {PARENT}")).fails().text(), "disabled");
        all.systemctl(&format!("enable {PARENT}")).ok();
        machine.reboot()?;
        let all = Of(&machine, false);
        all.wait(PARENT, "active");
        let users = machine.run(&format!("ps -o user= -p {} | sort -u", all.pids().join(","))).ok();
        assert_eq!(users.text(), "mycroft");
        // The bus was ready when its port opened, the clients when they connected.
        assert!(all.show(BUS, "StatusText").starts_with("ready after "));
        for unit in [PARENT, BUS].into_iter().chain(CLIENTS) {
            // It exits with 0 even for errors, so there must be no output.
            let verify = machine.run(&format!("systemd-analyze verify --man=no {unit}")).ok();
            assert_eq!((verify.text(), verify.stderr.trim()), ("", ""), "{unit}");
        }

        // Every line is in the journal, under the unit and under its name.
        for (unit, program) in
            CLIENTS.into_iter().zip(["ovos-audio", "ovos-dinkum-listener", "ovos-core", "ovos_PHAL"])
        {
            let name = unit.trim_end_matches(".service");
            let said = format!("{program} is connected");
            for query in [format!("--unit={unit}"), format!("--identifier={name}")] {
                machine.run(&format!("journalctl --boot --output=cat {query}")).ok().says(&said);
            }
            // The bus was ready before the client started: no connection was refused.
            assert!(!machine.journal_of(unit).contains("not connected"), "{suite} {unit}");
        }
        machine
            .run(&format!("journalctl --boot --unit={BUS} --output=cat"))
            .ok()
            .says("Message bus service started!");
        all.systemctl(&format!("stop {PARENT}")).ok();
        all.all_down();
        Ok(())
    })
}
