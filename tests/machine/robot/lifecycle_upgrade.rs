//! Upgrades and downgrades of the Debian package, while the robot is idle or active.

use support::robot::{SECOND, SUITES, next, package};
use testbed::{Machine, Result, at_once, ros};

use crate::life::ready;
use crate::lifecycle::{GATEWAY, LINK, NEW_LINK, PENDING, bare, by_hand, dpkg, gateway, pid, show};

/// Checks whether a unit, as loaded by systemd, is the next version's.
#[track_caller]
fn is_next(robot: &Machine, unit: &str, expected: bool) {
    let description = show(robot, unit, "Description");
    assert_eq!(description.starts_with("Next"), expected, "{unit}: {description}");
    assert_eq!(show(robot, unit, "NeedDaemonReload"), "no", "{unit}");
}

#[test]
fn b13_an_upgrade_while_nothing_moves_restarts_the_gateway_and_a_downgrade_too() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        let first = pid(&robot, GATEWAY);
        robot.install(next("deb")).ok();
        let second = pid(&robot, GATEWAY);
        assert_ne!(second, first);
        is_next(&robot, GATEWAY, true);
        assert!(!robot.has(PENDING));
        assert!(!robot.has("/run/rovi/stopped"));
        robot.run("systemctl start rovi-dock && systemctl stop rovi-dock").ok();
        robot.install(package("deb")).ok();
        assert_ne!(pid(&robot, GATEWAY), second);
        is_next(&robot, GATEWAY, false);
        robot.run("systemctl cat rovi-dock").fails();
        robot.run("systemctl start rovi-nav").ok();
        Ok(())
    })
}

#[test]
fn b10_b12_disabled_stays_disabled_and_new_links_appear_only_for_the_enabled() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        let links = || robot.run(&format!("ls {LINK} {NEW_LINK} 2>/dev/null | wc -l")).ok().text().to_owned();
        // Disabled but started by hand: it is restarted with the new version and stays disabled.
        robot.run(&format!("systemctl disable {GATEWAY}")).ok();
        let before = pid(&robot, GATEWAY);
        dpkg(&robot, next("deb")).ok();
        assert_eq!(gateway(&robot), "active disabled");
        assert_ne!(pid(&robot, GATEWAY), before);
        assert_eq!(links(), "0");
        // Disabled and stopped.
        robot.run(&format!("systemctl stop {GATEWAY}")).ok();
        dpkg(&robot, package("deb")).ok();
        dpkg(&robot, next("deb")).ok();
        assert_eq!(gateway(&robot), "inactive disabled");
        assert_eq!(links(), "0");
        // Enabled.
        dpkg(&robot, package("deb")).ok();
        robot.run(&format!("systemctl enable --now {GATEWAY}")).ok();
        assert_eq!(links(), "1");
        dpkg(&robot, next("deb")).ok();
        assert_eq!(gateway(&robot), "active enabled");
        assert_eq!(links(), "2");
        // A purge removes both.
        robot.run("dpkg --purge rovi-services").ok();
        assert_eq!(links(), "0");
        Ok(())
    })
}

#[test]
fn b11_masked_stays_masked() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        robot.run(&format!("systemctl stop {GATEWAY} && systemctl mask {GATEWAY}")).ok();
        dpkg(&robot, next("deb")).ok();
        assert_eq!(gateway(&robot), "inactive masked");
        dpkg(&robot, package("deb")).ok();
        robot.run(&format!("systemctl unmask {GATEWAY}")).ok();
        assert_eq!(gateway(&robot), "inactive enabled");
        Ok(())
    })
}

#[test]
fn b13_what_the_administrator_stopped_stays_stopped() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        robot.run(&format!("systemctl stop {GATEWAY}")).ok();
        dpkg(&robot, next("deb")).ok();
        assert_eq!(gateway(&robot), "inactive enabled");
        // It does not start either when the package's files in /run are missing,
        robot.run("rm -r /run/rovi").ok();
        dpkg(&robot, package("deb")).ok();
        assert_eq!(gateway(&robot), "inactive enabled");
        assert!(robot.has("/run/rovi/stack.lock"));
        // or after a crash, which a person should look at first.
        robot.run(&format!("systemctl start {GATEWAY} && systemctl kill --signal=KILL {GATEWAY}")).ok();
        robot.wait_for_unit(GATEWAY, "failed", 5 * SECOND);
        dpkg(&robot, next("deb")).ok();
        assert_eq!(gateway(&robot), "failed enabled");
        // The next boot starts it.
        robot.run(&format!("systemctl start {GATEWAY}")).ok();
        is_next(&robot, GATEWAY, true);
        Ok(())
    })
}

