//! No process leaves the limits of a unit. Our services cannot get a user manager or a session, where the
//! unit's limits do not apply; and what happens if an administrator provides one.

use std::time::Duration;

use testbed::{Machine, Output, Result, Suite};

use crate::cluster::{SOON, TASKS, on_every_suite, package};

/// Every account that the two packages create.
const ACCOUNTS: [&str; 5] =
    ["hakuriver", "hakuriver-alert", "kohakuriver-alert", "kohakuriver-host", "kohakuriver-runner"];

/// Other ways for a task to open a session or start a user manager.
const OTHER_WAYS: [&str; 7] = [
    "echo '* * * * * touch /tmp/out' | crontab -",
    "echo 'touch /tmp/out' | at now",
    "su hakuriver -c true </dev/null",
    "systemctl --no-ask-password start user@$(id -u)",
    "systemd-run --no-ask-password --uid=$(id -u) --property=PAMName=login true",
    "test -e /usr/bin/run0 && run0 --no-ask-password --user=hakuriver true",
    "loginctl --no-ask-password enable-linger op",
];

#[test]
fn no_account_of_a_package_gets_a_manager_of_its_own() -> Result<()> {
    on_every_suite(|suite| {
        let machine = Machine::on(suite)
            .with(&["at", "cron", "dbus-user-session", "libpam-systemd"])
            .install(package("hakuriver", "deb"))
            .install(package("kohakuriver", "deb"))
            .user("op", &[])
            .boot()?;
        for account in ACCOUNTS {
            for verb in ["enable", "disable"] {
                let linger = format!("loginctl --no-ask-password {verb}-linger {account}");
                machine.run(&format!("systemd-run --quiet --wait --uid={account} {linger}")).fails();
            }
            has_no_manager(&machine, account);
        }
        machine.run(&format!("systemctl start {TASKS}")).ok();
        in_task(&machine, "loginctl --no-ask-password enable-linger hakuriver").fails();
        for way in OTHER_WAYS {
            in_task(&machine, way).fails();
        }
        has_no_manager(&machine, "hakuriver");
        let refused = "no: hakuriver (pid ";
        machine.run("journalctl --sync; journalctl -q -o cat -t hakuriver-polkit").ok().says(refused);

        // Existing sessions are kept, and an administrator can decide for everyone.
        machine.run("systemd-run --quiet --wait --uid=op loginctl enable-linger op").ok();
        assert!(machine.has("/var/lib/systemd/linger/op"));
        machine.run("systemd-run --quiet --wait loginctl enable-linger hakuriver").ok();
        machine.wait_for_unit(&manager_of(&machine, "hakuriver"), "active", SOON);
        Ok(())
    })
}

/// A login starts a user manager even without a shell: `ssh -N` requires none. A task would only need its own
/// key.
#[test]
fn no_task_gives_itself_a_key_to_log_in_with() -> Result<()> {
    on_every_suite(|suite| {
        let machine = Machine::on(suite)
            .with(&["at", "cron", "openssh-server", "libpam-systemd", "dbus-user-session"])
            .install(package("hakuriver", "deb"))
            .user("op", &[])
            .boot()?;
        machine.run(&format!("systemctl start ssh {TASKS}")).ok();
        machine.put("/usr/local/bin/log-in", 0o755, LOG_IN);
        for first in
            ["true", "mv ~/.ssh ~/ssh; mkdir ~/.ssh", "rmdir ~/.ssh; ln -s /tmp ~/.ssh", "chmod 777 ~/.ssh"]
        {
            in_task(&machine, &format!("{first}; log-in")).fails();
            has_no_manager(&machine, "hakuriver");
        }
        // With a key from root it would work.
        machine.run("install -o hakuriver -m 600 /dev/null /var/lib/hakuriver/.ssh/authorized_keys").ok();
        machine.run("chown root: /var/lib/hakuriver/.ssh/authorized_keys; chmod 644 /var/lib/hakuriver/.ssh/authorized_keys").ok();
        let key =
            in_task(&machine, "rm -f /tmp/k*; ssh-keygen -q -t ed25519 -N '' -f /tmp/k && cat /tmp/k.pub")
                .ok();
        machine.put("/var/lib/hakuriver/.ssh/authorized_keys", 0o644, key.text());
        in_task(&machine, "log-in").ok();
        Ok(())
    })
}

/// Writes a key and uses it to log in until there is a manager.
const LOG_IN: &str = "#!/bin/sh\n\
    test -e /tmp/k || ssh-keygen -q -t ed25519 -N '' -f /tmp/k\n\
    test -s ~/.ssh/authorized_keys || cp /tmp/k.pub ~/.ssh/authorized_keys || exit\n\
    timeout 10 ssh -o StrictHostKeyChecking=no -o BatchMode=yes -i /tmp/k -N hakuriver@127.0.0.1 &\n\
    while kill -0 $! 2>/dev/null; do test ! -d /run/user/$(id -u) || exit 0; sleep 0.1; done\n\
    exit 1\n";

