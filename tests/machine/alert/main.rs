//! Tests `on-failure = "alert"` on booted machines of both suites, with an installed package, a real mail system and real
//! receivers.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use support::packages::dist;
use testbed::{Machine, Result, Suite, at_once};

const SECOND: Duration = Duration::from_secs(1);

const CONFIG: &str = "\
MailTo=ana@example.org
Webhook=http://127.0.0.1:8080/secret
Command=cat >$RUNTIME_DIRECTORY/command.$$
";

/// Returns the product's package.
fn package() -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    &BUILT
        .get_or_init(|| dist(&["--format", "deb", "--catalog", "tests/machine/alert/catalog.toml"], "alert"))
        [0]
}

/// Boots a machine with running receivers and msmtp as its mail system: set-gid, with settings that only its group can read.
fn boot(suite: Suite, config: &str) -> Result<Machine> {
    let packages = ["msmtp-mta", "dbus-user-session", "python3-jeepney", "libpam-systemd"];
    let robot = Machine::on(suite).with(&packages).install(package()).user("op", &[]).boot()?;
    robot.put("/usr/local/bin/fails", 0o755, include_str!("fails.sh"));
    robot.put("/usr/local/bin/receivers", 0o755, include_str!("receivers.py"));
    robot.put("/etc/msmtprc", 0o640, "account default\nhost 127.0.0.1\nport 2525\nfrom robot@example.org\n");
    robot.run("chgrp msmtp /etc/msmtprc /usr/bin/msmtp && chmod g+s /usr/bin/msmtp").ok();
    // Only root can read it, because it contains a secret.
    robot.put("/etc/demo/alert.conf", 0o600, config);
    robot
        .run("mkdir /run/got && systemd-run --quiet --unit=receivers /usr/local/bin/receivers /run/got")
        .ok();
    robot.wait_for("the receivers", 20 * SECOND, || robot.has("/run/got/ready-0"));
    Ok(robot)
}

fn show(robot: &Machine, unit: &str, property: &str) -> String {
    robot
        .command(&["systemctl", "show", "--value", "--property", property, "--", unit])
        .run()
        .ok()
        .text()
        .to_owned()
}

/// Returns the number of messages of each kind.
fn counts(robot: &Machine) -> [usize; 3] {
    let all = robot.run("ls /run/got /run/demo-alert").stdout;
    ["mail-", "web-", "command."].map(|kind| all.lines().filter(|l| l.starts_with(kind)).count())
}

/// Crashes a unit, which may have ended before its start is done.
fn crash(robot: &Machine, unit: &str) {
    robot.run(&format!("systemctl start {unit} || true")).ok();
}

fn fail_and_wait(robot: &Machine, expected: [usize; 3]) {
    crash(robot, "demo-web");
    robot.wait_for("everybody is told", 30 * SECOND, || counts(robot) == expected);
}

#[test]
fn a_failure_reaches_mail_web_and_command() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let robot = boot(suite, CONFIG)?;
        let size =
            robot.run("stat -c %s /usr/libexec/demo/notify-helper").ok().text().parse::<u32>().unwrap();
        assert!(size < 700_000, "{size}");
        let mark = robot.mark();
        fail_and_wait(&robot, [1, 1, 1]);
        let invocation = show(&robot, "demo-web", "InvocationID");
        // A container's boot ID is hidden from a process that is confined like this one.
        let boot = "systemd-run --quiet --pipe -p ProtectProc=invisible cat /proc/sys/kernel/random/boot_id";
        let boot = robot.run(boot).ok().text().replace('-', "");
        let mail = robot.read("/run/got/mail-0").unwrap();
        let command = robot.run("cat /run/demo-alert/command.*").ok().stdout;
        let web = robot.read("/run/got/web-0").unwrap();
        let subject = "demo-web.service failed on robot: exited with status 7";
        let head =
            format!("RCPT TO:<ana@example.org>\nSubject: {subject}\nTo: ana@example.org\n\n{subject}\n");
        assert!(mail.starts_with(&head), "{suite}: {mail}");
        for part in [
            "fails[",
            "]: web: the first line\n",
            "]: web: \\u{1b}[31mred\\u{1b}[0m \u{fffd} \"quoted\" \\ {}\n",
            "]: web: the last line\n",
            "systemd[1]: demo-web.service: Failed with result 'exit-code'.\n",
            "What:          Web server\n",
            "Host:          robot\n",
            &format!("Boot:          {boot}\n"),
            &format!("Invocation:    {invocation}\n"),
        ] {
            assert!(mail.contains(part) && command.contains(part), "{suite}: {part}: {mail}\n---\n{command}");
        }
        for part in [
            "\"unit\":\"demo-web.service\"",
            "\"result\":\"exit-code\",\"exit-status\":7,\"signal\":null",
            "]: web: the last line\"",
            &format!("\"invocation\":\"{invocation}\""),
            &format!("\"boot\":\"{boot}\""),
        ] {
            assert!(web.contains(part), "{suite}: {part}: {web}");
        }
        // The user of these processes, and the files that are left.
        robot.run("stat -c %U /run/demo-alert/command.*").ok().says("demo-alert");
        robot.wait_for_journal(&mark, subject, 10 * SECOND);
        let gone = "systemctl list-units --all --plain --no-legend 'demo-alert*' | grep -v inactive";
        robot.wait_for("they have ended", 10 * SECOND, || robot.run(gone).text().is_empty());
        // The message names a signal as such, and says if a unit has not failed.
        robot
            .run("rm /run/demo-alert/demo-web.service; systemctl start demo-alert@dbus.service.service")
            .ok();
        robot.wait_for("a try", 20 * SECOND, || counts(&robot)[0] == 2);
        robot
            .run("cat /run/got/mail-1")
            .ok()
            .says("dbus.service has not failed on robot, this is a test: active");
        Ok(())
    })
}

