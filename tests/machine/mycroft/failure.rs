//! Services that crash, hang, or never become ready.

use std::time::Instant;

use testbed::{Machine, Result, Suite, at_once};

use crate::assistant::{BUS, CLIENTS, Of, PARENT, SECOND, SOON, assistant, bare, children, next};

/// Three seconds instead of thirty, to save time.
const QUICK: &str = "[Service]\nWatchdogSec=3s\n";

#[test]
fn m5_what_crashes_or_hangs_is_started_again_four_times_at_most() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let machine = assistant(suite).boot()?;
        let all = Of(&machine, false);
        all.systemctl(&format!("start {PARENT}")).ok();
        // As shipped: for the machine, and for each user according to the text of the units.
        for unit in children() {
            for (property, value) in [
                ("Restart", "on-failure"),
                ("TimeoutStartUSec", "1min"),
                ("TimeoutStopUSec", "1min"),
                ("StartLimitBurst", "4"),
                ("StartLimitIntervalUSec", "5min"),
                ("StartLimitAction", "none"),
                ("WatchdogUSec", "30s"),
                ("Type", "notify"),
            ] {
                assert_eq!(all.show(unit, property), value, "{unit} {property}");
            }
            let lines = "^(Restart|TimeoutStartSec|TimeoutStopSec|StartLimit.*|WatchdogSec|Type)=";
            let [system, user] = ["system", "user"].map(|of| {
                machine.run(&format!("grep -E '{lines}' /usr/lib/systemd/{of}/{unit}")).ok().stdout
            });
            assert_eq!(system, user);
            assert_eq!(user.lines().count(), 7, "{user}");
        }

        // A client that hangs, then the bus: restarted within the interval plus two seconds, without the
        // others.
        for unit in [CLIENTS[0], BUS] {
            all.drop_in(unit, "quick", QUICK);
            all.systemctl(&format!("restart {unit}")).ok();
            let before = all.pids();
            let begin = Instant::now();
            machine.run(&format!("kill -STOP {}", all.show(unit, "MainPID"))).ok();
            machine.wait_for("restart", SOON, || {
                let pid = all.show(unit, "MainPID");
                pid != "0" && !before.contains(&pid)
            });
            let took = begin.elapsed();
            eprintln!("{suite} {unit}: started again {:.1} s after it was stopped", took.as_secs_f64());
            assert!(took < 5 * SECOND, "{took:?}");
            all.wait(unit, "active");
            let changed = all.pids().iter().zip(&before).filter(|(after, before)| after != before).count();
            assert_eq!(changed, 1, "{suite} {unit}");
            assert!(machine.journal_of(unit).contains("Watchdog timeout (limit 3s)"));
            // Thirty seconds again: a client without the bus for three seconds does not hang.
            machine.run(&format!("rm /etc/systemd/system/{unit}.d/quick.conf; systemctl daemon-reload")).ok();
            all.systemctl(&format!("restart {unit}")).ok();
        }

        // Started by a person, then three times automatically; after the fourth failure it stays failed.
        all.systemctl("reset-failed").ok();
        all.systemctl(&format!("restart {BUS}")).ok();
        for restarts in ["1", "2", "3"] {
            kill(&machine, BUS);
            machine.wait_for("restart", SOON, || {
                all.show(BUS, "NRestarts") == restarts && all.state(BUS) == "active"
            });
        }
        kill(&machine, BUS);
        all.wait(BUS, "failed");
        assert!(machine.journal_of(BUS).contains("Start request repeated too quickly"), "{suite}");
        all.systemctl(&format!("start {BUS}")).fails();
        all.systemctl(&format!("reset-failed {BUS}")).ok();
        all.systemctl(&format!("start {BUS}")).ok();
        Ok(())
    })
}

#[track_caller]
fn kill(machine: &Machine, unit: &str) {
    machine.run(&format!("kill -KILL $(systemctl show --value --property=MainPID {unit})")).ok();
}

