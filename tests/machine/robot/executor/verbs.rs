//! Every verb, run by an operator at a terminal.

use base::report::State;
use testbed::Result;

use super::{outcome, service, start};
use crate::life::{alive, family, of, on_every_suite, state};

#[test]
fn start_stop_restart_and_switch_do_what_they_say_and_say_what_they_did() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        op.run("rovi list").ok().says("nav           ROVI stack: drive to a goal autonomously\n");
        start(robot, op, "nav");
        assert_eq!(state(robot, "rovi-nav"), "active");
        let nav = family(robot, &of("nav"));

        // Starting a running stack succeeds without effect.
        let again = outcome(op, "rovi start nav");
        assert!(
            again.exit == 0 && !again.changed && again.message.starts_with("nav is already running"),
            "{again:?}"
        );
        assert_eq!(alive(robot, &nav), 3);

        // The last process ends before the next one starts: otherwise the stand-in would record a clash.
        let switched = outcome(op, "rovi switch teleop");
        assert!(switched.changed && switched.state == Some(State::Running), "{switched:?}");
        assert_eq!(switched.notes[0], "nav is stopped");
        assert_eq!(alive(robot, &nav), 0);
        let teleop = crate::life::up(robot, &of("teleop"));
        assert!(teleop.iter().all(|p| !p.clash), "{teleop:?}");
        assert_eq!(
            outcome(op, "rovi switch teleop").message,
            format!("teleop is already running (process {})", switched.pid.unwrap())
        );

        let restarted = outcome(op, "rovi restart teleop");
        assert!(restarted.exit == 0 && restarted.pid != switched.pid, "{restarted:?}");
        crate::life::up(robot, &of("teleop"));

        op.run("rovi stop teleop").ok().says("teleop is stopped\n");
        assert_eq!(state(robot, "rovi-teleop"), "inactive");
        op.run("rovi stop teleop").ok().says("teleop is already stopped\n");
        op.run("rovi stop").ok().says("no stack is running\n");
        // Without a name, the command applies to the running stack; a switch without one is a start.
        op.run("rovi switch camera").ok().says("camera runs (process ");
        // If Python is interrupted while it starts, it fails, and so would the stack.
        crate::life::up(robot, &of("camera"));
        op.run("rovi stop").ok().says("camera is stopped\n");
        // Restarting a stack that is not running starts it.
        op.run("rovi restart mapping").ok().says("mapping runs (process ");
        crate::life::up(robot, &of("mapping"));
        op.run("rovi stop mapping").ok();
        assert_eq!(service(op, "mapping").state, State::Stopped);
    })
}

#[test]
fn an_administrator_restarts_the_gateway_and_hears_what_stopped_with_it() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        start(robot, op, "nav");
        robot.run("rovi restart gateway").ok().says("nav was stopped with it").says("gateway runs (process ");
        assert_eq!(service(op, "nav").state, State::Stopped);
        robot.run("rovi stop gateway").ok().says("gateway is stopped");
        robot.run("rovi start gateway").ok().says("gateway runs (process ");
    })
}

#[test]
fn logs_are_the_journal_for_who_may_read_it() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        start(robot, op, "nav");
        op.run("rovi logs nav").exits(3).says("`usermod --append --groups systemd-journal op`");
        robot.run("journalctl --sync; usermod --append --groups systemd-journal op").ok();
        let op = &mut robot.login_session("op");
        op.run("SYSTEMD_PAGER= rovi logs -n 200 nav").ok().says("rovi_bringup rovi.launch.py");
        let lines = op.run("SYSTEMD_PAGER= rovi logs -n 2 nav").ok();
        assert_eq!(lines.stdout.lines().filter(|l| !l.starts_with("--")).count(), 2, "{lines}");
        op.run("rovi logs fly").exits(4);
        // A later log line, and Ctrl-C.
        op.type_line("rovi logs -f nav");
        op.wait_for("rovi_bringup rovi.launch.py", crate::life::SOON);
        robot.run("rovi stop nav").ok();
        op.wait_for("Stopped ", crate::life::SOON);
        op.interrupt();
        op.finish(crate::life::SOON);
    })
}

#[test]
fn shells_complete_verbs_services_and_options() -> Result<()> {
    on_every_suite(|robot| {
        let op = &mut robot.login_session("op");
        let complete = |words: &str, at: u32| {
            format!(
                ". /usr/share/bash-completion/completions/rovi; COMP_WORDS=({words}); COMP_CWORD={at}; _rovi; \
                 echo ${{COMPREPLY[@]}}"
            )
        };
        assert_eq!(op.run(&complete("rovi sta", 1)).ok().text(), "status start");
        assert_eq!(op.run(&complete("rovi start te", 2)).ok().text(), "teleop");
        assert_eq!(op.run(&complete("rovi status --w", 2)).ok().text(), "--watch");
        assert_eq!(op.run(&complete("rovi start nav ''", 3)).ok().text(), "--json --help");
        op.run("man -w rovi || test -e /usr/share/man/man1/rovi.1.gz").ok();
    })
}
