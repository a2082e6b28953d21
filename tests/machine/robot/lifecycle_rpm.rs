//! The package in rpm's hands, on the rpm of each suite: 4.18 knows nothing of sysusers.d, 4.20 does. Once as on a
//! Fedora, whose systemd brings a helper and file triggers, and once without either.
//!
//! The systems are Debian's, so the helper is a stand-in, what the triggers would call at the end of a transaction is
//! called here, and a package without files stands for Fedora's base system.

use std::path::Path;

use support::robot::{SECOND, SUITES, next, package};
use testbed::{Machine, Plan, Result, Suite, at_once, ros};

use crate::life::{of, up};
use crate::lifecycle::{
    GATEWAY, LINK, PENDING, bare, by_hand, gateway, has_users_and_directories, pid, show,
};
use crate::policy::transient::keeps_no_power;

const HELPER: &str = "/usr/lib/systemd/systemd-update-helper";
const CALLS: &str = "/var/tmp/calls";

/// What the helper's verbs mean, for those that a package or a trigger uses.
const HELPER_TEXT: &str = r#"#!/bin/sh
echo "$*" >>/var/tmp/calls
verb=$1
shift
case "$verb" in
install-system-units) systemctl --no-reload preset "$@" ;;
remove-system-units) systemctl --no-reload disable --now "$@" ;;
mark-restart-system-units) for unit; do systemctl set-property "$unit" Markers=+needs-restart; done ;;
system-reload-restart) systemctl daemon-reload && systemctl reload-or-restart --marked ;;
*) exit 3 ;;
esac
"#;

const BASE: &str = "\
Name: base
Version: 1
Release: 1
Summary: What a Fedora has anyway
License: MIT
BuildArch: noarch
Provides: systemd polkit bash /bin/sh
%description
%{summary}
%files
";

/// Returns a machine with the package's dependencies. Fedora's default preset disables all units that no
/// other preset names.
fn plan(suite: Suite, fedora: bool) -> Plan {
    let plan = bare(suite).file("/var/tmp/base.spec", 0o644, BASE).file(
        "/usr/lib/systemd/system-preset/99-default-disable.preset",
        0o644,
        "disable *\n",
    );
    if fedora { plan.file(HELPER, 0o755, HELPER_TEXT) } else { plan }
}

fn boot(suite: Suite, fedora: bool) -> Result<Machine> {
    let robot = plan(suite, fedora).boot()?;
    robot
        .run("cd /var/tmp && rpmbuild --quiet -bb base.spec && rpm -U /root/rpmbuild/RPMS/noarch/*.rpm")
        .ok();
    for (name, package) in [("first", package("rpm")), ("next", next("rpm"))] {
        robot.put_file(Path::new(package), &format!("/var/tmp/{name}.rpm"));
    }
    Ok(robot)
}

/// Runs an rpm transaction, and what systemd's triggers do at its end.
#[track_caller]
fn rpm(robot: &Machine, arguments: &str) {
    robot.run(&format!("rpm {arguments}")).ok();
    if robot.has(HELPER) {
        robot.run(&format!("{HELPER} system-reload-restart")).ok();
    }
}

/// Returns the calls of the helper by scriptlets.
fn asked(robot: &Machine) -> String {
    let calls = robot.read(CALLS).unwrap_or_default();
    calls.lines().filter(|call| *call != "system-reload-restart").collect::<Vec<_>>().join("\n")
}

#[test]
fn b24_users_and_groups_are_there_before_the_files_with_any_rpm() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = boot(suite, true)?;
        // The old version runs %pre, the new one does it natively: each without the scriptlets that help
        // later.
        let without = if suite == Suite::Bookworm { "--nopost" } else { "--nopre --nopost" };
        rpm(&robot, &format!("-U {without} /var/tmp/first.rpm"));
        robot.run("getent group rovi-ops && getent passwd rovi").ok().says(":/var/lib/rovi:");
        rpm(&robot, "-e --noscripts rovi-services");
        // With all scriptlets, everything else exists too.
        rpm(&robot, "-U /var/tmp/first.rpm");
        has_users_and_directories(&robot);
        // Users and groups remain.
        rpm(&robot, "-e rovi-services");
        robot.run("getent group rovi-ops && getent passwd rovi").ok();
        Ok(())
    })
}