/// systemd accepts names of 255 characters, and the alert unit's name is longer than the failed unit's name.
#[test]
fn a_unit_with_a_long_name_is_told_of() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let robot = boot(suite, CONFIG)?;
        for (told, length) in [(1, 200), (2, 255 - "demo-alert-mail@.service".len())] {
            let unit = format!("{}.service", "x".repeat(length - ".service".len()));
            let text = "[Unit]\nOnFailure=demo-alert@%n.service\n[Service]\nExecStart=false\n";
            robot.put(&format!("/etc/systemd/system/{unit}"), 0o644, text);
            robot.run("systemctl daemon-reload").ok();
            crash(&robot, &unit);
            robot.wait_for("everybody is told", 30 * SECOND, || counts(&robot) == [told; 3]);
            let mail = robot.run(&format!("cat /run/got/mail-{}", told - 1)).ok();
            // Mail headers have their own line limit.
            assert!(mail.stdout.replace("\n ", " ").contains(&unit), "{suite}: {mail}");
        }
        Ok(())
    })
}

#[test]
fn a_hundred_crashes_are_two_messages() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let robot = boot(suite, CONFIG)?;
        let loops =
            "systemctl start demo-web 2>/dev/null; while systemctl --quiet is-active demo-web; do :; done;";
        let began = Instant::now();
        robot.script(&format!("for i in $(seq 100); do {loops} done")).within(60 * SECOND).run().ok();
        eprintln!("{suite}: 100 crashes in {:.1} s", began.elapsed().as_secs_f64());
        robot.wait_for("the first is told", 20 * SECOND, || counts(&robot) == [1, 1, 1]);
        // One process waits for the end of the interval; no job waits.
        let alert = "demo-alert@demo-web.service.service";
        robot.wait_for_unit(alert, "active", 10 * SECOND);
        assert_eq!(robot.run("systemctl list-jobs --no-legend").ok().text(), "", "{suite}");
        // A stop ends the waiting alert at once.
        let stopped = robot.run(&format!("systemctl stop {alert}")).ok();
        assert!(stopped.took < 3 * SECOND, "{suite}: {:?}", stopped.took);
        assert_eq!(counts(&robot), [1, 1, 1], "{suite}");
        // At the end of the interval, a message has the number of failures.
        robot.put("/etc/demo/alert.conf", 0o600, format!("{CONFIG}Interval=15s\n"));
        robot.run("rm /run/demo-alert/demo-web.service").ok();
        fail_and_wait(&robot, [2, 2, 2]);
        robot.script(&format!("for i in $(seq 10); do {loops} done")).within(60 * SECOND).run().ok();
        robot.wait_for("the count is told", 40 * SECOND, || counts(&robot) == [3, 3, 3]);
        robot
            .run("cat /run/got/mail-2")
            .ok()
            .says("Subject: demo-web.service failed 10 more times on robot: ");
        // A unit with `Restart=` has failed once systemd stops restarting it.
        crash(&robot, "demo-again");
        robot.wait_for("it is told", 30 * SECOND, || counts(&robot)[0] == 4);
        robot
            .run("cat /run/got/mail-3")
            .ok()
            .says("Subject: demo-again.service failed on robot: ")
            .says("again: the last line");
        Ok(())
    })
}