#[test]
fn what_an_account_runs_outside_of_its_units_ends_with_the_package() -> Result<()> {
    on_every_suite(|suite| {
        let machine = base(suite).install(package("hakuriver", "deb")).boot()?;
        machine.put("/usr/local/bin/stays", 0o755, STAYS);
        escape(&machine, "op");
        for verb in ["remove", "purge"] {
            escape(&machine, "hakuriver");
            machine.run_as("hakuriver", "setsid --fork stays </dev/null >/dev/null 2>&1").ok();
            // A unit of the administrator, and one of an account in a container.
            machine.run("systemd-run --quiet --unit=site --uid=hakuriver sleep 600").ok();
            machine
                .run("systemd-run --quiet --unit=box unshare --pid --fork setpriv --reuid=hakuriver --clear-groups sleep 601")
                .ok();
            by_a_unit(&machine, &format!("dpkg --{verb} hakuriver-services")).ok();
            has_gone(&machine, "hakuriver");
            assert_eq!(machine.run("systemctl is-active site box").text(), "active\nactive", "{suite}");
            machine.run("systemctl kill --signal=KILL site box && systemctl stop site box; systemctl reset-failed").ok();
        }
        // As with a .deb.
        let rpm = "/var/tmp/hakuriver.rpm";
        machine.put_file(package("hakuriver", "rpm"), rpm);
        by_a_unit(&machine, &format!("rpm --nodeps --install {rpm}")).ok();
        escape(&machine, "hakuriver");
        by_a_unit(&machine, "rpm --erase hakuriver-services").ok();
        has_gone(&machine, "hakuriver");
        // Other users are not affected.
        machine.run("pgrep --uid op stays").ok();
        Ok(())
    })
}

#[test]
fn a_person_of_an_accounts_name_stays_a_person() -> Result<()> {
    on_every_suite(|suite| {
        let machine = base(suite).boot()?;
        machine.put("/usr/local/bin/stays", 0o755, STAYS);
        machine.add_user("hakuriver", &[]);
        let deb = "/var/tmp/hakuriver.deb";
        machine.put_file(package("hakuriver", "deb"), deb);
        by_a_unit(&machine, &format!("dpkg --install {deb}")).ok();
        machine
            .run("systemd-run --quiet --wait --uid=hakuriver loginctl --no-ask-password enable-linger hakuriver")
            .ok();
        escape(&machine, "hakuriver");
        for verb in ["remove", "purge"] {
            by_a_unit(&machine, &format!("dpkg --{verb} hakuriver-services")).ok();
            machine.run("pgrep --uid hakuriver stays").ok();
            assert!(machine.has("/var/lib/systemd/linger/hakuriver"), "{suite}: {verb}");
        }
        Ok(())
    })
}

/// Ignores signals, hides its owner, and prints nothing.
const STAYS: &str = "#!/usr/bin/python3\nimport ctypes, signal, time\n\
                     ctypes.CDLL(None).prctl(15, b'stays')\nctypes.CDLL(None).prctl(4, 0)\n\
                     signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)\n";

fn base(suite: Suite) -> testbed::Plan {
    Machine::on(suite).with(&["dbus-user-session", "libpam-systemd"]).user("op", &[])
}

/// Runs a command in the user manager for tasks, with all of its limits.
#[must_use]
#[track_caller]
fn in_task<'m>(machine: &'m Machine, command: &str) -> Output<'m> {
    machine.put("/usr/local/bin/way", 0o755, format!("#!/bin/sh\n{command}\n"));
    let run = "XDG_RUNTIME_DIR=/run/hakuriver-tasks systemd-run --user --quiet --wait --pipe way";
    machine.script(run).user("hakuriver").within(Duration::from_secs(60)).run()
}

/// Runs as a unit, because logind does not know commands from outside the machine.
#[must_use]
#[track_caller]
fn by_a_unit<'m>(machine: &'m Machine, command: &str) -> Output<'m> {
    machine.script(&format!("systemd-run --quiet --wait --pipe {command} 2>&1")).within(SOON + SOON).run()
}

/// Starts a user manager for the user, as an administrator can, and leaves a process in it.
#[track_caller]
fn escape(machine: &Machine, user: &str) {
    by_a_unit(machine, &format!("loginctl enable-linger {user}")).ok();
    machine.wait_for_unit(&manager_of(machine, user), "active", SOON);
    let run =
        "unset DBUS_SESSION_BUS_ADDRESS; XDG_RUNTIME_DIR=/run/user/$(id -u) systemd-run --user --quiet stays";
    machine.run_as(user, run).ok();
    machine.wait_for("the process", SOON, || machine.run(&format!("pgrep --uid {user} stays")).success());
}

#[track_caller]
fn manager_of(machine: &Machine, user: &str) -> String {
    format!("user@{}.service", machine.run(&format!("id -u {user}")).ok().text())
}

#[track_caller]
fn has_no_manager(machine: &Machine, user: &str) {
    assert!(!machine.has(&format!("/var/lib/systemd/linger/{user}")), "{user}");
    let state = machine.run(&format!("systemctl is-active {}", manager_of(machine, user)));
    assert_eq!(state.text(), "inactive", "{user}");
}

/// Checks that the user only has processes in other units.
#[track_caller]
fn has_gone(machine: &Machine, user: &str) {
    has_no_manager(machine, user);
    machine.run(&format!("pgrep --uid {user} 'stays|systemd'")).fails();
}
