//! Drop-ins for a machine: every line of the example in the package, as an administrator without the
//! toolchain uses it, before and after an upgrade.

use std::time::Duration;

use testbed::{Machine, Result, Suite, at_once};

use crate::lab::{INFERENCE, SHUTDOWN, SOON, ask, lab, next, pid, show};

const EXAMPLE: &str = "/usr/share/home-lab/drop-in.conf";

/// The administrator's changes to the example: `#line` is uncommented, `#old -> new` is uncommented with
/// another value.
const EDITS: [&str; 18] = [
    "Requires=docker.service",
    "After=docker.service",
    "CPUQuota=200%",
    "MemoryMax=4G",
    "CPUAccounting=yes",
    "MemoryAccounting=yes",
    "TimeoutStartSec=120",
    "TimeoutStopSec=120",
    "Restart=always",
    "RestartSec=10 -> RestartSec=3",
    // The environment file overrides this.
    "Environment=PYTHONUNBUFFERED=1",
    "Environment=PATH=/opt/site/bin:/usr/local/bin:/usr/bin:/bin",
    "EnvironmentFile=/etc/home-lab/site.env",
    "User=site",
    "Group=site",
    "WorkingDirectory=/srv/site",
    "ReadWritePaths=/srv/site",
    "ExecStart=",
];

#[test]
fn h3_every_customisation_is_a_drop_in_that_survives_an_upgrade() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let machine = lab(suite)
            .user("site", &[])
            .file("/etc/systemd/system/docker.service", 0o644, "[Service]\nExecStart=sleep infinity\n")
            // Read after the package's own file.
            .file("/etc/home-lab/site.env", 0o644, "PYTHONUNBUFFERED=x\nSITE=here\n")
            .file("/srv/code/shutdown_service.py", 0o644, include_str!("shutdown_service.py"))
            .file("/srv/code/careless.py", 0o644, include_str!("careless.py"))
            .boot()?;
        machine.run("mkdir /srv/site && chown site: /srv/site").ok();
        let example = machine.read(EXAMPLE).unwrap();
        let file = format!("/etc/systemd/system/{SHUTDOWN}.d/site.conf");
        assert!(example.contains(
            "install -D -m 644 /usr/share/home-lab/drop-in.conf /etc/systemd/system/UNIT.d/site.conf"
        ));
        machine.run(&format!("install -D -m 644 {EXAMPLE} {file}")).ok();
        // Unchanged, the example has no effect.
        machine.run("systemctl daemon-reload").ok();
        assert_eq!(show(&machine, SHUTDOWN, "Restart"), "always");

        let mut text = example.clone();
        for edit in EDITS {
            let (old, new) = edit.split_once(" -> ").unwrap_or((edit, edit));
            assert_eq!(text.matches(&format!("\n#{old}\n")).count(), 1, "{old}");
            text = text.replace(&format!("\n#{old}\n"), &format!("\n{new}\n"));
        }
        // The package's command from the example, with another interpreter and other code.
        let ours = format!("#   {SHUTDOWN}\n#     ");
        let (_, ours) = text.split_once(&ours).unwrap();
        let ours = ours.lines().next().unwrap().to_owned();
        let theirs = ours
            .replace("${HOME_LAB_VENV}/bin/gunicorn", "${HOME_LAB_VENV}/bin/python3 -m gunicorn")
            .replace("${HOME_LAB_CODE}", "/srv/code");
        assert_ne!(ours, theirs);
        text = text.replace(
            "#ExecStart=/usr/bin/python3 -m site.program --config /etc/site.toml",
            &format!("ExecStart={theirs}"),
        );
        machine.put(&file, 0o644, &text);
        machine.run(&format!("systemctl daemon-reload && systemctl restart {SHUTDOWN}")).ok();
        in_force(&machine);

        // A short drop-in for the other service: Restart= and one more variable.
        let other = format!("/etc/systemd/system/{INFERENCE}.d/site.conf");
        machine.put(&other, 0o644, "[Service]\nRestart=on-failure\nEnvironment=EXTRA=1\n");
        machine.run(&format!("systemctl daemon-reload && systemctl restart {INFERENCE}")).ok();

        let before = pid(&machine, SHUTDOWN);
        machine.put_file(next(), "/var/tmp/next.deb");
        machine
            .script("systemd-run --quiet --wait --pipe dpkg --install /var/tmp/next.deb 2>&1")
            .within(SOON + Duration::from_secs(40))
            .run()
            .ok();
        machine.wait_for_unit(SHUTDOWN, "active", SOON);
        assert_ne!(pid(&machine, SHUTDOWN), before, "{suite}: the upgrade did not reach it");
        assert_eq!(show(&machine, SHUTDOWN, "Description"), "Next Home Lab shutdown service");
        assert_eq!(machine.read(&file).unwrap(), text);
        in_force(&machine);
        assert_eq!(show(&machine, INFERENCE, "Restart"), "on-failure");
        let environment =
            machine.run(&format!("tr '\\0' '\\n' </proc/{}/environ", pid(&machine, INFERENCE))).ok();
        environment.says("EXTRA=1\n");

        // A required unit: the service stops with it, and fails to start without it, with a message.
        machine.run("systemctl stop docker").ok();
        machine.wait_for_unit(SHUTDOWN, "inactive", SOON);
        machine.run("systemctl mask docker 2>&1 || mv /etc/systemd/system/docker.service /root && systemctl daemon-reload").ok();
        let start = machine.run(&format!("systemctl start {SHUTDOWN}")).fails();
        assert!(start.stderr.contains("docker.service"), "{start}");
        // With Wants= it does not.
        machine.put(&file, 0o644, text.replace("\nRequires=docker.service\n", "\nWants=docker.service\n"));
        machine.run(&format!("systemctl daemon-reload && systemctl start {SHUTDOWN}")).ok();
        // Without its drop-in it is as installed.
        machine.run(&format!("rm {file} && systemctl daemon-reload && systemctl restart {SHUTDOWN}")).ok();
        assert_eq!(show(&machine, SHUTDOWN, "User"), "home-lab-shutdown");
        ask(&machine, "POST 5001 /cancel").ok();
        Ok(())
    })
}

