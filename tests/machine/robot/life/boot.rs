//! The state after installation and after a boot.

use support::robot::{SUITES, package, robot};
use testbed::{Machine, Result, at_once};

use super::{SOON, STACKS, on_every_suite, property, up};

#[test]
fn r01_only_the_gateway_starts_at_boot() -> Result<()> {
    at_once(SUITES, |suite| {
        let mut robot = robot(suite).boot()?;
        only_the_gateway_is_active(&robot);
        robot.reboot()?;
        up(&robot, "gateway.launch.py");
        only_the_gateway_is_active(&robot);
        Ok(())
    })
}

fn only_the_gateway_is_active(robot: &Machine) {
    robot.wait_for_unit("rovi-gateway.service", "active", SOON);
    let active =
        "systemctl list-units --plain --no-legend --state=active,activating 'rovi-*' | cut -d' ' -f1";
    assert_eq!(robot.run(active).ok().text(), "rovi-gateway.service");
    let enabled = "systemctl list-unit-files --no-legend --state=enabled,enabled-runtime,alias,indirect 'rovi-*' \
                   | cut -d' ' -f1";
    assert_eq!(robot.run(enabled).ok().text(), "rovi-gateway.service");
    // No other unit may pull in a stack either.
    for stack in STACKS {
        for reverse in ["WantedBy", "RequiredBy", "UpheldBy", "TriggeredBy", "BoundBy"] {
            assert_eq!(property(robot, &format!("rovi-{stack}.service"), reverse), "", "{stack}: {reverse}");
        }
    }
}

#[test]
fn r02_five_stacks_load_and_verify() -> Result<()> {
    on_every_suite(|robot| {
        let units = robot.run("cd /usr/lib/systemd/system && ls rovi-*").ok();
        let mut expected: Vec<String> = STACKS.map(|stack| format!("rovi-{stack}.service")).into();
        expected.push("rovi-gateway.service".to_owned());
        expected.sort();
        assert_eq!(units.stdout.lines().collect::<Vec<_>>(), expected);
        for unit in &expected {
            assert_eq!(property(robot, unit, "LoadState"), "loaded", "{unit}");
            // It exits with 0 even for errors, so there must be no output. On bookworm it cannot open the
            // manual pages of a root without `man`, which is not an error of a unit.
            let verify = robot.run(&format!("systemd-analyze verify --man=no {unit}")).ok();
            assert_eq!((verify.text(), verify.stderr.trim()), ("", ""), "{unit}");
        }
        assert_eq!(property(robot, "rovi-view.service", "LoadState"), "not-found");
    })
}

#[test]
fn r22_installing_twice_changes_nothing() -> Result<()> {
    // Everything a package could have changed: type, mode, owner, content and modification time.
    let everything = "find /etc /usr /opt /var/lib/rovi /var/lib/systemd /run/rovi -xdev -type f,d,l \
                      ! -path '*/__pycache__*' ! -path /var/lib/systemd/timers/\\* \
                      -printf '%p %y %m %u:%g %l %T@\\n' | sort; \
                      cat /etc/passwd /etc/group; systemctl list-unit-files --no-legend 'rovi-*'; \
                      systemctl show --property=MainPID,NRestarts,ActiveEnterTimestampMonotonic rovi-gateway";
    on_every_suite(|robot| {
        let before = robot.run(everything).ok();
        robot.install(package("deb")).ok();
        let after = robot.run(everything).ok();
        let differing: Vec<_> =
            after.stdout.lines().filter(|l| !before.stdout.lines().any(|b| b == *l)).collect();
        assert!(before.stdout == after.stdout, "{differing:#?}");
        assert!(before.stdout.contains("/etc/rovi/.env.robot f 644 root:root"), "{before}");
        robot.run("systemctl is-system-running").ok().says("running");
    })
}

#[test]
fn r07_services_run_as_their_user_in_the_workspace() -> Result<()> {
    on_every_suite(|robot| {
        let rovi: u32 = robot.run("id -u rovi").ok().text().parse().unwrap();
        assert!(0 < rovi && rovi < 1000, "{rovi}");
        for process in up(robot, "gateway.launch.py").into_iter().chain(super::start(robot, "nav")) {
            assert_eq!((process.uid, process.folder.as_str()), (rovi, "/opt/rovi/ros_ws"), "{process:?}");
            assert_eq!(process.environment["HOME"], "/var/lib/rovi");
        }
        super::stop(robot, "nav");
        // The workspace's path is set in one place.
        robot.run("cp -r /opt/rovi/ros_ws /srv/ws").ok();
        robot.run("sed -i 's,^ROVI_ROS_WS_DIR=.*,ROVI_ROS_WS_DIR=/srv/ws,' /etc/rovi/.env.robot").ok();
        assert_eq!(super::start(robot, "nav")[0].folder, "/srv/ws");
        // Its home is writable; the rest of the system is not.
        for (place, may) in [
            ("/var/lib/rovi/.ros/log", true),
            ("/dev/shm/x", true),
            ("/tmp/x", true),
            ("/etc/x", false),
            ("/run/rovi/x", false),
        ] {
            let pid = property(robot, "rovi-nav", "MainPID");
            let enter =
                format!("nsenter --target {pid} --mount setpriv --reuid=rovi --regid=rovi --init-groups");
            assert_eq!(robot.run(&format!("{enter} mkdir -p {place}")).success(), may, "{place}");
        }
    })
}