/// Failed deliveries are logged in the journal. An alert about them would never end.
#[test]
fn an_alert_that_fails_is_in_the_journal_and_alerts_nobody() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let config =
            "MailTo=ana@example.org\nWebhook=http://127.0.0.1:9/secret\nTries=1\nTimeout=2\nNonsense=1\n";
        let robot = boot(suite, config)?;
        // An administrator might configure alerts for every service.
        let every = "[Unit]\nOnFailure=demo-alert@%n.service\n";
        robot.put("/etc/systemd/system/service.d/every.conf", 0o644, every);
        robot.put("/usr/local/sbin/sendmail", 0o755, "#!/bin/sh\nsleep 600\n");
        robot.run("systemctl daemon-reload").ok();
        let mark = robot.mark();
        crash(&robot, "demo-web");
        for line in [
            "error: `alert.conf`, line 5: unknown key `Nonsense`",
            "error: http://127.0.0.1:9: connection refused: alert not delivered",
            "demo-alert@demo-web.service.service: Failed with result",
            "error: mail: timed out and was killed: alert not delivered",
            "demo-alert-mail@demo-web.service.service: Failed with result",
            "warning: `demo-alert-mail@demo-web.service.service`: no alert is sent about an alert unit",
        ] {
            robot.wait_for_journal(&mark, line, 20 * SECOND);
        }
        assert!(!robot.journal_since(&mark).contains("secret"), "{suite}");
        robot.wait_for("the end of it", 20 * SECOND, || {
            robot
                .run("systemctl list-units --plain --no-legend --state=active,activating 'demo-alert*'")
                .text()
                .is_empty()
        });
        let journal = robot.journal_since(&mark);
        // Because of that drop-in, systemd loads ever longer names, but it starts no alert about the second one.
        let started = journal.matches("Started demo-alert").count();
        assert!((3..=6).contains(&started), "{suite}: {started}: {journal}");
        assert!(!journal.contains("Started demo-alert@demo-alert@demo-alert"), "{suite}: {journal}");
        // A hanging alert delays neither the service nor a stop.
        robot.run("rm -f /run/demo-alert/*; systemctl reset-failed").ok();
        robot.put("/etc/demo/alert.conf", 0o600, "MailTo=ana@example.org\nTimeout=1min\n");
        crash(&robot, "demo-web");
        robot.wait_for_unit("demo-alert-mail@demo-web.service.service", "active", 20 * SECOND);
        robot.wait_for("sendmail hangs", 10 * SECOND, || robot.run("pgrep -f bin/sendmail").success());
        for unit in ["demo-web", "demo-alert-mail@demo-web.service.service"] {
            let stopped = robot.run(&format!("systemctl stop {unit}")).ok();
            assert!(stopped.took < 3 * SECOND, "{suite} {unit}: {:?}", stopped.took);
        }
        // Without the file, only the journal has the alert. This is not an error.
        robot.run("rm -f /run/demo-alert/* /etc/demo/alert.conf; systemctl reset-failed").ok();
        let mark = robot.mark();
        crash(&robot, "demo-web");
        robot.wait_for_journal(&mark, "demo-web.service failed on robot", 20 * SECOND);
        robot.wait_for_unit("demo-alert@demo-web.service.service", "inactive", 10 * SECOND);
        assert_eq!(show(&robot, "demo-alert@demo-web.service.service", "Result"), "success", "{suite}");
        Ok(())
    })
}

/// In a login session, the user's own file, desktop and mail are used.
#[test]
fn a_user_is_told_of_their_own_services() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let robot = boot(suite, "Command=false\n")?;
        let mut session = robot.login_session("op");
        let config = "MailTo=op@example.org\\nDesktop=yes\\nCommand=cat >~/command\\n";
        session
            .run(&format!("mkdir -p ~/.config/demo ~/got && printf '{config}' >~/.config/demo/alert.conf"))
            .ok();
        session.run("systemd-run --user --quiet receivers ~/got desktop").ok();
        robot.wait_for("the desktop", 20 * SECOND, || robot.has("/home/op/got/ready-0"));
        robot.run("chmod 644 /etc/msmtprc").ok();
        session.run("systemctl --user start demo-session; true").ok();
        robot.wait_for("everybody is told", 30 * SECOND, || {
            ["/run/got/mail-0", "/home/op/got/desktop-0", "/home/op/command"]
                .iter()
                .all(|file| robot.has(file))
        });
        let subject = "demo-session.service failed on robot: exited with status 7";
        robot
            .run("cat /run/got/mail-0")
            .ok()
            .says(&format!("Subject: {subject}\n"))
            .says("session: the last line");
        robot.run("cat /home/op/got/desktop-0").ok().says(subject).says("notify-helper");
        robot
            .run("cat /home/op/command")
            .ok()
            .says("session: the last line")
            .says("systemctl --user status demo-session");
        session.logout();
        Ok(())
    })
}
