//! A team's own product: files with a configuration, a program that was built elsewhere, and a Rust crate.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use support::command::sh;
use support::packages::dist;
use support::scratch::scratch;
use testbed::{Machine, Result, Suite, at_once};

use super::{SOON, of_format};

const CATALOG: &str = r#"
[product]
name = "team"
package = "team-services"
summary = "programs of a team"
description = "Three programs, each brought in its own way."
maintainer = "Team <team@example.org>"
license = "MIT"
copyright = "2026 Team"
homepage = "https://example.org/team"

[[release]]
version = "VERSION"
date = "2026-11-20"
changes = ["A release."]

[account.team]
description = "Team"
home = "/var/lib/team"

[payload.scripts]
files = { from = "scripts", exclude = ["*.log", "private/notes"] }

[payload.settings]
files = "settings"
to = "/etc/team"
user = "team"
mode = "0640"

[payload.router]
binary.PROCESSOR = { from = "router", sha256 = "SHA256" }

[payload.agent]
cargo = { manifest = "agent", features = ["loud"] }

[default.part]
user = "team"
boot = true
type = "oneshot"
directives.Service = { RemainAfterExit = "yes" }

[service.script]
use = "part"
description = "Script"
exec = ["/bin/sh", "${payload.scripts}/main.sh", "${payload.settings}/team.conf"]

[service.router]
use = "part"
description = "Router"
exec = ["${payload.router}/router", "from-elsewhere"]

[service.agent]
use = "part"
description = "Agent"
exec = ["${payload.agent}/agent"]
environment = { PLACE = "${payload.agent}" }
"#;

