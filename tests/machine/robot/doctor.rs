//! `rovi doctor`: every finding is caused on a machine and fixed there by the command it prints, run by the
//! user it names. One machine of each suite goes through all findings.

mod archive;

use base::diagnosis::{By, Diagnosis, Severity};
use support::robot::{SECOND, SUITES, robot};
use testbed::{Machine, Result, Session, Suite, at_once};

use crate::life::{SOON, of, up};

/// A finding: its check and its subject.
type Expected<'a> = (&'a str, &'a str);

const GATEWAY: &str = "rovi-gateway.service";
const ENV: &str = "/etc/rovi/.env.robot";
const LOCK: &str = "/run/rovi/stack.lock";

#[test]
fn every_finding_is_produced_and_cured() -> Result<()> {
    at_once(SUITES, |suite| {
        patient(suite);
        Ok(())
    })
}

/// The only finding that takes long to detect.
#[test]
fn a_polkit_that_hangs_is_found_and_cured() -> Result<()> {
    at_once(SUITES, |suite| {
        let robot = robot(suite).boot()?;
        robot.run("systemctl start polkit && pkill -STOP polkitd").ok();
        let looked = robot.script("rovi doctor --json").within(60 * SECOND).run().exits(1);
        let found: Diagnosis = serde_json::from_str(&looked.stdout).unwrap();
        let polkit = found.findings.iter().find(|f| f.check == "polkit").expect("polkit hangs");
        robot.run(&polkit.fix).ok();
        assert!(look(&robot, None).findings.iter().all(|f| f.check != "polkit"));
        Ok(())
    })
}

fn patient(suite: Suite) {
    let robot = &robot(suite).user("late", &[]).boot().unwrap();
    archive::make(robot);
    up(robot, "gateway.launch.py");
    people(robot);
    clock(robot);
    packaged(robot);
    environment(robot);
    locks(robot);
    units(robot);
    expectations(robot);
    machine(robot);
    // The text output, with and without findings.
    robot.run_as("op", "rovi doctor").ok().says("rovi: no problems found");
    robot.run("chmod 777 /run/rovi").ok();
    let text = robot.run_as("op", "rovi doctor").exits(1).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("problem: lock: users other than root can write to `/run/rovi`"), "{text}");
    assert_eq!(lines[1..], ["  # systemd-tmpfiles --create /usr/lib/tmpfiles.d/rovi.conf"], "{text}");
}

/// Findings about permissions in polkit and access to the journal.
fn people(robot: &Machine) {
    let mut late = robot.login_session("late");
    let mut op = robot.login_session("op");
    let groups = |session: &mut Session<'_>, status: i32| {
        let looked = session.run("rovi doctor --json").exits(status);
        let found: Diagnosis =
            serde_json::from_str(&looked.stdout).unwrap_or_else(|e| panic!("{e}: {looked}"));
        found.findings.into_iter().filter(|f| ["group", "journal"].contains(&&*f.check)).collect::<Vec<_>>()
    };
    // An operator without access to the journal can work, which is only a note.
    let found = groups(&mut op, 0);
    assert_eq!(
        (found.len(), &*found[0].check, found[0].severity),
        (1, "journal", Severity::Note),
        "{found:?}"
    );
    robot.run(&found[0].fix).ok();
    let found = groups(&mut op, 0);
    assert_eq!((found.len(), &*found[0].check, found[0].by), (1, "journal", By::You), "{found:?}");
    cure_at_terminal(&mut op, &found[0].fix);
    assert_eq!(groups(&mut op, 0), []);
    drop(op);

    // A user without permissions, who becomes an operator.
    let found = groups(&mut late, 1);
    assert_eq!(
        (&*found[0].check, &*found[0].about, found[0].by),
        ("group", "rovi-ops", By::Root),
        "{found:?}"
    );
    late.run("rovi start camera").exits(3);
    robot.run(&found[0].fix).ok();
    if robot.suite() == Suite::Bookworm {
        // This polkit looks the group up in the database.
        assert!(groups(&mut late, 0).iter().all(|f| f.check != "group"));
    } else {
        let found = groups(&mut late, 1);
        assert_eq!((&*found[0].check, found[0].by), ("group", By::You), "{found:?}");
        late.run("rovi start camera").exits(3);
        cure_at_terminal(&mut late, &found[0].fix);
        assert!(groups(&mut late, 0).iter().all(|f| f.check != "group"));
    }
    late.run("rovi start camera").ok();
    late.run("rovi stop").ok();

    robot.run("cp --archive /etc/group /etc/gshadow /root/ && groupdel rovi-ops").ok();
    ill(robot, None, &[("group", "rovi-ops"), ("clock", "clock")]);
    let group = look(robot, None).findings.remove(0);
    robot.run(&group.fix).ok();
    ill(robot, None, &[("clock", "clock")]);
    robot.run("mv /root/group /root/gshadow /etc/").ok();
}

