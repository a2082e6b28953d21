//! The services as user services: from login to logout, and from boot on with linger.

use testbed::{Machine, Result, Suite, at_once};

use crate::assistant::{BUS, CLIENTS, Of, PARENT, SECOND, SOON, as_op, assistant, children};

#[test]
fn m2_m3_m8_as_a_users_own_from_login_to_logout_or_with_linger_from_boot_on() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let mut machine = assistant(suite).boot()?;
        {
            let mut terminal = machine.login_session("op");
            let op = Of(&machine, true);
            // They are not enabled.
            op.all_down();
            terminal.run(&format!("systemctl --user is-enabled {PARENT}")).fails().says("disabled");
            terminal.run(&format!("systemctl --user enable {PARENT}")).ok();
            terminal.logout();
            without_a_manager(&machine);
        }
        {
            // They start at login.
            let terminal = machine.login_session("op");
            let op = Of(&machine, true);
            op.wait(PARENT, "active");
            let pids = op.pids();
            let users = machine.run(&format!("ps -o user= -p {} | sort -u", pids.join(","))).ok();
            assert_eq!(users.text(), "op");
            for unit in children() {
                let fragment = op.show(unit, "FragmentPath");
                assert_eq!(fragment, format!("/usr/lib/systemd/user/{unit}"));
            }
            // Here too, one name controls all, and the user's journal shows them.
            op.systemctl(&format!("restart {}", CLIENTS[0])).ok();
            assert_eq!(op.pids()[2..], pids[2..]);
            op.systemctl(&format!("restart {BUS}")).ok();
            assert_eq!(op.pids()[2..], pids[2..]);
            as_op(&machine, &format!("journalctl --user-unit={}", CLIENTS[1]))
                .ok()
                .says("ovos-dinkum-listener is connected");
            // A second login and its logout change nothing.
            machine.login_session("op").logout();
            assert_eq!(op.pids()[2..], pids[2..]);
            // After the last logout they are gone.
            terminal.logout();
            without_a_manager(&machine);
            let left = machine.run("pgrep -u op -f 'ovos|mycroft' | wc -l").ok();
            assert_eq!(left.text(), "0", "{suite}");
        }
        // With linger they run without a login, and continue after the last logout.
        linger(&machine);
        machine.reboot()?;
        let op = Of(&machine, true);
        machine.wait_for_unit("user@1000.service", "active", SOON);
        op.wait(PARENT, "active");
        let pids = op.pids();
        let terminal = machine.login_session("op");
        let session = terminal.id().to_owned();
        terminal.logout();
        machine.wait_for("the end of the login", SOON, || {
            !machine.run(&format!("loginctl show-session {session}")).success()
        });
        assert_eq!(op.pids(), pids);
        op.systemctl(&format!("stop {PARENT}")).ok();
        op.all_down();
        Ok(())
    })
}

/// Waits until the user has no processes left; logind waits ten seconds.
#[track_caller]
fn without_a_manager(machine: &Machine) {
    machine.wait_for_unit("user@1000.service", "inactive", SOON + 10 * SECOND);
}

#[test]
fn a_user_has_an_assistant_of_their_own_elsewhere() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let machine = assistant(suite).boot()?;
        machine.run("cp -a /usr/lib/mycroft/venv /srv/venv && chmod -R a+rX /srv").ok();
        linger(&machine);
        machine.wait_for_unit("user@1000.service", "active", SOON);
        let op = Of(&machine, true);
        machine
            .run_as(
                "op",
                "mkdir -p ~/.config/mycroft && echo MYCROFT_VENV=/srv/venv >~/.config/mycroft/.env.assistant",
            )
            .ok();
        op.systemctl(&format!("start {BUS}")).ok();
        let line = machine.run(&format!("tr '\\0' ' ' </proc/{}/cmdline", op.show(BUS, "MainPID"))).ok();
        line.says("/srv/venv/bin/ovos-messagebus");
        // A missing program is reported with its path.
        machine.run_as("op", "echo MYCROFT_VENV=/srv/none >~/.config/mycroft/.env.assistant").ok();
        op.systemctl(&format!("restart {BUS}")).fails();
        // By its name, because it ended before the journal could determine its unit.
        machine
            .run("journalctl --identifier=mycroft-messagebus")
            .ok()
            .says("error: `/srv/none/bin/ovos-messagebus`: no such file or directory: install it or correct the command");
        Ok(())
    })
}

/// Runs as a unit, because logind does not know commands from outside the machine.
#[track_caller]
fn linger(machine: &Machine) {
    machine.run("systemd-run --quiet --wait loginctl enable-linger op").ok();
}
