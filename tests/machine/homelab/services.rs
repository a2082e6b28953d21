//! The services of a lab: the common name, their users, journal and limits.

use testbed::{Machine, Result, Suite, at_once};

use crate::lab::{INFERENCE, PARENT, SHUTDOWN, SOON, ask, lab, pid, show, within};

#[test]
fn l3_l4_l6_one_name_stands_for_both_each_with_its_user_journal_and_bounds() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let mut machine = lab(suite).boot()?;
        users_journal_restarts_and_bounds(&machine);
        machine.reboot()?;
        for unit in [PARENT, SHUTDOWN, INFERENCE] {
            machine.wait_for_unit(unit, "active", SOON);
        }
        // The target is active only once both services are ready.
        let moment = |unit, property| show(&machine, unit, property).parse::<u64>().unwrap();
        for unit in [SHUTDOWN, INFERENCE] {
            assert!(
                moment(PARENT, "ExecMainStartTimestampMonotonic")
                    >= moment(unit, "ActiveEnterTimestampMonotonic"),
                "{suite}: {unit}"
            );
        }
        // Restarts both, also under the short name.
        for name in ["home-lab", "home-lab-services"] {
            let before = [SHUTDOWN, INFERENCE].map(|unit| pid(&machine, unit));
            machine.run(&format!("systemctl restart {name}")).ok();
            for (unit, before) in [SHUTDOWN, INFERENCE].iter().zip(&before) {
                machine.wait_for_unit(unit, "active", SOON);
                assert_ne!(pid(&machine, unit), *before, "{name}: {unit}");
            }
        }
        assert_eq!(show(&machine, PARENT, "Type"), "oneshot");
        for unit in [PARENT, SHUTDOWN, INFERENCE] {
            assert_eq!(show(&machine, unit, "NRestarts"), "0", "{suite}: {unit}");
        }
        // Only one of them.
        let before = pid(&machine, SHUTDOWN);
        machine.run(&format!("systemctl restart {INFERENCE}")).ok();
        assert_eq!(pid(&machine, SHUTDOWN), before);
        // If one service cannot start, the target fails and names it.
        machine.run("mv /opt/home-lab/shutdown_service.py /opt/home-lab/away").ok();
        machine.run("systemctl restart home-lab").fails();
        machine.run("systemctl status home-lab").fails().says(&format!("error: {SHUTDOWN} is "));
        assert_eq!(show(&machine, PARENT, "NRestarts"), "0");
        machine.run("mv /opt/home-lab/away /opt/home-lab/shutdown_service.py").ok();
        // Too many starts in a short time are a separate failure.
        machine.run(&format!("systemctl reset-failed home-lab {SHUTDOWN} {INFERENCE}")).ok();
        machine.run("systemctl restart home-lab").ok();
        machine.run("systemctl stop home-lab").ok();
        for unit in [SHUTDOWN, INFERENCE] {
            machine.wait_for_unit(unit, "inactive", SOON);
        }
        Ok(())
    })
}

/// L4, L6.
#[track_caller]
fn users_journal_restarts_and_bounds(machine: &Machine) {
    let suite = machine.suite();
    for (unit, name) in [(SHUTDOWN, "shutdown"), (INFERENCE, "inference")] {
        let user = format!("home-lab-{name}");
        for (property, value) in [
            ("User", user.as_str()),
            ("WorkingDirectory", &format!("/var/lib/{user}")),
            ("Restart", "always"),
            ("RestartUSec", "10s"),
            ("SyslogIdentifier", &format!("{name}-service")),
            ("StandardOutput", "journal"),
            ("PrivateTmp", "yes"),
            ("ProtectSystem", "strict"),
            ("NoNewPrivileges", "yes"),
        ] {
            assert_eq!(show(machine, unit, property), value, "{suite}: {unit} {property}");
        }
        let pid = pid(machine, unit);
        let is = machine.run(&format!("ps -o user:30=,group:30= -p {pid}; readlink /proc/{pid}/cwd")).ok();
        let words: Vec<&str> = is.text().split_whitespace().collect();
        assert_eq!(words, [user.as_str(), &user, &format!("/var/lib/{user}")], "{suite}");
        machine
            .run(&format!("journalctl -q -o cat -t {name}-service"))
            .ok()
            .says("Listening at: http://127.0.0.1:500");
        for (name, limit, value) in
            [("LimitNOFILE", "Max open files", 65536), ("LimitNPROC", "Max processes", 4096)]
        {
            assert_eq!(show(machine, unit, name), value.to_string());
            // Without CAP_SYS_RESOURCE, the host's limit is not raised, and no error is reported.
            let most = if may_raise(machine) { value } else { value.min(hard(machine, "1", limit)) };
            if most < value {
                eprintln!("{suite}: this host allows {most} of \"{limit}\", so {name}={value} comes to that");
            }
            assert_eq!(hard(machine, &pid, limit), most, "{suite}: {unit}");
        }
        machine.run(&format!("systemd-analyze --no-pager --threshold=25 security {unit}")).ok();
        within(machine, unit, "touch /tmp/mine").ok();
        assert!(!machine.has("/tmp/mine"));
        assert_eq!(
            machine.run(&format!("stat -c '%U %G %a' /var/lib/{user}")).ok().text(),
            format!("{user} {user} 750")
        );
    }
    // After a crash, and after a clean exit that nobody requested; ten seconds would be too long for a test.
    machine.put(
        &format!("/etc/systemd/system/{INFERENCE}.d/quick.conf"),
        0o644,
        "[Service]\nRestartSec=50ms\n",
    );
    machine.run("systemctl daemon-reload").ok();
    for (signal, restarts) in [("KILL", "1"), ("TERM", "2")] {
        machine.run(&format!("kill -{signal} {}", pid(machine, INFERENCE))).ok();
        machine.wait_for("a restart", SOON, || {
            show(machine, INFERENCE, "NRestarts") == restarts
                && show(machine, INFERENCE, "ActiveState") == "active"
        });
    }
    // The setting that makes them reachable from a network.
    machine.run("sed -i 's/^HOME_LAB_ADDRESS=.*/HOME_LAB_ADDRESS=0.0.0.0/' /etc/home-lab/.env.lab").ok();
    machine.run("systemctl restart home-lab").ok();
    let listens = machine.run("ss --tcp --listening --numeric --no-header | awk '{print $4}' | sort").ok();
    assert_eq!(listens.text(), "0.0.0.0:5001\n0.0.0.0:5002", "{suite}");
    ask(machine, "GET 5002 /models").ok();
}

/// Returns whether the machine's systemd may raise a limit that its host has set.
fn may_raise(machine: &Machine) -> bool {
    const CAP_SYS_RESOURCE: u64 = 24;
    let line = machine.run("grep CapEff: /proc/1/status").ok();
    let set = u64::from_str_radix(line.text().trim_start_matches("CapEff:").trim(), 16).unwrap();
    set >> CAP_SYS_RESOURCE & 1 == 1
}

/// Returns a hard limit of a process.
#[track_caller]
fn hard(machine: &Machine, pid: &str, limit: &str) -> u64 {
    let limits = machine.run(&format!("cat /proc/{pid}/limits")).ok();
    let line = limits.stdout.lines().find(|line| line.starts_with(limit)).unwrap();
    let word = line[limit.len()..].split_whitespace().nth(1).unwrap();
    if word == "unlimited" { u64::MAX } else { word.parse().unwrap() }
}
