//! The package is installed, upgraded and removed while services of the machine and of users run.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use support::packages::dist;
use testbed::{Machine, Output, Result, Suite, at_once};

use crate::assistant::{BUS, CLIENTS, Of, PARENT, SOON, as_op, bare, children, next, of, package};

/// Runs `dpkg` or `rpm` as a unit, because logind does not know commands from outside the machine.
#[must_use]
#[track_caller]
fn by_a_unit<'m>(machine: &'m Machine, command: &str) -> Output<'m> {
    machine.script(&format!("systemd-run --quiet --wait --pipe {command} 2>&1")).within(SOON + SOON).run()
}

/// Copies a package to the machine and returns its path.
#[track_caller]
fn put(machine: &Machine, package: &Path) -> String {
    let inside = format!("/var/tmp/{}", package.file_name().unwrap().to_str().unwrap());
    machine.put_file(package, &inside);
    inside
}

#[test]
fn an_upgrade_restarts_what_runs_and_a_removal_ends_everything() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let machine = bare(suite).install(package("deb")).boot()?;
        let all = Of(&machine, false);
        all.systemctl(&format!("enable --now {PARENT}")).ok();
        let before = all.pids();
        all.systemctl(&format!("stop {}", CLIENTS[3])).ok();
        by_a_unit(&machine, &format!("dpkg --install {}", put(&machine, next("deb")))).ok();
        // What ran is new; what was stopped stays stopped, including the parent, which would have started it.
        assert_eq!(all.show(BUS, "Description"), "Next Mycroft message bus");
        for (unit, before) in children().zip(&before).take(4) {
            all.wait(unit, "active");
            assert_ne!(all.show(unit, "MainPID"), *before, "{unit}");
        }
        assert_eq!((all.state(CLIENTS[3]), all.state(PARENT)), ("inactive".to_owned(), "active".to_owned()));
        assert_eq!(all.systemctl(&format!("is-enabled {PARENT}")).ok().text(), "enabled");

        // Its account lingers now and has a user manager at once. Both end with the package.
        let manager = format!("user@{}.service", machine.run("id -u mycroft").ok().text());
        machine.wait_for_unit(&manager, "active", SOON);
        assert!(machine.has("/var/lib/systemd/linger/mycroft"));
        by_a_unit(&machine, "dpkg --remove mycroft-services").ok();
        assert!(!machine.has("/var/lib/systemd/linger/mycroft"));
        machine.wait_for_unit(&manager, "inactive", SOON);
        for unit in children().chain([PARENT]) {
            all.wait(unit, "inactive");
            assert_eq!(all.show(unit, "LoadState"), "not-found");
        }
        by_a_unit(&machine, "dpkg --purge mycroft-services").ok();
        assert_eq!(traces(&machine), "");
        Ok(())
    })
}

#[test]
fn a_users_services_are_left_alone_by_an_upgrade_and_end_with_the_package() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let machine = bare(suite).install(package("deb")).boot()?;
        machine.run("systemd-run --quiet --wait loginctl enable-linger op").ok();
        machine.wait_for_unit("user@1000.service", "active", SOON);
        let op = Of(&machine, true);
        op.systemctl(&format!("enable --now {PARENT}")).ok();
        let before = op.pids();
        by_a_unit(&machine, &format!("dpkg --install {}", put(&machine, next("deb")))).ok();
        assert_eq!(op.pids(), before);
        // Their manager already knows the new text, which applies from the next start on.
        machine.wait_for("the new text", SOON, || op.show(BUS, "Description") == "Next Mycroft message bus");
        assert_eq!(op.show(BUS, "NeedDaemonReload"), "no");
        op.systemctl(&format!("restart {PARENT}")).ok();
        assert!(op.pids().iter().zip(&before).all(|(after, before)| after != before));

        by_a_unit(&machine, "dpkg --purge mycroft-services").ok();
        for unit in children().chain([PARENT]) {
            op.wait(unit, "inactive");
        }
        machine.wait_for("the units' end", SOON, || op.show(BUS, "LoadState") == "not-found");
        assert_eq!(traces(&machine), "");
        // A user's own link is kept: without the unit it has no effect, and with it again, the same effect as
        // before.
        let link = "test -L ~/.config/systemd/user/default.target.wants/mycroft.service";
        machine.run_as("op", link).ok();
        as_op(&machine, "systemctl --user is-failed default.target").fails();
        by_a_unit(&machine, &format!("dpkg --install {}", put(&machine, package("deb")))).ok();
        assert_eq!(op.systemctl(&format!("is-enabled {PARENT}")).ok().text(), "enabled");
        Ok(())
    })
}