#[test]
fn b13_an_upgrade_never_stops_a_moving_robot() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        robot.run("systemctl start rovi-nav").ok();
        let before = (pid(&robot, GATEWAY), pid(&robot, "rovi-nav.service"));
        // Each is a launch with two nodes.
        robot.wait_for("six processes", 5 * SECOND, || ros::processes(&robot).len() == 6);
        robot.install(next("deb")).ok().says("systemctl restart rovi-gateway.service");
        assert_eq!((pid(&robot, GATEWAY), pid(&robot, "rovi-nav.service")), before);
        let all = ros::processes(&robot);
        assert!(all.len() == 6 && all.iter().all(|p| p.signals.is_empty() && p.status.is_none()), "{all:?}");
        is_next(&robot, GATEWAY, true);
        // Every user can see that the old one still runs.
        let pending = "restart pending: gateway: still running the version before the upgrade: when the \
                       robot may stop, an administrator must run `systemctl restart rovi-gateway.service`";
        robot.run_as("op", "rovi status").ok().says(pending);
        assert_eq!(robot.read(PENDING).unwrap(), format!("{GATEWAY}\n"));
        // Back again; the notice appears only once.
        dpkg(&robot, package("deb")).ok();
        assert_eq!((pid(&robot, GATEWAY), pid(&robot, "rovi-nav.service")), before);
        assert_eq!(robot.read(PENDING).unwrap(), format!("{GATEWAY}\n"));

        // The robot is idle. Nothing happens by itself until the next upgrade
        robot.run("systemctl stop rovi-nav").ok();
        assert_eq!(pid(&robot, GATEWAY), before.0);
        assert_eq!(robot.read(PENDING).unwrap(), format!("{GATEWAY}\n"));
        dpkg(&robot, next("deb")).ok();
        let second = pid(&robot, GATEWAY);
        assert_ne!(second, before.0);
        assert_eq!(robot.read(PENDING).unwrap(), "");
        // or until the administrator follows the notice; then nothing is pending.
        robot.run("systemctl start rovi-teleop").ok();
        dpkg(&robot, package("deb")).ok();
        assert_eq!(robot.read(PENDING).unwrap(), format!("{GATEWAY}\n"));
        robot.run(&format!("systemctl stop rovi-teleop && systemctl restart {GATEWAY}")).ok();
        assert_eq!(robot.read(PENDING).unwrap(), "");
        assert!(!robot.run_as("op", "rovi status").ok().stdout.contains("restart pending"));
        is_next(&robot, GATEWAY, false);
        Ok(())
    })
}

#[test]
fn b13_a_stack_that_runs_by_hand_holds_the_gateway_too() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        let before = pid(&robot, GATEWAY);
        by_hand(&robot, "nav");
        dpkg(&robot, next("deb")).ok().says("did not restart rovi-gateway.service");
        assert_eq!(pid(&robot, GATEWAY), before);
        assert_eq!(robot.read(PENDING).unwrap(), format!("{GATEWAY}\n"));
        let launch = ros::processes(&robot).into_iter().find(|p| p.argv.contains(&"stack:=nav".to_owned()));
        let launch = launch.unwrap();
        assert_eq!((launch.signals.len(), launch.status), (0, None));
        // After a kill, its nodes remain and still move the robot.
        robot.run("pkill -KILL -f '^/usr/libexec/rovi/run_stack nav'").ok();
        dpkg(&robot, package("deb")).ok().says("did not restart rovi-gateway.service");
        assert_eq!(pid(&robot, GATEWAY), before);
        Ok(())
    })
}

#[test]
fn b13_no_stack_starts_while_the_upgrade_restarts_the_gateway() -> Result<()> {
    at_once(SUITES, |suite| {
        // An operator starts a stack at the worst moment: after the check whether the robot moves.
        let worst = "#!/bin/sh\nsystemctl start rovi-nav 2>/var/tmp/refused\necho $? >/var/tmp/status\n\
            exec /usr/bin/deb-systemd-invoke \"$@\"\n";
        let robot = ready(suite)?;
        let before = pid(&robot, GATEWAY);
        robot.put("/usr/local/sbin/deb-systemd-invoke", 0o755, worst);
        dpkg(&robot, next("deb")).ok();
        assert_ne!(robot.read("/var/tmp/status").unwrap(), "0\n", "it started, and was stopped at once");
        assert!(!ros::processes(&robot).iter().any(|p| p.argv.contains(&"stack:=nav".to_owned())));
        assert_ne!(pid(&robot, GATEWAY), before);
        robot.run("systemctl start rovi-nav").ok();
        Ok(())
    })
}