/// Types a command that starts another shell.
fn cure_at_terminal(session: &mut Session<'_>, fix: &str) {
    session.type_line(fix);
    session.type_line("stty -echo -onlcr; PS1= PS2= PROMPT_COMMAND=");
    session.run("true").ok();
}

fn clock(robot: &Machine) {
    // First no time service exists, then one is available, then it is enabled.
    let found = ill(robot, Some("op"), &[("clock", "clock")]);
    assert_eq!(found.findings[0].severity, Severity::Note);
    robot.run(&found.findings[0].fix).ok();
    let found = ill(robot, Some("op"), &[("clock", "clock")]);
    assert_eq!(found.findings[0].fix, "timedatectl set-ntp true");
    well(robot, found);
    robot.run("touch --date=2099-01-01 /var/lib/systemd/timesync/clock").ok();
    let found = ill(robot, Some("op"), &[("clock", "clock")]);
    assert_eq!(found.findings[0].severity, Severity::Problem);
    well(robot, found);
}

/// Files that only the package can restore.
fn packaged(robot: &Machine) {
    let rules = "/usr/share/polkit-1/rules.d/50-rovi.rules";
    let unit = |name: &str| format!("/usr/lib/systemd/system/rovi-{name}.service");
    robot.run(&format!("echo // >>{rules}; rm {} {ENV}; systemctl daemon-reload", unit("camera"))).ok();
    robot.run(&format!("echo '#' >>{}", unit("gateway"))).ok();
    let (camera, gateway) = (unit("camera"), unit("gateway"));
    let expected = [
        ("files", camera.as_str()),
        ("files", gateway.as_str()),
        ("rule", rules),
        ("env-file", ENV),
        ("unit", GATEWAY),
        ("unit", "rovi-camera.service"),
    ];
    if robot.suite() == Suite::Bookworm {
        // There, only polkit and root may read the folder of the rules.
        let others: Vec<Expected<'_>> = expected.into_iter().filter(|(check, _)| *check != "rule").collect();
        ill(robot, Some("op"), &others);
    } else {
        ill(robot, Some("op"), &expected);
    }
    let found = ill(robot, None, &expected);
    well(robot, found);
    robot.run(&format!("rm {rules}")).ok();
    let found = ill(robot, None, &[("rule", rules)]);
    well(robot, found);
}

fn environment(robot: &Machine) {
    let broken = [
        "sed --in-place /^ROS_DISTRO=/d",
        "sed --in-place s/^ROVI_ROS_WS_DIR=.*/ROVI_ROS_WS_DIR=/",
        "sed --in-place '1i export A=1\\nB=\"never closed'",
    ];
    robot.run(&broken.map(|command| format!("{command} {ENV}")).join(" && ")).ok();
    // The quote hides everything after it, and the first line is reported first.
    let found = look(robot, Some("op"));
    assert_eq!((&*found.findings[0].check, &*found.findings[0].about), ("env-file", ENV), "{found:?}");
    assert!(found.findings[0].what.contains("line 1: "), "{found:?}");
    well(robot, found);
    assert!(robot.read(ENV).unwrap().starts_with("# export A=1\n# B=\"never closed\n"));

    robot.run("mv /opt/ros /opt/ros.old; rm /opt/rovi/ros_ws/install/setup.bash").ok();
    let setup =
        ["/opt/ros/jazzy/setup.bash", "/opt/rovi/ros_ws/install/setup.bash"].map(|path| ("setup", path));
    let found = ill(robot, Some("op"), &setup);
    well(robot, found);
    robot.run("rm --recursive /opt/ros; mv /opt/ros.old /opt/ros; systemctl restart rovi-gateway").ok();
}

