//! The output of `rovi status`, and attempts to deceive it.

use base::plain::deceives;
use base::report::{State, Status};
use testbed::{Machine, Result};

use super::{service, start, status};
use crate::life::{SOON, has_failed, of, on_every_suite, property, up};

#[test]
fn r18_r24_everything_about_what_runs() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        start(robot, op, "nav");
        let all = status(op);
        assert_eq!((all.schema, &*all.product, all.services.len(), all.locks.len()), (1, "rovi", 6, 1));
        let names: Vec<&str> = all.services.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["gateway", "teleop", "mapping", "localization", "nav", "camera"]);
        let nav = &all.services[4];
        assert_eq!(
            (nav.state, &*nav.active, &*nav.sub, &*nav.load),
            (State::Running, "active", "running", "loaded")
        );
        assert_eq!(nav.pid.unwrap().to_string(), property(robot, "rovi-nav", "MainPID"));
        assert_eq!(nav.frame.as_deref(), Some("map"));
        assert!(nav.memory.unwrap() > 1 << 20 && nav.warnings.is_empty() && nav.failure.is_none(), "{nav:?}");
        let holder = all.locks[0].holder.as_ref().unwrap();
        assert_eq!((&*holder.service, holder.pid, holder.by_hand), ("nav", nav.pid.unwrap(), false));
        for name in ["run_stack", "ros2", "talker", "listener"] {
            assert!(nav.processes.iter().any(|p| p.names.contains(&name.to_owned())), "{name}: {nav:?}");
        }
        op.run("rovi status").ok().says("nav           running   since 20").says("frame map");
        op.run("rovi status nav").ok().says("rovi-nav.service").says(" talker");
        // Operators may not read the home of the robot's user; that user and root may.
        assert_eq!(nav.session, None);
        for user in ["root", "rovi"] {
            let all: Status =
                serde_json::from_str(&robot.run_as(user, "rovi status --json").ok().stdout).unwrap();
            assert_eq!(all.services[4].session.as_deref(), Some("rovi_bringup/nav.launch.py"), "{user}");
        }
    })
}

#[test]
fn r05_a_failure_shows_its_reason_and_the_last_log_lines() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        start(robot, op, "nav");
        robot.run("kill -KILL $(systemctl show --value --property=MainPID rovi-nav)").ok();
        has_failed(robot, "rovi-nav");
        op.run("rovi status")
            .ok()
            .says("nav           failed")
            .says("  it was killed by signal 9")
            .says("no log: you may not");
        let failure = service(op, "nav").failure.unwrap();
        assert_eq!((&*failure.result, failure.status), ("signal", 9));
        robot.run("journalctl --sync; usermod --append --groups systemd-journal op").ok();
        let op = &mut robot.login_session("op");
        let shown = op.run("rovi status").ok().says("  | ").says("rovi_bringup rovi.launch.py");
        assert!(shown.stdout.lines().count() < 25, "{shown}");
        let failure = service(op, "nav").failure.unwrap();
        assert!(failure.log_hidden.is_none() && failure.log.len() <= 10, "{failure:?}");
        assert!(failure.log.iter().any(|l| l.contains("Failed with result 'signal'")), "{failure:?}");
        // Only a person starts it again.
        start(robot, op, "nav");
        assert!(service(op, "nav").failure.is_none());
    })
}