/// Checks that systemd and the process have the settings of the drop-in.
#[track_caller]
fn in_force(machine: &Machine) {
    for (property, value) in [
        ("CPUQuotaPerSecUSec", "2s"),
        ("MemoryMax", "4294967296"),
        ("CPUAccounting", "yes"),
        ("MemoryAccounting", "yes"),
        ("TimeoutStartUSec", "2min"),
        ("TimeoutStopUSec", "2min"),
        ("RestartUSec", "3s"),
        ("Restart", "always"),
        ("User", "site"),
        ("WorkingDirectory", "/srv/site"),
        // The package's own settings still apply.
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
    ] {
        assert_eq!(show(machine, SHUTDOWN, property), value, "{property}");
    }
    let requires = show(machine, SHUTDOWN, "Requires");
    assert!(requires.split(' ').any(|unit| unit == "docker.service"), "{requires}");
    machine.run("systemctl is-active docker").ok();
    let pid = pid(machine, SHUTDOWN);
    let is = machine
        .run(&format!(
            "ps -o user=,group= -p {pid}; readlink /proc/{pid}/cwd; tr '\\0' ' ' </proc/{pid}/cmdline"
        ))
        .ok();
    let words: Vec<&str> = is.text().split_whitespace().collect();
    assert_eq!(words[..3], ["site", "site", "/srv/site"], "{is}");
    assert!(is.stdout.contains("python3 -m gunicorn --pythonpath /srv/code "), "{is}");
    let environment = machine.run(&format!("tr '\\0' '\\n' </proc/{pid}/environ")).ok();
    for line in ["PATH=/opt/site/bin:/usr/local/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=x", "SITE=here"] {
        assert!(environment.stdout.lines().any(|l| l == line), "{line}: {environment}");
    }
    // It works and may write where the drop-in allows it.
    ask(machine, "GET 5001 /taken-over 'script=touch /srv/site/x'").ok();
}
