//! The output during a wait, and the result when others interfere.

use base::report::State;
use support::robot::SECOND;
use testbed::Result;

use super::{at_gate, open_gate, outcome, service, shut_gate, start};
use crate::life::{SOON, on_every_suite, state};

#[test]
fn a_terminal_shows_that_something_goes_on_and_ctrl_c_leaves_it_going() -> Result<()> {
    on_every_suite(|robot| {
        shut_gate(robot);
        let [op, other] = &mut [robot.login_session("op"), robot.login_session("op")];
        op.type_line("TERM=linux rovi start nav");
        op.wait_for("\x1b[K\x1b[2m/ starting nav, 0", SOON);
        at_gate(robot, other, "nav");
        op.interrupt();
        let (status, screen) = op.finish(SOON);
        assert_eq!(status, 130, "{screen}");
        assert!(
            screen.contains(
                "starting nav: interrupted: systemd still completes the request: see `rovi status nav`"
            ),
            "{screen}"
        );
        assert_eq!(service(other, "nav").state, State::Starting);
        open_gate(robot);
        robot.wait_for_unit("rovi-nav.service", "active", SOON);
        // With colors on a terminal; without them on request, and for a program.
        let coloured = op.run("TERM=linux rovi status").ok();
        assert!(coloured.stdout.contains("\x1b[32mrunning \x1b[m"), "{coloured}");
        for plain in
            ["TERM=linux NO_COLOR=1 rovi status", "TERM=dumb rovi status", "TERM=linux rovi status | cat"]
        {
            assert!(!op.run(plain).ok().stdout.contains('\x1b'), "{plain}");
        }
    })
}

#[test]
fn two_starts_at_once_are_one_and_a_stop_takes_both_back() -> Result<()> {
    on_every_suite(|robot| {
        shut_gate(robot);
        let [one, two, three] = &mut [(); 3].map(|()| robot.login_session("op"));
        one.type_line("rovi start nav --json");
        at_gate(robot, three, "nav");
        two.type_line("rovi start nav --json");
        three.run("rovi start camera").exits(75).says("held by nav (pid ");
        open_gate(robot);
        let mut pids = [one, two].map(|session| {
            let (status, screen) = session.finish(SOON);
            assert_eq!(status, 0, "{screen}");
            serde_json::from_str::<base::report::Outcome>(&screen).unwrap().pid
        });
        assert!(pids[0].is_some() && pids[0] == pids[1], "{pids:?}");
        pids.reverse();
        three.run("rovi stop").ok();

        shut_gate(robot);
        let [one, two] = &mut [(); 2].map(|()| robot.login_session("op"));
        one.type_line("rovi start nav");
        at_gate(robot, two, "nav");
        two.run("rovi stop").ok().says("nav is stopped");
        let (status, screen) = one.finish(SOON);
        assert!(
            status == 75 && screen.contains("nav: the start was canceled by another request"),
            "{status} {screen}"
        );
        assert_eq!(state(robot, "rovi-nav"), "inactive");
    })
}

#[test]
fn a_stop_that_takes_its_time_is_waited_for_and_told() -> Result<()> {
    on_every_suite(|robot| {
        robot.put(testbed::ros::MANNERS, 0o644, "{\"deaf\": true}");
        robot.put(
            "/etc/systemd/system/rovi-nav.service.d/x.conf",
            0o644,
            "[Service]\nTimeoutStopSec=1500ms\n",
        );
        robot.run("systemctl daemon-reload").ok();
        let [op, other] = &mut [robot.login_session("op"), robot.login_session("op")];
        start(robot, op, "nav");
        op.type_line("rovi switch camera");
        robot.wait_for_unit("rovi-nav.service", "deactivating", SOON);
        op.interrupt();
        let (status, screen) = op.finish(SOON);
        assert!(
            status == 130 && screen.trim_end().ends_with("; camera was not started"),
            "{status} {screen}"
        );
        robot.wait_for_unit("rovi-nav.service", "failed", SOON);
        assert_eq!(state(robot, "rovi-camera"), "inactive");

        start(robot, op, "nav");
        op.type_line("rovi switch camera --json");
        robot.wait_for_unit("rovi-nav.service", "deactivating", SOON);
        assert_eq!(service(other, "nav").state, State::Stopping);
        let refused = outcome(other, "rovi start nav");
        assert!(refused.exit == 75 && refused.message.ends_with("try again"), "{refused:?}");
        let (status, screen) = op.finish(10 * SECOND);
        assert_eq!(status, 0, "{screen}");
        let told: base::report::Outcome = serde_json::from_str(&screen).unwrap();
        assert!(
            told.notes.iter().any(|n| n.starts_with("it did not end by itself: it took too long")),
            "{told:?}"
        );
        assert_eq!(
            (state(robot, "rovi-nav"), state(robot, "rovi-camera")),
            ("failed".into(), "active".into())
        );
    })
}