#[test]
fn b14_b15_configuration_stays_as_the_administrator_left_it() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        robot
            .run("rm /etc/rovi/.env.pc && sed -i s/ROS_DOMAIN_ID=0/ROS_DOMAIN_ID=5/ /etc/rovi/.env.robot")
            .ok();
        robot.install(next("deb")).ok();
        assert!(!robot.has("/etc/rovi/.env.pc"));
        let kept = robot.read("/etc/rovi/.env.robot").unwrap();
        assert!(kept.contains("ROS_DOMAIN_ID=5") && !kept.contains("Here is the one place"), "{kept}");
        let proposed = robot.read("/etc/rovi/.env.robot.dpkg-dist").unwrap();
        assert!(proposed.contains("Here is the one place"), "{proposed}");
        // The restarted gateway uses the kept settings.
        let environment = robot.run(&format!("tr '\\0' '\\n' </proc/{}/environ", pid(&robot, GATEWAY))).ok();
        environment.says("ROS_DOMAIN_ID=5\n");
        dpkg(&robot, package("deb")).ok();
        assert!(!robot.has("/etc/rovi/.env.pc"));
        // On request, it is installed again.
        robot.run("dpkg --force-confmiss --install /var/tmp/rovi-services_0.1.0_*.deb").ok();
        assert!(robot.read("/etc/rovi/.env.pc").unwrap().contains("ROS_DOMAIN_ID=77"));
        Ok(())
    })
}

#[test]
fn b16_an_upgrade_that_fails_before_or_while_unpacking_leaves_the_old_service_running() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        let before = pid(&robot, GATEWAY);
        let inside = "/var/tmp/next.deb";
        robot.put_file(next("deb"), inside);
        // A package with a failing preinst, and one that owns a file of the next version.
        robot
            .run(
                "cd /var/tmp && dpkg-deb -R next.deb bad && sed -i 's/^exit 0$/exit 1/' bad/DEBIAN/preinst &&
                 dpkg-deb -Znone -b bad bad.deb
                 mkdir -p other/DEBIAN other/usr/lib/systemd/system &&
                 touch other/usr/lib/systemd/system/rovi-dock.service &&
                 printf 'Package: other\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@x>\\nDescription: x\\n' \
                    >other/DEBIAN/control && dpkg-deb -Znone -b other other.deb && dpkg --install other.deb",
            )
            .ok();
        for (package, why) in [("bad.deb", "pre-installation script"), ("next.deb", "trying to overwrite")] {
            robot.run(&format!("dpkg --install /var/tmp/{package}")).fails().says(why);
            robot
                .run("dpkg-query --show --showformat '${Version} ${Status}' rovi-services")
                .ok()
                .says("0.1.0 install ok installed");
            assert_eq!(pid(&robot, GATEWAY), before, "{package}");
            is_next(&robot, GATEWAY, false);
            assert!(!robot.has("/run/rovi/stopped"));
            robot.run("systemctl start rovi-nav && systemctl stop rovi-nav").ok();
        }
        // A failed upgrade does not start what was stopped.
        robot.run(&format!("systemctl stop {GATEWAY}")).ok();
        robot.run("dpkg --install /var/tmp/bad.deb").fails();
        assert_eq!(gateway(&robot), "inactive enabled");
        robot.run(&format!("systemctl start {GATEWAY}")).ok();
        // The next attempt succeeds once the cause is removed.
        robot.run("dpkg --purge other && dpkg --install /var/tmp/next.deb").ok();
        assert_ne!(pid(&robot, GATEWAY), before);
        is_next(&robot, GATEWAY, true);
        Ok(())
    })
}

#[test]
fn b16_a_postinst_that_fails_leaves_the_old_service_running_and_is_repeated() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = ready(suite)?;
        let before = pid(&robot, GATEWAY);
        robot.put("/usr/local/sbin/systemd-sysusers", 0o755, "#!/bin/sh\nexit 1\n");
        dpkg(&robot, next("deb")).fails();
        assert_eq!(pid(&robot, GATEWAY), before);
        robot.run("systemctl start rovi-nav && systemctl stop rovi-nav").ok();
        // Whether stopped before or after the upgrade, the administrator's choice is kept,
        robot.run(&format!("systemctl stop {GATEWAY}")).ok();
        dpkg(&robot, next("deb")).fails();
        // and so is the opposite.
        robot.run(&format!("systemctl start {GATEWAY} && rm /usr/local/sbin/systemd-sysusers")).ok();
        let before = pid(&robot, GATEWAY);
        robot.run("dpkg --configure --pending").ok();
        assert_ne!(pid(&robot, GATEWAY), before, "it ran, so it is to be the new one");
        is_next(&robot, GATEWAY, true);
        assert!(!robot.has("/run/rovi/stopped"));
        Ok(())
    })
}

#[test]
fn b16_a_first_installation_that_fails_is_repeated() -> Result<()> {
    at_once(SUITES, |suite| {
        let fails = "#!/bin/sh\nexit 1\n";
        let robot = bare(suite).file("/usr/local/sbin/systemd-sysusers", 0o755, fails).boot()?;
        dpkg(&robot, package("deb")).fails();
        robot.run("rm /usr/local/sbin/systemd-sysusers && dpkg --configure --pending").ok();
        assert_eq!(gateway(&robot), "active enabled");
        Ok(())
    })
}
