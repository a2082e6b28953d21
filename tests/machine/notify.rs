//! Tests `notify-helper run` under the real systemd of both suites, in units as users would write them.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use testbed::{Machine, Result, Suite, at_once};

const SECOND: Duration = Duration::from_secs(1);

/// Returns the program as packages contain it: static, for any distribution on this processor.
fn helper() -> &'static PathBuf {
    static HELPER: OnceLock<PathBuf> = OnceLock::new();
    HELPER.get_or_init(|| {
        let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(&root).args(["build", "--quiet", "--release", "--package", "notify-helper"]);
        build.args(["--bin", "notify-helper", "--target", &target]);
        assert!(build.status().unwrap().success(), "notify-helper does not build");
        let dir = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        dir.join(target).join("release/notify-helper")
    })
}

fn boot(suite: Suite) -> Result<Machine> {
    let robot = Machine::on(suite).user("op", &[]).boot()?;
    robot.put_file(helper(), "/usr/local/bin/notify-helper");
    robot.run("chmod 755 /usr/local/bin/notify-helper").ok();
    robot.put("/usr/local/bin/server", 0o755, SERVER);
    Ok(robot)
}

/// A program that listens after a delay: `server DELAY KIND WHERE`.
const SERVER: &str = "\
#!/usr/bin/python3
import os, signal, socket, sys, time
delay, kind, where = sys.argv[1:4]
print('starting', flush=True)
time.sleep(float(delay))
if kind == 'tcp':
    s = socket.create_server((where.rsplit(':', 1)[0], int(where.rsplit(':', 1)[1])))
elif kind == 'tcp6':
    s = socket.create_server(('::', int(where)), family=socket.AF_INET6, dualstack_ipv6=True)
elif kind == 'unix':
    s = socket.socket(socket.AF_UNIX); s.bind(where); s.listen()
elif kind == 'file':
    open(where, 'w'); s = None
elif kind == 'log':
    print(where, flush=True); s = None
elif kind == 'exit':
    sys.exit(int(where))