fn locks(robot: &Machine) {
    for (broken, about) in [
        ("rm --recursive /run/rovi", "/run/rovi"),
        ("rm --recursive /run/rovi; touch /run/rovi", "/run/rovi"),
        ("chown rovi /run/rovi", "/run/rovi"),
        ("rm /run/rovi/stack.lock", LOCK),
        ("rm /run/rovi/stack.lock; mkdir /run/rovi/stack.lock", LOCK),
        ("chgrp root /run/rovi/stack.lock", LOCK),
        ("chmod 666 /run/rovi/stack.lock", LOCK),
    ] {
        robot.run(broken).ok();
        let found = ill(robot, Some("op"), &[("lock", about)]);
        well(robot, found);
    }
}

fn units(robot: &Machine) {
    robot.run("systemctl mask rovi-camera && systemctl mask --runtime rovi-mapping").ok();
    robot.run("cp /usr/lib/systemd/system/rovi-nav.service /etc/systemd/system/").ok();
    robot.put("/etc/systemd/system/rovi-teleop.service.d/site.conf", 0o644, "[Service]\nNice=5\n");
    robot.put("/usr/lib/systemd/system/service.d/vendor.conf", 0o644, "[Service]\nNice=1\n");
    robot.run("systemctl daemon-reload && systemctl disable rovi-gateway").ok();
    robot.put("/run/rovi/restart-pending", 0o644, format!("{GATEWAY}\n"));
    let found = ill(
        robot,
        Some("op"),
        &[
            ("boot", GATEWAY),
            ("drop-in", "rovi-teleop.service"),
            ("unit", "rovi-mapping.service"),
            ("override", "rovi-nav.service"),
            ("unit", "rovi-camera.service"),
            ("restart", GATEWAY),
        ],
    );
    well(robot, found);
    robot.run("rm --recursive /usr/lib/systemd/system/service.d; systemctl daemon-reload").ok();

    // A drop-in alone is the administrator's choice.
    robot.put("/run/systemd/system/rovi-nav.service.d/site.conf", 0o644, "[Service]\nNice=5\n");
    robot.run("systemctl daemon-reload").ok();
    let found = ill(robot, Some("op"), &[("drop-in", "rovi-nav.service")]);
    assert_eq!(found.findings[0].severity, Severity::Note);
    well(robot, found);

    for hit in ["systemctl stop rovi-gateway", "systemctl kill --signal=KILL rovi-gateway"] {
        robot.run(hit).ok();
        robot.wait_for("end of the gateway", SOON, || {
            ["inactive", "failed"].contains(&&*crate::life::state(robot, "rovi-gateway"))
        });
        let found = ill(robot, Some("op"), &[("boot", GATEWAY)]);
        well(robot, found);
    }
}

fn expectations(robot: &Machine) {
    let tf = |value: &str| {
        format!("sed --in-place 's/^\\(ROVI_ODOM_INTEGRATOR_PUBLISH_TF\\)=.*/\\1={value}/' {ENV}")
    };
    // The file differs from the running gateway.
    robot.run(&tf("1")).ok();
    let found = ill(robot, Some("op"), &[("expectation", GATEWAY)]);
    assert_eq!(found.findings[0].fix, "systemctl restart rovi-gateway.service");
    well(robot, found);
    // A running stack expects something else.
    robot.run_as("op", "rovi start nav").ok();
    up(robot, &of("nav"));
    let found = ill(robot, Some("op"), &[("expectation", GATEWAY)]);
    assert!(
        found.findings[0].what.contains("nav is running and expects ROVI_ODOM_INTEGRATOR_PUBLISH_TF=0"),
        "{found:?}"
    );
    well(robot, found);
    robot.run_as("op", "rovi start nav").ok();
    assert!(look(robot, Some("op")).findings.is_empty());
    robot.run_as("op", "rovi stop").ok();
    // Values that no stack expects.
    for broken in [tf("2"), format!("sed --in-place /^ROVI_ODOM/d {ENV}")] {
        robot.run(&format!("{broken} && systemctl restart rovi-gateway")).ok();
        let found = ill(robot, Some("op"), &[("expectation", GATEWAY)]);
        well(robot, found);
    }
}