#[test]
fn m6_no_client_starts_before_the_bus_is_ready() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let machine = assistant(suite).boot()?;
        let all = Of(&machine, false);
        all.systemctl(&format!("start {PARENT}")).ok();
        let moment = |unit, property| all.show(unit, property).parse::<u64>().unwrap();
        let ready = moment(BUS, "ActiveEnterTimestampMonotonic");
        assert!(ready > moment(BUS, "ExecMainStartTimestampMonotonic"));
        for unit in CLIENTS {
            assert!(moment(unit, "ExecMainStartTimestampMonotonic") > ready, "{suite} {unit}");
        }
        assert!(moment(PARENT, "ActiveEnterTimestampMonotonic") > ready);
        all.systemctl(&format!("stop {PARENT}")).ok();

        let mark = machine.mark();
        // A bus that never opens its port, with a short timeout and without retries.
        let never = "#!/bin/sh\nexec sleep 600\n";
        machine.run("mv /usr/lib/mycroft/venv/bin/ovos-messagebus /usr/lib/mycroft/venv/bin/real").ok();
        machine.put("/usr/lib/mycroft/venv/bin/ovos-messagebus", 0o755, never);
        for unit in children() {
            all.drop_in(unit, "quick", "[Service]\nTimeoutStartSec=2s\n");
        }
        let started = all.systemctl(&format!("start {PARENT}")).fails();
        assert!(started.took < SOON, "{suite}: {:?}", started.took);
        let status = all.systemctl(&format!("status {PARENT}")).fails();
        status.says(&format!("error: {BUS} is ")).says("waiting for 127.0.0.1:8181");
        for unit in CLIENTS {
            assert_ne!(all.state(unit), "active", "{unit}");
            assert_eq!(all.show(unit, "ExecMainStartTimestampMonotonic"), "0", "{suite} {unit}: it ran");
        }
        assert!(!machine.journal_since(&mark).contains("is connected"), "{suite}");
        machine
            .run(&format!("journalctl --unit={BUS} --output=cat"))
            .ok()
            .says("before it was ready: waiting for 127.0.0.1:8181");
        all.systemctl(&format!("stop {PARENT}")).ok();
        all.systemctl("reset-failed").ok();
        // With the real bus and the default timeout.
        children().for_each(|unit| all.drop_in(unit, "quick", ""));
        machine.run("mv /usr/lib/mycroft/venv/bin/real /usr/lib/mycroft/venv/bin/ovos-messagebus").ok();
        all.systemctl(&format!("start {PARENT}")).ok();
        all.pids();
        Ok(())
    })
}

#[test]
fn m7_with_the_opt_in_repeated_failure_reboots_the_machine() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let mut machine = bare(suite).install(next("deb")).boot()?;
        {
            let all = Of(&machine, false);
            assert_eq!(all.show(BUS, "StartLimitAction"), "reboot");
            let user = machine
                .run("cd /usr/lib/systemd/user && grep -h StartLimit mycroft-*[!@].service | sort -u")
                .ok();
            assert_eq!(user.text(), "StartLimitBurst=4\nStartLimitIntervalSec=5min");
            machine
                .run("cat /usr/lib/systemd/system.conf.d/50-mycroft.conf")
                .ok()
                .says("RuntimeWatchdogSec=20s");
            machine.run("systemd-analyze cat-config systemd/system.conf").ok().says("RuntimeWatchdogSec=20s");
            let _ = all.systemctl(&format!("start {BUS}")).ok();
            for restarts in ["1", "2", "3"] {
                kill(&machine, BUS);
                machine.wait_for("restart", SOON, || {
                    all.show(BUS, "NRestarts") == restarts && all.state(BUS) == "active"
                });
            }
            kill(&machine, BUS);
        }
        machine.wait_for_reboot(SOON + SOON)?;
        assert!(machine.journal().contains("Rebooting"), "{suite}");
        Ok(())
    })
}