/// Returns every suite, with Fedora's names for dependencies and with Debian's.
fn hosts() -> impl Iterator<Item = (Suite, bool)> {
    SUITES.into_iter().flat_map(|suite| [(suite, true), (suite, false)])
}

#[test]
fn b25_b26_the_first_installation_enables_the_gateway_and_an_erasure_stops_and_disables() -> Result<()> {
    at_once(hosts(), |(suite, fedora)| {
        let robot = boot(suite, fedora)?;
        rpm(&robot, "-U /var/tmp/first.rpm");
        // Packages for such systems do not start what they install.
        assert_eq!(gateway(&robot), "inactive enabled");
        if fedora {
            assert_eq!(asked(&robot), format!("install-system-units {GATEWAY}"));
        }
        robot.run(&format!("systemctl start {GATEWAY} && systemctl start rovi-nav")).ok();
        up(&robot, &of("nav"));
        robot.run(&format!("echo >{CALLS}")).ok();
        rpm(&robot, "-e rovi-services");
        for unit in [GATEWAY, "rovi-nav.service"] {
            assert_eq!(show(&robot, unit, "ActiveState"), "inactive", "{unit}");
        }
        robot.run("pgrep -u rovi").fails();
        robot.run(&format!("test ! -L {LINK} && test ! -e /run/rovi")).ok();
        robot.run("find /etc /run /usr -name 'rovi*' | grep .").fails();
        if fedora {
            assert!(asked(&robot).trim().starts_with("remove-system-units rovi-"), "{}", asked(&robot));
        }
        // An administrator's preset takes precedence over ours.
        robot.put("/etc/systemd/system-preset/10-site.preset", 0o644, format!("disable {GATEWAY}\n"));
        rpm(&robot, "-U /var/tmp/first.rpm");
        assert_eq!(gateway(&robot), "inactive disabled");
        Ok(())
    })
}

#[test]
fn b25_what_runs_by_hand_ends_before_the_package_goes_and_no_power_stays() -> Result<()> {
    at_once(hosts(), |(suite, fedora)| {
        let robot = boot(suite, fedora)?;
        rpm(&robot, "-U /var/tmp/first.rpm");
        robot.add_user("op", &["rovi-ops"]);
        robot.run(&format!("systemctl start {GATEWAY}")).ok();
        by_hand(&robot, "nav");
        robot.run("pkill -KILL -f '^/usr/libexec/rovi/run_stack nav'").ok();
        robot.run("rpm -e rovi-services").fails().says("must end first");
        robot.run("kill -INT -- $(run_stack --busy | sed -n 's/.*has left processes running: //p')").ok();
        robot.wait_for("the end of the nodes", 5 * SECOND, || !robot.run("run_stack --busy").success());
        // It is still completely installed, and enabled as before.
        assert_eq!(gateway(&robot), "inactive enabled");
        robot.run(&format!("rpm -V rovi-services && systemctl start {GATEWAY}")).ok();
        by_hand(&robot, "nav");
        rpm(&robot, "-e rovi-services");
        robot.run("pgrep -u rovi").fails();
        keeps_no_power(&robot);
        Ok(())
    })
}

#[test]
fn b25_an_upgrade_restarts_what_runs_and_nothing_else() -> Result<()> {
    at_once(hosts(), |(suite, fedora)| {
        let robot = boot(suite, fedora)?;
        rpm(&robot, "-U /var/tmp/first.rpm");
        // Stopped, and with the administrator's choice.
        for (choice, state, transaction) in [
            ("disable", "inactive disabled", "-U /var/tmp/next.rpm"),
            ("mask", "inactive masked", "-U --oldpackage /var/tmp/first.rpm"),
        ] {
            robot.run(&format!("systemctl {choice} {GATEWAY}")).ok();
            rpm(&robot, transaction);
            assert_eq!(gateway(&robot), state);
        }
        robot.run(&format!("systemctl unmask {GATEWAY} && systemctl enable --now {GATEWAY}")).ok();
        let mut before = pid(&robot, GATEWAY);
        for transaction in [
            "-U /var/tmp/next.rpm",
            "-U --replacepkgs /var/tmp/next.rpm",
            "-U --oldpackage /var/tmp/first.rpm",
        ] {
            rpm(&robot, transaction);
            let after = pid(&robot, GATEWAY);
            assert_ne!(after, before, "{transaction}");
            assert_eq!(gateway(&robot), "active enabled");
            let is_next = show(&robot, GATEWAY, "Description").starts_with("Next");
            assert_eq!(is_next, transaction.contains("next"), "{transaction}");
            before = after;
        }
        assert!(!robot.has(PENDING));
        Ok(())
    })
}