elif kind == 'http':
    s = socket.create_server(('127.0.0.1', int(where)))
    while True:
        c = s.accept()[0]; c.recv(4096); c.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n{\"ready\": true}'); c.close()
signal.pause()
";

/// Writes a unit that runs the server under `notify-helper run OPTIONS`.
fn unit(robot: &Machine, name: &str, settings: &str, options: &str, server: &str) {
    let text = format!(
        "[Service]\nType=notify\nNotifyAccess=all\nTimeoutStopSec=10\n{settings}\n\
         ExecStart=/usr/local/bin/notify-helper run {options} -- /usr/local/bin/server {server}\n"
    );
    robot.put(&format!("/run/systemd/system/{name}.service"), 0o644, text);
    robot.run("systemctl daemon-reload").ok();
}

fn show(robot: &Machine, unit: &str, property: &str) -> String {
    robot
        .command(&["systemctl", "show", "--value", "--property", property, unit])
        .run()
        .ok()
        .text()
        .to_owned()
}

#[test]
fn every_probe_makes_a_unit_active_when_it_is_ready() -> Result<()> {
    // As strict as a product's own units, and not as root.
    let strict = "User=op\nProtectProc=invisible\nProtectSystem=strict\nNoNewPrivileges=yes\nRuntimeDirectory=%N\n\
                  CapabilityBoundingSet=\nRestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n\
                  SystemCallFilter=@system-service\nSystemCallErrorNumber=EPERM\nRestrictNamespaces=yes";
    at_once(Suite::STABLE, |suite| {
        let robot = boot(suite)?;
        for (name, options, server, settings) in [
            ("tcp", "--ready tcp:8181", "0.6 tcp 127.0.0.1:8181", ""),
            ("any", "--ready tcp:127.0.0.1:8182", "0.6 tcp 0.0.0.0:8182", ""),
            ("dual", "--ready tcp:127.0.0.1:8183", "0.6 tcp6 8183", ""),
            ("alone", "--ready tcp:127.0.0.1:8184", "0.6 tcp 127.0.0.1:8184", "PrivateNetwork=yes"),
            ("unix", "--ready unix:/run/unix/s", "0.6 unix /run/unix/s", ""),
            ("http", "--ready http://127.0.0.1:8185/ --http-body ready", "0.6 http 8185", ""),
            ("file", "--ready file:/run/file/up", "0.6 file /run/file/up", ""),
            ("log", "--ready 'log:^it is [a-z]*$'", "0.6 log 'it is up'", ""),
            ("exec", "--ready 'exec:test -e /run/exec/up'", "0.6 file /run/exec/up", ""),
        ] {
            let hidden = if name == "alone" {
                strict.replace("RestrictNamespaces=yes", settings)
            } else {
                strict.to_owned()
            };
            unit(&robot, name, &hidden, options, server);
            robot.run(&format!("systemctl start --no-block {name}")).ok();
            robot.wait_for("a line about the wait", 5 * SECOND, || {
                show(&robot, name, "StatusText").starts_with("waiting for")
            });
            assert_eq!(show(&robot, name, "ActiveState"), "activating", "{suite} {name}");
            robot.run(&format!("systemctl status {name}")).says("Status: \"waiting for ");
            robot.wait_for_unit(&format!("{name}.service"), "active", 10 * SECOND);
            assert!(show(&robot, name, "StatusText").starts_with("ready after "), "{suite} {name}");
            let main = show(&robot, name, "MainPID");
            assert!(
                robot.run(&format!("tr '\\0' ' ' </proc/{main}/cmdline")).ok().text().contains("server 0.6")
            );
            let count = |expected: usize| {
                let list = robot.run(&format!("cat /sys/fs/cgroup/system.slice/{name}.service/cgroup.procs"));
                list.stdout.lines().count() == expected
            };
            robot.wait_for("end of the watcher", 5 * SECOND, || count(if name == "log" { 3 } else { 1 }));
            robot.run(&format!("systemctl stop {name}")).ok();
            assert_eq!(show(&robot, name, "Result"), "success", "{suite} {name}");
        }
        // The output is unchanged and in order, also through the watcher.
        let lines = robot.run("journalctl --unit=log --output=cat _TRANSPORT=stdout").ok();
        assert!(lines.text().contains("starting\nit is up"), "{}", lines.text());
        Ok(())
    })
}

#[test]
fn a_port_that_another_unit_holds_does_not_count() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let robot = boot(suite)?;
        for settings in ["", "User=op\nProtectProc=invisible"] {
            unit(&robot, "other", settings, "--ready tcp:8181", "0 tcp 127.0.0.1:8181");
            robot.run("systemctl start other").ok();
            unit(
                &robot,
                "late",
                &format!("{settings}\nTimeoutStartSec=3"),
                "--ready tcp:8181",
                "0 file /dev/null",
            );
            let started = robot.run("systemctl start late").fails();
            assert!(started.took > 2 * SECOND, "{suite}: {:?}", started.took);
            assert_eq!(show(&robot, "late", "Result"), "timeout");
            robot
                .run("journalctl --unit=late --output=cat")
                .ok()
                .says("before it was ready: waiting for port 8181, ")
                .says(" s: a process of another unit is listening");
            robot.run("systemctl stop other; systemctl reset-failed").ok();
        }
        Ok(())
    })
}

#[test]
fn a_command_that_dies_fails_the_start_at_once() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let robot = boot(suite)?;
        unit(&robot, "dies", "", "--ready tcp:8181", "0.1 exit 7");
        let started = robot.run("systemctl start dies").fails();
        assert!(started.took < 2 * SECOND, "{suite}: {:?}", started.took);
        assert_eq!(
            (&*show(&robot, "dies", "Result"), &*show(&robot, "dies", "ExecMainStatus")),
            ("exit-code", "7")
        );
        robot
            .run("journalctl --unit=dies --output=cat")
            .ok()
            .says("the command ended before it was ready: waiting for port 8181");
        assert!(!robot.run("pgrep -f 'notify-helper watch'").success());
        Ok(())
    })
}