#[test]
fn r15_a_gateway_that_runs_with_something_else_is_told_with_the_command_that_helps() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        let warning = "`rovi-gateway.service` runs with ROVI_ODOM_INTEGRATOR_PUBLISH_TF=0, but teleop \
         expects ROVI_ODOM_INTEGRATOR_PUBLISH_TF=1: an administrator must set it in `/etc/rovi/.env.robot` \
          and run `systemctl restart rovi-gateway.service`";
        let warns = |text: &str| text.contains(warning);
        // For a stack that is not running, the warning only appears on request.
        assert!(!warns(&op.run("rovi status").ok().stdout));
        assert!(warns(&op.run("rovi status teleop").ok().stdout));
        assert!(warns(&op.run("rovi start teleop").ok().stdout));
        assert!(warns(&op.run("rovi status").ok().stdout));
        assert_eq!(service(op, "teleop").warnings, [warning]);
        assert!(service(op, "nav").warnings.is_empty());
        // Not the file counts, but the environment of the running gateway.
        robot.run("sed -i s/PUBLISH_TF=0/PUBLISH_TF=1/ /etc/rovi/.env.robot").ok();
        assert_eq!(service(op, "teleop").warnings, [warning]);
        robot.run("systemctl restart rovi-gateway.service").ok();
        assert!(service(op, "teleop").warnings.is_empty());
        assert!(
            service(op, "nav").warnings[0]
                .contains("runs with ROVI_ODOM_INTEGRATOR_PUBLISH_TF=1, but nav expects")
        );
        // A setup script has the final say on the environment of the launch.
        robot.run("echo unset ROVI_ODOM_INTEGRATOR_PUBLISH_TF >>/opt/ros/jazzy/setup.bash").ok();
        robot.run("systemctl restart rovi-gateway.service").ok();
        assert!(
            service(op, "nav").warnings[0].contains("runs without ROVI_ODOM_INTEGRATOR_PUBLISH_TF, but nav")
        );
    })
}

#[test]
fn r19_what_only_mentions_a_name_is_not_a_process_of_that_name() -> Result<()> {
    on_every_suite(|robot| {
        let path = "/usr/share/rovi/services.json";
        let mut table: serde_json::Value = serde_json::from_str(&robot.read(path).unwrap()).unwrap();
        table["services"][4]["processes"] = serde_json::json!(["talker", "lidar"]);
        robot.put(path, 0o644, table.to_string());
        let op = &mut robot.login_session("op");
        op.run("rovi start nav").ok();
        up(robot, &of("nav"));
        // Decoys: arguments, a file of that name, a longer name, a folder; each has the name in its command
        // line.
        robot.run("mkdir -p /opt/lidar && cp /bin/sleep /opt/lidar/other && cp /bin/sleep /opt/lidar2 && touch /var/tmp/lidar").ok();
        for trap in [
            "python3 -c 'import time; time.sleep(999)' lidar",
            "tail -f /var/tmp/lidar",
            "/opt/lidar2 999",
            "/opt/lidar/other 999",
            "bash -c 'sleep 999; true' lidar",
        ] {
            join(robot, trap);
        }
        let running = |op: &mut testbed::Session<'_>| {
            service(op, "nav").expected.iter().map(|p| p.running).collect::<Vec<_>>()
        };
        assert_eq!(running(op), [true, false], "{:?}", service(op, "nav").processes);
        op.run("rovi status").ok().says("lidar is not running");
        join(robot, "bash -c 'exec -a /opt/driver/lidar sleep 999'");
        robot.wait_for("the real one", SOON, || running(op) == [true, true]);
        // Outside of the unit it does not count.
        robot.run("pkill -f ^/opt/driver/lidar; setsid --fork bash -c 'exec -a lidar sleep 999' </dev/null >/dev/null 2>&1").ok();
        robot.wait_for("the real one's end", SOON, || running(op) == [true, false]);
    })
}

/// Characters that have deceived terminals and readers: escape sequences, also as a single character, text
/// direction, line ends, invisible ones.
const HOSTILE: &str = "a\u{1b}]0;owned\u{7}b\u{1b}[2Jc\u{7f}d\u{9b}31me\u{202e}f\u{2066}g\u{200b}h\u{2028}i";