#[test]
fn b13_b25_an_upgrade_never_stops_a_moving_robot() -> Result<()> {
    at_once(hosts(), |(suite, fedora)| {
        let robot = boot(suite, fedora)?;
        rpm(&robot, "-U /var/tmp/first.rpm");
        robot.run(&format!("systemctl start {GATEWAY} && systemctl start rovi-nav")).ok();
        let before = (pid(&robot, GATEWAY), pid(&robot, "rovi-nav.service"));
        rpm(&robot, "-U /var/tmp/next.rpm");
        assert_eq!((pid(&robot, GATEWAY), pid(&robot, "rovi-nav.service")), before);
        assert_eq!(robot.read(PENDING).unwrap(), format!("{GATEWAY}\n"));
        robot.run("systemctl stop rovi-nav").ok();

        // Also for stacks started by hand.
        by_hand(&robot, "nav");
        rpm(&robot, "-U --oldpackage /var/tmp/first.rpm");
        assert_eq!(pid(&robot, GATEWAY), before.0);
        assert_eq!(robot.read(PENDING).unwrap(), format!("{GATEWAY}\n"));
        let all = ros::processes(&robot);
        assert!(all.iter().any(|p| p.argv.contains(&"stack:=nav".to_owned()) && p.status.is_none()));
        robot.run("pkill -INT -f '^/usr/libexec/rovi/run_stack nav'").ok();
        robot.wait_for("the lock", 5 * SECOND, || !robot.run("run_stack --busy").success());

        // The robot is idle, and an operator starts a stack after the scriptlet's check.
        let worst = "#!/bin/sh\nif [ \"$1\" = try-restart ]; then\n    /usr/bin/real-systemctl start rovi-nav\n\
            echo $? >/var/tmp/status\nfi\nexec /usr/bin/real-systemctl \"$@\"\n";
        robot.run("mv /usr/bin/systemctl /usr/bin/real-systemctl").ok();
        robot.put("/usr/bin/systemctl", 0o755, worst);
        rpm(&robot, "-U /var/tmp/next.rpm");
        assert_ne!(robot.read("/var/tmp/status").unwrap(), "0\n", "it started, and was stopped at once");
        assert_ne!(pid(&robot, GATEWAY), before.0);
        assert_eq!(robot.read(PENDING).unwrap(), "");
        Ok(())
    })
}

#[test]
fn b27_configuration_stays_as_the_administrator_left_it() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = boot(suite, true)?;
        rpm(&robot, "-U /var/tmp/first.rpm");
        robot.run("rpm -qc rovi-services").ok().says("/etc/rovi/.env.robot\n");
        robot.run("rpm -V rovi-services").ok();
        robot.run("sed -i s/ROS_DOMAIN_ID=0/ROS_DOMAIN_ID=5/ /etc/rovi/.env.robot").ok();
        rpm(&robot, "-U /var/tmp/next.rpm");
        let kept = robot.read("/etc/rovi/.env.robot").unwrap();
        assert!(kept.contains("ROS_DOMAIN_ID=5") && !kept.contains("Here is the one place"), "{kept}");
        let proposed = robot.read("/etc/rovi/.env.robot.rpmnew").unwrap();
        assert!(proposed.contains("Here is the one place"), "{proposed}");
        assert!(robot.read("/etc/rovi/.env.pc").unwrap().contains("ROS_DOMAIN_ID=78"));
        // A deleted file is restored: unlike dpkg, rpm does not remember deletions.
        robot.run("rm /etc/rovi/.env.pc").ok();
        rpm(&robot, "-U --replacepkgs /var/tmp/next.rpm");
        assert!(robot.read("/etc/rovi/.env.pc").unwrap().contains("ROS_DOMAIN_ID=78"));
        // An erase keeps it as a backup.
        rpm(&robot, "-e rovi-services");
        assert_eq!(robot.read("/etc/rovi/.env.robot.rpmsave").unwrap(), kept);
        Ok(())
    })
}