#[test]
fn a_hung_service_is_restarted() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let robot = boot(suite)?;
        for (name, probe, server) in
            [("http", "http://127.0.0.1:8185", "0 http 8185"), ("tcp", "tcp:8186", "0 tcp 127.0.0.1:8186")]
        {
            let settings = "WatchdogSec=2\nRestart=on-failure\nRestartSec=0\nWatchdogSignal=KILL";
            unit(&robot, name, settings, &format!("--ready {probe} --watchdog {probe}"), server);
            robot.run(&format!("systemctl start {name}")).ok();
            // Healthy for longer than the watchdog's interval.
            std::thread::sleep(5 * SECOND);
            assert_eq!(show(&robot, name, "NRestarts"), "0", "{suite} {name}");
            let main = show(&robot, name, "MainPID");
            let began = Instant::now();
            robot.run(&format!("kill -STOP {main}")).ok();
            robot.wait_for("restart", 10 * SECOND, || {
                show(&robot, name, "NRestarts") == "1" && show(&robot, name, "ActiveState") == "active"
            });
            let took = began.elapsed();
            eprintln!("{suite} {name}: restarted and ready {:.2} s after it was stopped", took.as_secs_f64());
            assert!(took < 4 * SECOND, "{suite} {name}: {took:?}");
            robot.run(&format!("systemctl stop {name}")).ok();
        }
        Ok(())
    })
}

#[test]
fn a_slow_start_has_its_grace_and_no_more() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let robot = boot(suite)?;
        unit(&robot, "slow", "TimeoutStartSec=2", "--ready tcp:8181 --grace 20s", "5 tcp 127.0.0.1:8181");
        robot.run("systemctl start slow").ok();
        assert_eq!(show(&robot, "slow", "ActiveState"), "active");
        unit(&robot, "never", "TimeoutStartSec=1", "--ready tcp:8182 --grace 4s", "60 tcp 127.0.0.1:8182");
        let started = robot.run("systemctl start never").fails();
        assert_eq!(show(&robot, "never", "Result"), "timeout");
        assert!((3 * SECOND..7 * SECOND).contains(&started.took), "{suite}: {:?}", started.took);
        robot
            .run("journalctl --unit=never --output=cat")
            .ok()
            .says("before it was ready: waiting for port 8182, ");
        Ok(())
    })
}

/// Without the barrier, the sender would end before systemd identifies it.
#[test]
fn send_and_exit_loses_none() -> Result<()> {
    let count: u32 = std::env::var("NOTIFICATIONS").map_or(100, |n| n.parse().unwrap());
    at_once(Suite::STABLE, |suite| {
        let robot = boot(suite)?;
        robot.put(
            "/run/systemd/system/quick@.service",
            0o644,
            "[Service]\nType=notify\nNotifyAccess=all\nTimeoutStartSec=20\n\
             ExecStart=/usr/local/bin/notify-helper run --ready file:/ -- /usr/bin/sleep 600\n",
        );
        robot.run("systemctl daemon-reload").ok();
        let script = format!(
            "for i in $(seq {count}); do systemctl start quick@$i || echo lost $i; systemctl kill -s KILL quick@$i; done; systemctl reset-failed"
        );
        let began = Instant::now();
        let output =
            robot.script(&script).within(Duration::from_millis(500) * count + 30 * SECOND).run().ok();
        assert_eq!(output.text(), "", "{suite}");
        eprintln!("{suite}: {count} starts, {:?} each", began.elapsed() / count);
        Ok(())
    })
}

#[test]
fn the_watcher_is_small() -> Result<()> {
    let robot = boot(Suite::Trixie)?;
    unit(&robot, "small", "WatchdogSec=2", "--ready log:starting --watchdog exec:true", "0 file /dev/null");
    robot.run("systemctl start small").ok();
    // Wait for a few probes, so that everything it needs is loaded.
    std::thread::sleep(3 * SECOND);
    let sizes = robot
        .run("for p in $(pgrep -x notify-helper); do awk '/^VmRSS/ {print $2}' /proc/$p/status; done")
        .ok();
    let sizes: Vec<u32> = sizes.text().lines().map(|kb| kb.parse().unwrap()).collect();
    eprintln!("resident: {sizes:?} kB, program: {} bytes", std::fs::metadata(helper()).unwrap().len());
    assert!(sizes.len() == 2 && sizes.iter().all(|kb| *kb <= 1024), "{sizes:?}");
    Ok(())
}