/// Writes the team's folder, and builds its packages.
fn packages(name: &str, version: &str, change: impl FnOnce(&Path)) -> Vec<PathBuf> {
    let dir = scratch(name);
    for folder in ["scripts/private", "scripts/empty", "scripts/current", "settings", "agent/src"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    let long = format!("scripts/{}", "a-long-name-".repeat(15));
    for (path, text) in [
        ("scripts/main.sh", "cat \"$1\"; cat \"${0%/*}/current/link\"\n"),
        ("scripts/words", "words\n"),
        ("scripts/private/notes", "secret\n"),
        ("scripts/run.log", "log\n"),
        (long.as_str(), "long\n"),
        ("settings/team.conf", "settings\n"),
        (
            "agent/Cargo.toml",
            "[package]\nname = \"agent\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[features]\nloud = []\n[workspace]\n",
        ),
        (
            "agent/src/main.rs",
            "fn main() { println!(\"agent {} at {}\", if cfg!(feature = \"loud\") { \"LOUD\" } else { \"quiet\" }, \
             std::env::var(\"PLACE\").unwrap()); }\n",
        ),
    ] {
        fs::write(dir.join(path), text).unwrap();
    }
    sh(&dir, "ln -s ../words scripts/current/link; cd agent; cargo generate-lockfile --offline");
    fs::write(
        dir.join("router.c"),
        "#include <stdio.h>\nint main(int c, char **v) { return puts(v[1]) < 0; }\n",
    )
    .unwrap();
    sh(&dir, "cc -static -o router router.c");
    change(&dir);
    let sum: String =
        Sha256::digest(fs::read(dir.join("router")).unwrap()).iter().map(|b| format!("{b:02x}")).collect();
    let processor = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let catalog = CATALOG.replace("VERSION", version).replace("PROCESSOR", processor).replace("SHA256", &sum);
    fs::write(dir.join("team.toml"), catalog).unwrap();
    dist(&["--catalog", dir.join("team.toml").to_str().unwrap()], &format!("{name}-dist"))
}

#[test]
fn what_a_team_brings_runs_changes_and_leaves() -> Result<()> {
    let first = packages("team-first", "1.0.0", |_| {});
    let second = packages("team-second", "2.0.0", |dir| {
        fs::remove_file(dir.join("scripts/words")).unwrap();
        fs::write(dir.join("scripts/new-words"), "new words\n").unwrap();
        sh(dir, "ln -sf ../new-words scripts/current/link");
        fs::write(dir.join("settings/team.conf"), "new settings\n").unwrap();
        let source = fs::read_to_string(dir.join("agent/src/main.rs")).unwrap();
        fs::write(dir.join("agent/src/main.rs"), source.replace("agent {}", "new agent {}")).unwrap();
    });
    at_once(Suite::STABLE, |suite| {
        let machine = Machine::on(suite).boot()?;
        machine.install(of_format(&first, "deb")).ok();
        says(&machine, &["settings", "words", "from-elsewhere", "agent LOUD at /usr/lib/team/agent"]);
        let names = machine.list("/usr/lib/team/scripts");
        assert!(names.contains(&"empty".to_owned()) && !names.contains(&"run.log".to_owned()), "{names:?}");
        assert_eq!(machine.list("/usr/lib/team/scripts/private"), Vec::<String>::new());
        let long = "a-long-name-".repeat(15);
        assert_eq!(machine.read(&format!("/usr/lib/team/scripts/{long}")).unwrap(), "long\n");
        let of = |path: &str| machine.run(&format!("stat --format '%a %U' {path}")).ok().text().to_owned();
        assert_eq!(of("/etc/team/team.conf"), "640 team");
        assert_eq!(of("/usr/lib/team/router/router"), "755 root");

        // The administrator's settings stay; everything else is new, and what the team removed is gone.
        machine.run("echo my-settings >/etc/team/team.conf").ok();
        machine.install(of_format(&second, "deb")).ok();
        machine.run("systemctl restart team-script team-agent").ok();
        says(
            &machine,
            &["my-settings", "new words", "from-elsewhere", "new agent LOUD at /usr/lib/team/agent"],
        );
        assert!(!machine.has("/usr/lib/team/scripts/words"));
        assert_eq!(of("/etc/team/team.conf"), "640 team");

        // The older version brings the older programs back.
        machine.install(of_format(&first, "deb")).ok();
        machine.run("systemctl restart team-script team-agent").ok();
        says(&machine, &["my-settings", "words", "from-elsewhere", "agent LOUD at /usr/lib/team/agent"]);
        machine.run("dpkg --remove team-services").ok();
        assert!(!machine.has("/usr/lib/team") && machine.has("/etc/team/team.conf"));
        machine.run("dpkg --purge team-services").ok();
        assert!(!machine.has("/etc/team"));
        Ok(())
    })
}

#[test]
fn the_same_by_rpm() -> Result<()> {
    let first = packages("team-rpm-first", "1.0.0", |_| {});
    let second = packages("team-rpm-second", "2.0.0", |dir| {
        fs::remove_file(dir.join("scripts/words")).unwrap();
        fs::write(dir.join("scripts/new-words"), "new words\n").unwrap();
        sh(dir, "ln -sf ../new-words scripts/current/link");
        fs::write(dir.join("settings/team.conf"), "new settings\n").unwrap();
    });
    at_once(Suite::STABLE, |suite| {
        let machine = Machine::on(suite).boot()?;
        for (packages, version) in [(&first, "1"), (&second, "2")] {
            machine.put_file(of_format(packages, "rpm"), &format!("/var/tmp/{version}.rpm"));
        }
        machine.run("rpm --install --nodeps /var/tmp/1.rpm").ok();
        machine.run("systemctl start team-script team-router team-agent").ok();
        says(&machine, &["settings", "words", "from-elsewhere", "agent LOUD at /usr/lib/team/agent"]);
        let of = |path: &str| machine.run(&format!("stat --format '%a %U' {path}")).ok().text().to_owned();
        assert_eq!(of("/etc/team/team.conf"), "640 team");
        machine.run("echo my-settings >/etc/team/team.conf").ok();
        machine.run("rpm --upgrade --nodeps /var/tmp/2.rpm").ok();
        machine.run("systemctl restart team-script").ok();
        says(&machine, &["my-settings", "new words"]);
        assert!(!machine.has("/usr/lib/team/scripts/words"));
        machine.run("rpm --erase team-services").ok();
        assert!(!machine.has("/usr/lib/team"), "{:?}", machine.list("/usr/lib/team"));
        Ok(())
    })
}

/// Checks that the services have said these lines since they were started last.
#[track_caller]
fn says(machine: &Machine, lines: &[&str]) {
    for unit in ["team-script", "team-router", "team-agent"] {
        machine.wait_for_unit(unit, "active", SOON);
    }
    machine.wait_for(&format!("{lines:?}"), SOON, || {
        let journal = machine
            .run(
                "for unit in team-script team-router team-agent; do \
                     journalctl --output=cat _SYSTEMD_INVOCATION_ID=$(systemctl show --value --property=InvocationID $unit); \
                 done",
            )
            .ok();
        lines.iter().all(|line| journal.text().lines().any(|said| said == *line))
    });
}