#[test]
fn what_a_service_says_is_text_to_a_terminal_and_exact_to_a_program() -> Result<()> {
    on_every_suite(|robot| {
        robot.put("/var/tmp/hostile", 0o644, HOSTILE);
        let path = "/usr/share/rovi/services.json";
        let mut table: serde_json::Value = serde_json::from_str(&robot.read(path).unwrap()).unwrap();
        table["services"][4]["description"] = serde_json::json!(HOSTILE);
        let session = table["services"][4]["launch"]["session"]["path"].as_str().unwrap().to_owned();
        let session = format!("$(getent passwd rovi | cut -d: -f6)/{session}");
        robot.put(path, 0o644, table.to_string());
        robot.put("/etc/systemd/system/rovi-nav.service.d/any.conf", 0o644, "[Service]\nNotifyAccess=all\n");
        robot.run("systemctl daemon-reload").ok();
        start(robot, &mut robot.login_session("op"), "nav");
        let all = || -> Status {
            let line = robot.run("rovi status --json").ok().stdout;
            assert!(!line.trim_end().chars().any(deceives), "{line:?}");
            serde_json::from_str(&line).unwrap()
        };
        // A process in the unit can choose any of these.
        join(robot, "bash -c 'exec -a \"$(cat /var/tmp/hostile)\" sleep 999'");
        join(
            robot,
            "bash -c 'NOTIFY_SOCKET=/run/systemd/notify systemd-notify --status=\"$(cat /var/tmp/hostile)\"; sleep 999'",
        );
        // journald asks for the unit of the process that opened the stream, so that process stays.
        join(robot, "bash -c '(cat /var/tmp/hostile; echo; sleep 999) | systemd-cat'");
        robot.run(&format!("cp --remove-destination /var/tmp/hostile {session}")).ok();
        robot.wait_for("what it says", SOON, || all().services[4].status_text.as_deref() == Some(HOSTILE));
        let nav = all().services.remove(4);
        assert_eq!((&*nav.description, nav.session.as_deref()), (HOSTILE, Some(HOSTILE)));
        assert!(nav.processes.iter().any(|p| p.names == [HOSTILE]), "{nav:?}");
        let shown = shows_text(robot, "rovi status nav");
        assert_eq!(shown.matches("a\u{fffd}]0;owned\u{fffd}b\u{fffd}[2Jc").count(), 4, "{shown:?}");
        shows_text(robot, "rovi status");
        shows_text(robot, "rovi list");
        shows_text(robot, "rovi doctor || true");
        // Other texts under their control: a quoted string that never ends, and one that never begins.
        for file in [
            format!("ln -sf /dev/zero {session}"),
            format!("rm {session}; mkfifo {session}"),
            format!("ln -sf /etc/shadow {session}"),
        ] {
            robot.run(&file).ok();
            assert_eq!(all().services[4].session, None, "{file}");
        }
        robot.run("journalctl --sync; kill -KILL $(systemctl show --value --property=MainPID rovi-nav)").ok();
        has_failed(robot, "rovi-nav");
        let log = all().services.remove(4).failure.unwrap().log;
        assert!(log.iter().any(|line| line == HOSTILE), "{log:?}");
        let shown = shows_text(robot, "rovi status");
        assert!(shown.contains("  | a\u{fffd}]0;owned"), "{shown:?}");
    })
}

/// Returns the output of a command on a terminal, which must only contain text, line feeds and our own
/// colors.
#[track_caller]
fn shows_text(robot: &Machine, command: &str) -> String {
    let piped = robot.run(command).ok().stdout;
    assert!(!piped.replace('\n', "").chars().any(deceives), "{piped:?}");
    let mut shown = robot.run(&format!("TERM=xterm script -qec '{command}' /dev/null")).ok().stdout;
    for ours in ["\u{1b}[32m", "\u{1b}[33m", "\u{1b}[1;31m", "\u{1b}[2m", "\u{1b}[m", "\r\n", "\n", "\r"] {
        shown = shown.replace(ours, "");
    }
    assert!(!shown.chars().any(deceives), "{shown:?}");
    piped
}

/// Starts a command in the unit of nav.
fn join(robot: &Machine, command: &str) {
    let script =
        format!("echo $$ >/sys/fs/cgroup/system.slice/rovi-nav.service/cgroup.procs; exec {command}");
    robot.put("/var/tmp/join", 0o755, format!("#!/bin/bash\n{script}\n"));
    robot.run("setsid --fork /var/tmp/join </dev/null >/dev/null 2>&1").ok();
    robot.wait_for(command, SOON, || !robot.run("pgrep -f /var/tmp/join").success());
}
