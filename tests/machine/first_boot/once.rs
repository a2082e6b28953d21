//! The configuration is applied at the first boot; later boots change nothing.

use testbed::{Machine, Result, Suite};

use crate::card::{ASKED, ERRORS, FILE, LINE, PROGRAM, SOON, apply, everything, flashed};

const SECRETS: [&str; 2] = ["$6$abcdefgh", "horse"];

/// Returns a timestamp of a unit, in microseconds since the kernel's start.
fn moment(machine: &Machine, unit: &str, what: &str) -> u64 {
    let show = format!("systemctl show --property={what}TimestampMonotonic --value {unit}");
    machine.run(&show).ok().text().parse().unwrap()
}

#[test]
fn a_card_becomes_a_machine_of_its_own_once() -> Result<()> {
    let mut machine = flashed(Suite::Trixie)?;
    // Without a configuration nobody can log in, and the console says so.
    machine.reboot()?;
    assert!(machine.read("/run/issue.d/50-first-boot.issue").unwrap().contains("Nobody can log in yet"));
    assert!(machine.console().contains("nobody can log in: no user has a password or an SSH key"));
    let keys = machine.read("/etc/ssh/ssh_host_ed25519_key").unwrap();

    machine.put(FILE, 0o644, format!("\u{feff}{}", ASKED.replace('\n', "\r\n")));
    machine.reboot()?;
    let before = |unit: &str| {
        let done = moment(&machine, "first-boot.service", "ActiveEnter");
        let other = moment(&machine, unit, "InactiveExit");
        assert!(0 < done && done <= other, "{unit}: {done} {other}");
    };
    for unit in ["systemd-user-sessions.service", "ssh.service", "rovi-gateway.service"] {
        before(unit);
    }
    machine.wait_for_unit("wpa_supplicant@wlan0.service", "active", SOON);
    let failed = machine.run("systemctl --failed --plain --no-legend").ok().text().to_owned();
    // The gateway has no ROS here; none of our other units has failed.
    assert!(!failed.contains("first-boot"), "{failed}");
    assert_eq!(machine.run("hostname").ok().text(), "robot-7");
    assert!(!machine.has("/run/issue.d/50-first-boot.issue") && !machine.has(ERRORS));
    let found = everything(&machine);
    for line in include_str!("expected.txt").lines() {
        assert!(found.lines().any(|l| l.trim_end() == line), "{line}\n---\n{found}");
    }
    // Login shells and services use the same workspace.
    let shell = machine.run("bash -lc 'echo $ROVI_ENV $ROVI_ROS_WS_DIR'").ok();
    assert_eq!(shell.text(), "robot /home/op/ros_ws");

    // Secrets are overwritten in place on the boot partition, and only stored where they belong.
    let wiped = machine.read(FILE).unwrap();
    assert_eq!(wiped.len(), ASKED.replace('\n', "\r\n").len() + 3);
    assert!(wiped.contains("password = \"*\"    ") && wiped.contains("ssid = \"Würstelstand\"\r\n"));
    for secret in SECRETS {
        assert!(!wiped.contains(secret));
        assert!(!machine.run("cat /var/lib/first-boot/*").ok().stdout.contains(secret));
        let told = machine.run("journalctl --boot --no-pager --output=export").ok().stdout;
        assert!(!told.contains(secret), "{secret} is in the journal");
    }

    // Later boots change nothing, and keep the keys.
    machine.run("touch /var/tmp/mark").ok();
    machine.reboot()?;
    for _ in 0..8 {
        apply(&machine).ok();
    }
    let of_ours = "find /etc /home /boot /var/lib/first-boot -xdev -newer /var/tmp/mark ! -name machine-id ! -path '*/systemd*'";
    assert_eq!(machine.run(of_ours).ok().text(), "");
    assert_eq!(everything(&machine), found);
    assert_eq!(machine.read("/etc/ssh/ssh_host_ed25519_key").unwrap(), keys);
    changed(&mut machine)
}

/// The card is edited in a PC again.
fn changed(machine: &mut Machine) -> Result<()> {
    let wpa = "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf";
    // A changed setting, without the passwords, which stay unchanged.
    machine.put(
        FILE,
        0o644,
        machine.read(FILE).unwrap().replace("\"AT\"", "\"DE\"").replace("robot-7", "robot-8"),
    );
    apply(machine).ok().says("custom.toml: applied");
    let config = machine.read(wpa).unwrap();
    assert!(config.contains("country=DE") && config.contains("psk=\"correct \"horse\" \\1\""), "{config}");
    assert!(machine.run("grep ^op: /etc/shadow").ok().stdout.contains(SECRETS[0]));
    // Another network needs its password; a new one may be as long as the asterisks.
    machine.put(FILE, 0o644, machine.read(FILE).unwrap().replace("Würstelstand", "other"));
    apply(machine).ok().says("[wlan]: no saved password for this network: write it");
    assert!(machine.read(ERRORS).unwrap().contains("no saved password for this network: write it\r\n"));
    assert!(machine.read("/run/issue.d/50-first-boot.issue").unwrap().contains("not applied: 1."));
    let text = machine.read(FILE).unwrap();
    let (others, wlan) = text.split_once("[wlan]\r\n").unwrap();
    let wlan = wlan.replacen("\"*\"", "\"battery staple\"", 1);
    machine.put(FILE, 0o644, format!("{others}[wlan]\r\nhidden = true\r\n{wlan}"));
    apply(machine).ok();
    assert!(machine.read(wpa).unwrap().contains("psk=\"battery staple\""), "{}", machine.read(FILE).unwrap());
    assert!(!machine.has(ERRORS) && !machine.read(FILE).unwrap().contains("staple"));

    // With a read-only root, a change causes one more boot to apply it; then the root is read-only again.
    // Another scenario tests the overlay itself.
    let asked = machine.read(FILE).unwrap().replace("robot-8\"", "robot-9\"\r\nread_only = true");
    machine.put(FILE, 0o644, &asked);
    apply(machine).ok();
    let word = format!(" init={PROGRAM}\n");
    assert!(machine.read(LINE).unwrap().ends_with(&word));
    machine.run("mkdir -p /run/first-boot && touch /run/first-boot/read-only").ok();
    machine.run(&format!("{PROGRAM} read-only")).ok().says("now on, from the next boot on on");
    machine.put(FILE, 0o644, asked.replace("robot-9", "robot-x"));
    apply(machine).says("rebooting to apply it");
    machine.wait_for_reboot(SOON)?;
    assert_eq!(machine.run("hostname").ok().text(), "robot-x");
    assert!(machine.read(LINE).unwrap().ends_with(&word));

    // Another role: the robot's gateway is not for a PC.
    machine.put(FILE, 0o644, asked.replace("role = \"robot\"", "role = \"pc\"").replace("true", "false"));
    apply(machine).ok();
    machine.run("systemctl is-enabled rovi-gateway").fails().says("disabled");
    assert_eq!(machine.run("bash -lc 'echo $ROVI_ENV $ROS_LOCALHOST_ONLY'").ok().text(), "pc 1");
    assert!(!machine.read(LINE).unwrap().contains("init="));
    Ok(())
}