fn machine(robot: &Machine) {
    robot.run("systemctl mask --now polkit").ok();
    let found = ill(robot, Some("op"), &[("polkit", "polkit.service")]);
    well(robot, found);

    robot.run("mount -t tmpfs -o size=8M,mode=0750 none /var/lib/rovi").ok();
    robot.run("fallocate --length=7900K /var/lib/rovi/old.log && touch --date='9 days ago' /var/lib/rovi/old.log").ok();
    let found = ill(robot, Some("op"), &[("disk", "/var/lib/rovi")]);
    well(robot, found);
    robot.run("umount --lazy /var/lib/rovi").ok();

    robot.run("chgrp root /var/log/journal/*/system.journal").ok();
    let found = ill(robot, Some("op"), &[("journal", "systemd-journal")]);
    well(robot, found);

    // A rotated journal that fills its file system.
    let archived = "system@0123456789abcdef0123456789abcdef-0000000000000001-0005f00000000000.journal";
    robot.run(&format!(
        "cd /var/log/journal/*/ && cp --archive . /tmp/journal && mount -t tmpfs -o size=64M none /var/log/journal && \
         cp --archive /tmp/journal /var/log/journal/$(cat /etc/machine-id) && cd /var/log/journal/*/ && \
         cp system.journal {archived} && \
         fallocate --length=$(( $(stat --file-system --format=%a . ) * 4096 - 1048576 + $(stat --format=%s {archived}) )) {archived}"
    )).ok();
    // journald itself still writes elsewhere, so only root checks this.
    let found = ill(robot, None, &[("disk", "/var/log/journal")]);
    robot.run(&found.findings[0].fix).ok();
    ill(robot, None, &[]);
    robot.run("umount --lazy /var/log/journal").ok();
}

/// Returns the findings for root or a user; the exit status matches them.
#[track_caller]
fn look(robot: &Machine, user: Option<&str>) -> Diagnosis {
    let looked = match user {
        Some(user) => robot.run_as(user, "rovi doctor --json"),
        None => robot.run("rovi doctor --json"),
    };
    let found: Diagnosis = serde_json::from_str(&looked.stdout).unwrap_or_else(|e| panic!("{e}: {looked}"));
    let problem = found.findings.iter().any(|f| f.severity == Severity::Problem);
    assert_eq!(looked.status, i32::from(problem), "{looked}");
    found
}

/// Checks for exactly these findings, in this order.
#[track_caller]
fn ill(robot: &Machine, user: Option<&str>, expected: &[Expected<'_>]) -> Diagnosis {
    let found = look(robot, user);
    let is: Vec<Expected<'_>> = found.findings.iter().map(|f| (&*f.check, &*f.about)).collect();
    assert_eq!(is, expected, "{found:#?}");
    found
}

/// Runs the printed commands from top to bottom, and again for new findings, until there are none.
#[track_caller]
fn well(robot: &Machine, mut found: Diagnosis) {
    for _ in 0..5 {
        let mut fixes: Vec<&str> = found.findings.iter().map(|f| &*f.fix).collect();
        fixes.dedup();
        for fix in fixes {
            robot.script(fix).within(60 * SECOND).run().ok();
        }
        found = look(robot, None);
        if found.findings.is_empty() {
            found = look(robot, Some("op"));
        }
        if found.findings.is_empty() {
            return;
        }
    }
    panic!("no cure: {found:#?}");
}
