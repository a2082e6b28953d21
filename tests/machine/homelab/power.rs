//! Only the user of one service may shut the machine down.

use testbed::{Machine, Result, Suite, at_once};

use crate::lab::{INFERENCE, SHUTDOWN, SOON, ask, lab, permitted, within};
use crate::models;

/// Arguments for calling logind's manager.
const LOGIND: &str =
    "busctl call org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager";

#[test]
fn l1_l2_each_service_does_without_root_what_its_user_may_and_nobody_else() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let mut machine = lab(suite).user("other", &[]).boot()?;
        models::the_inference_service_starts_stops_and_restarts_them(&machine);
        // A logged-in user, whose consent the service does not need.
        let session = machine.login_session("op");
        ask(&machine, "POST 5001 /schedule when=+60").ok();
        let (what, when) = scheduled(&machine);
        let now: u64 = machine.run("date +%s").ok().text().parse().unwrap();
        assert_eq!(what, "poweroff", "{suite}");
        let minutes = (when / 1_000_000).abs_diff(now).div_ceil(60);
        assert!((59..=61).contains(&minutes), "{suite}: in {minutes} minutes");
        // Logged-in users will get a wall message.
        let property = |name: &str| {
            let get = LOGIND.replace("busctl call", "busctl get-property");
            machine.run(&format!("{get} {name}")).ok().text().to_owned()
        };
        assert_eq!(property("EnableWallMessages"), "b true");
        assert_eq!(property("WallMessage"), "s \"The lab closes.\"");
        ask(&machine, "POST 5001 /cancel").ok();
        assert_eq!(scheduled(&machine), (String::new(), u64::MAX), "{suite}");
        session.logout();

        // It runs as its own user, without ways to gain privileges, and its file systems are read-only.
        let status =
            within(&machine, SHUTDOWN, "id -un; grep -E '^(NoNewPrivs|CapEff|CapBnd):' /proc/self/status")
                .ok();
        let words: Vec<&str> = status.text().split_whitespace().collect();
        assert_eq!(
            words,
            [
                "home-lab-shutdown",
                "CapEff:",
                "0000000000000000",
                "CapBnd:",
                "0000000000000000",
                "NoNewPrivs:",
                "1"
            ]
        );
        for folder in
            ["/usr", "/etc", "/opt/home-lab", "/srv", "/etc/home-lab/model", "/var/lib/home-lab-inference"]
        {
            within(&machine, SHUTDOWN, &format!("touch {folder}/x")).fails();
        }
        within(&machine, SHUTDOWN, "touch /var/lib/home-lab-shutdown/x /tmp/x").ok();
        // sudo does not help it, even if the machine has one that allows everything.
        machine.run("install -m 4755 /usr/bin/id /usr/local/bin/sudo").ok();
        within(&machine, SHUTDOWN, "sudo -u").ok().says(&uid(&machine, "home-lab-shutdown"));

        // An inhibitor also delays this shutdown.
        machine.run("systemd-run --quiet --unit=upgrade systemd-inhibit --what=shutdown --mode=block sleep infinity").ok();
        machine.wait_for("an inhibitor", SOON, || {
            machine.run("systemd-inhibit --list").ok().stdout.contains("sleep infinity")
        });
        within(&machine, SHUTDOWN, &format!("{LOGIND} PowerOff b false")).fails();
        ask(&machine, "POST 5001 /schedule when=+60").fails();
        machine.run("systemctl stop upgrade").ok();

        refused(&machine);

        // The last request; the machine may be gone before the answer arrives.
        let _ = ask(&machine, "POST 5001 /schedule when=now");
        machine.wait_for_poweroff(SOON + SOON)
    })
}

/// All other users and actions are denied.
#[track_caller]
fn refused(machine: &Machine) {
    let later = machine.run("expr $(date +%s) + 3600").ok().text().to_owned();
    let schedule = |what: &str| format!("{LOGIND} ScheduleShutdown st {what} {later}000000");
    ask(machine, "POST 5001 /schedule when=+60").ok();
    let power = [
        schedule("poweroff"),
        schedule("reboot"),
        format!("{LOGIND} CancelScheduledShutdown"),
        format!("{LOGIND} PowerOff b false"),
        format!("{LOGIND} SetWallMessage sb x true"),
        "shutdown -P +30".to_owned(),
        "shutdown -c".to_owned(),
        "systemctl --no-ask-password poweroff".to_owned(),
    ];
    for user in ["op", "other", "home-lab-inference", "home-lab-model", "home-lab-alert", "nobody"] {
        assert_eq!(permitted(|script| machine.run_as(user, script), &power), "", "{user}");
    }
    assert_eq!(permitted(|script| within(machine, INFERENCE, script), &power), "");
    assert_eq!(scheduled(machine).0, "poweroff");
    // The service that may power the machine off may do nothing else.
    let further = [
        schedule("reboot"),
        schedule("halt"),
        format!("{LOGIND} Reboot b false"),
        format!("{LOGIND} Suspend b false"),
        format!("{LOGIND} SetRebootParameter s x"),
        "systemctl --no-ask-password start home-lab-model@small".to_owned(),
        "systemctl --no-ask-password stop home-lab-inference".to_owned(),
        "systemctl --no-ask-password restart home-lab-shutdown".to_owned(),
        "systemctl --no-ask-password isolate poweroff.target".to_owned(),
        "systemd-run --no-ask-password --unit=home-lab-x id".to_owned(),
        "systemctl --no-ask-password daemon-reload".to_owned(),
    ];
    assert_eq!(permitted(|script| within(machine, SHUTDOWN, script), &further), "");
    // The script can tell allowed from denied.
    let own = [format!("{LOGIND} CancelScheduledShutdown"), "false".to_owned(), schedule("poweroff")];
    assert_eq!(
        permitted(|script| within(machine, SHUTDOWN, script), &own),
        format!("{}\n{}\n", own[0], own[2])
    );
    ask(machine, "POST 5001 /cancel").ok();
    let told = "journalctl --sync; journalctl -q -o cat -t home-lab-polkit _UID=$(id -u polkitd)";
    machine.run(told).ok().says("yes: home-lab-shutdown (pid ").says("): org.freedesktop.login1.power-off");
}

/// Returns the type and time, in microseconds, of the scheduled shutdown; empty and 0 without one.
#[track_caller]
fn scheduled(machine: &Machine) -> (String, u64) {
    let get = LOGIND.replace("busctl call", "busctl get-property");
    let said = machine.run(&format!("{get} ScheduledShutdown")).ok();
    let [_, what, when] = said.text().split(' ').collect::<Vec<_>>()[..] else { panic!("{said}") };
    (what.trim_matches('"').to_owned(), when.parse().unwrap())
}

fn uid(machine: &Machine, user: &str) -> String {
    machine.run(&format!("id -u {user}")).ok().text().to_owned()
}
