//! The shortest way to uid 0 would be a transient unit under a permitted name. It is refused in every state
//! of the unit with that name, and also once the package and its rule are gone.

use support::robot::{SECOND, SUITES, robot};
use testbed::{Machine, Result, Suite, at_once};

use super::TOOLS;

/// Includes the newest systemd, which has more ways to create units.
const NEWER: [Suite; 3] = [SUITES[0], SUITES[1], Suite::Sid];

/// The attacker's command would create this file.
const PROOF: &str = "/run/got-root";

#[test]
fn nobody_brings_a_unit_under_the_name_of_a_stack() -> Result<()> {
    at_once(NEWER, |suite| {
        let robot = robot(suite).user("other", &[]).boot()?;
        robot.run("systemctl start rovi-nav && systemctl mask --now rovi-mapping").ok();
        // nav holds the lock, so this start fails.
        robot.run("systemctl start rovi-camera").fails();
        let states = [
            ("nav", "active", "loaded"),
            ("camera", "failed", "loaded"),
            ("teleop", "inactive", "loaded"),
            ("mapping", "inactive", "masked"),
            // Shows why the guard is needed: a permitted name that no package has installed.
            ("localization", "inactive", "not-found"),
        ];
        robot.run("rm /usr/lib/systemd/system/rovi-localization.service && systemctl daemon-reload").ok();
        for (stack, active, load) in states {
            let show = format!("systemctl show --value -p LoadState -p ActiveState rovi-{stack}");
            assert_eq!(robot.run(&show).ok().text(), format!("{load}\n{active}"), "{suite}: {stack}");
            for user in ["op", "other"] {
                every_way(&robot, user, stack, load == "not-found");
            }
        }
        Ok(())
    })
}

/// Every way to start a command in a unit that the user defines. Unit types without processes are only tried
/// if the name is unused, because the package has no units of those types.
fn every_way(robot: &Machine, user: &str, stack: &str, is_free: bool) {
    let command = format!("touch {PROOF}");
    let others: &[&str] = if is_free { &["timer", "path", "socket", "slice", "mount"] } else { &[] };
    for name in [&["service", "scope"], others].concat() {
        let run = |options: &str| {
            let script = format!("systemd-run --no-ask-password {options} {command}");
            robot.run_as(user, &script).fails();
        };
        let unit = format!("--unit=rovi-{stack}.{name}");
        match name {
            "service" => {
                run(&unit);
                run(&format!("{unit} --property=User=root --property='ExecStartPre={command}'"));
                run(&format!("{unit} --uid=rovi --property=AmbientCapabilities=CAP_DAC_OVERRIDE"));
                run(&format!("{unit} --wait --pipe --property=Type=oneshot"));
            }
            "scope" => run(&format!("--scope {unit}")),
            "timer" => run(&format!("{unit} --on-active=1")),
            "path" => run(&format!("{unit} --path-property=PathExists=/etc")),
            "socket" => run(&format!("{unit} --socket-property=ListenStream=/tmp/evil")),
            _ => run(&format!("--slice=rovi-{stack}.slice {unit}")),
        }
    }
    if robot.has("/run/systemd/io.systemd.Manager") {
        let start = format!(
            r#"{{"context":{{"ID":"rovi-{stack}.service","Service":{{"ExecStart":[{{"path":"/usr/bin/touch","arguments":["/usr/bin/touch","{PROOF}"]}}]}}}}}}"#
        );
        let set =
            format!(r#"{{"name":"rovi-{stack}.service","runtime":true,"properties":{{"Markers":[]}}}}"#);
        for (method, parameters) in [("StartTransient", start), ("SetProperties", set)] {
            let call = format!(
                "varlinkctl call /run/systemd/io.systemd.Manager io.systemd.Unit.{method} '{parameters}'"
            );
            robot.run_as(user, &call).fails();
        }
    }
    assert!(!robot.has(PROOF), "{user}: rovi-{stack}");
}

/// The manager also listens on a private socket.
#[test]
fn nobody_commands_the_manager_past_the_bus() -> Result<()> {
    at_once(NEWER, |suite| {
        let robot = robot(suite).boot()?;
        let socket = "/run/systemd/io.systemd.Manager";
        let methods =
            ["Reload", "Reexecute", "EnqueueMarkedJobs", "PowerOff", "Reboot", "Halt", "KExec", "SoftReboot"];
        for method in methods.iter().filter(|_| robot.has(socket)) {
            let call = format!("varlinkctl call {socket} io.systemd.Manager.{method} '{{}}'");
            robot.run_as("op", &call).fails();
        }
        robot.run("systemctl is-active rovi-gateway").ok();
        Ok(())
    })
}

/// Freeze and thaw come to polkit as `stop` and `start`.
#[test]
fn an_operator_does_not_freeze_a_stack() -> Result<()> {
    at_once(NEWER, |suite| {
        let robot = robot(suite).boot()?;
        robot.run("systemctl start rovi-nav").ok();
        let frozen = "systemctl show --value -p FreezerState rovi-nav";
        let call = |member: &str| {
            let manager =
                "org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager";
            robot.run_as("op", &format!("busctl call {manager} {member}Unit s rovi-nav.service")).fails();
        };
        call("Freeze");
        assert_eq!(robot.run(frozen).ok().text(), "running", "{suite}");
        robot.run("systemctl freeze rovi-nav").ok();
        call("Thaw");
        assert_eq!(robot.run(frozen).ok().text(), "frozen", "{suite}");
        robot.run("systemctl thaw rovi-nav").ok();
        robot.run_as("op", "systemctl stop rovi-nav").ok();
        Ok(())
    })
}

#[test]
fn nobody_keeps_a_power_when_the_package_goes() -> Result<()> {
    at_once(NEWER, |suite| {
        let robot = robot(suite).files(TOOLS).boot()?;
        robot.run_as("op", "systemctl start rovi-nav && systemctl stop rovi-nav").ok();
        for way in ["--remove", "--purge"] {
            robot.command(&["dpkg", way, "rovi-services"]).within(60 * SECOND).run().ok();
            keeps_no_power(&robot);
        }
        Ok(())
    })
}

/// Checks that the package is gone, together with everything it permitted the operator `op`.
#[track_caller]
pub(crate) fn keeps_no_power(robot: &Machine) {
    robot.run("grep -rs rovi /usr/share/polkit-1/rules.d /etc/polkit-1/rules.d").fails();
    for verb in ["start", "stop", "restart", "reset-failed"] {
        robot.run_as("op", &format!("systemctl --no-ask-password {verb} rovi-nav")).fails();
    }
    every_way(robot, "op", "nav", true);
    // Another unit takes the name. It does not belong to the package, so operators have no permissions for it.
    let own = "/etc/systemd/system/rovi-nav.service";
    robot.put(own, 0o644, "[Service]\nExecStart=sleep infinity\n");
    robot.run("systemctl daemon-reload").ok();
    robot.run_as("op", "systemctl --no-ask-password start rovi-nav").fails().says("authentication");
    robot.run(&format!("rm {own} && systemctl daemon-reload")).ok();
}