#[test]
fn an_rpm_does_the_same() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let machine = bare(suite).boot()?;
        let rpm = |verb: &str, package: &str| {
            by_a_unit(&machine, &format!("rpm --nodeps {verb} {package}")).ok();
        };
        rpm("--install", &put(&machine, package("rpm")));
        let (all, op) = (Of(&machine, false), Of(&machine, true));
        assert_eq!(all.systemctl(&format!("is-enabled {PARENT}")).fails().text(), "disabled");
        assert_eq!(all.systemctl(&format!("--global is-enabled {PARENT}")).fails().text(), "disabled");
        machine.run("systemd-run --quiet --wait loginctl enable-linger op").ok();
        machine.wait_for_unit("user@1000.service", "active", SOON);
        op.systemctl(&format!("enable --now {PARENT}")).ok();
        let before = op.pids();
        rpm("--upgrade", &put(&machine, next("rpm")));
        assert_eq!(op.pids(), before);
        machine.wait_for("the new text", SOON, || op.show(BUS, "Description") == "Next Mycroft message bus");
        assert!(machine.has("/var/lib/systemd/linger/mycroft"));
        rpm("--erase", "mycroft-services");
        assert!(!machine.has("/var/lib/systemd/linger/mycroft"));
        for unit in children().chain([PARENT]) {
            op.wait(unit, "inactive");
        }
        assert_eq!(traces(&machine), "");
        Ok(())
    })
}

/// A service that every user has from login on.
const PANEL: &str = r#"
[product]
name = "panel"
package = "panel"
summary = "shows something to everybody"
description = "Nothing else."
maintainer = "Ana Panel <ana@example.org>"
license = "MIT"
copyright = "2026 Ana Panel"
homepage = "https://example.org/panel"

[[release]]
version = "1.0.0"
date = "2026-11-20"
changes = ["First release."]

[service.panel]
description = "Panel"
scope = "user"
exec = ["/usr/bin/sleep", "600"]
boot = true
"#;

#[test]
fn what_starts_at_every_login_is_enabled_for_all_unless_somebody_decided_otherwise() -> Result<()> {
    static BUILT: OnceLock<Vec<std::path::PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("panel.toml");
        fs::write(&file, PANEL).unwrap();
        dist(&["--catalog", file.to_str().unwrap()], "panel")
    });
    at_once(Suite::STABLE, |suite| {
        let machine = bare(suite).boot()?;
        let deb = put(&machine, of(built, "deb"));
        let enabled =
            |machine: &Machine| machine.run("systemctl --global is-enabled panel.service").text().to_owned();
        by_a_unit(&machine, &format!("dpkg --install {deb}")).ok();
        assert_eq!(enabled(&machine), "enabled");
        let terminal = machine.login_session("op");
        Of(&machine, true).wait("panel.service", "active");
        terminal.logout();
        // The administrator's choice, as for system units.
        machine.run("systemctl --global disable panel.service").ok();
        by_a_unit(&machine, &format!("dpkg --install {deb}")).ok();
        assert_eq!(enabled(&machine), "disabled");
        by_a_unit(&machine, "dpkg --purge panel").ok();
        let left = "find /etc/systemd/user /var/lib/systemd -name '*panel*'";
        assert_eq!(machine.run(left).ok().text(), "");
        machine.put("/etc/systemd/user-preset/10-site.preset", 0o644, "disable panel.service\n");
        by_a_unit(&machine, &format!("dpkg --install {deb}")).ok();
        assert_eq!(enabled(&machine), "disabled");
        by_a_unit(&machine, "dpkg --purge panel").ok();
        assert_eq!(machine.run(left).ok().text(), "");

        machine.run("rm /etc/systemd/user-preset/10-site.preset").ok();
        let rpm = put(&machine, of(built, "rpm"));
        by_a_unit(&machine, &format!("rpm --nodeps --install {rpm}")).ok();
        assert_eq!(enabled(&machine), "enabled");
        by_a_unit(&machine, "rpm --nodeps --erase panel").ok();
        assert_eq!(machine.run(left).ok().text(), "");
        Ok(())
    })
}

/// Returns what the product left besides its package's files; its account is kept.
#[track_caller]
fn traces(machine: &Machine) -> String {
    let everything = "find /etc/systemd /var/lib/systemd /run/systemd/system /run/mycroft /usr/lib/systemd /usr/libexec \
                      -name '*mycroft*' 2>/dev/null";
    machine.run(everything).text().to_owned()
}
