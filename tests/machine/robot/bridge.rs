//! What the UI bridge uses: the Python lines from rovi(1), and the status fields.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base::field::FieldLine;
use base::report::Outcome;
use support::robot::robot;
use testbed::{Machine, Result, Suite, at_once, ros};

use crate::life::{SOON, of, up};

const NODES: &str = "/opt/rovi/ros_ws/install/rovi_bringup/lib/rovi_bringup";

#[test]
fn r26_the_ui_bridge_reaches_the_executor_from_inside_the_gateway() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let bridge =
            format!("#!/usr/bin/python3\n{}{}", shown_in_the_page(), include_str!("bridge/driver.py"));
        let robot = robot(suite)
            .file(&format!("{NODES}/bridge"), 0o755, bridge)
            .file(ros::MANNERS, 0o644, r#"{"nodes": ["bridge"]}"#)
            .boot()?;
        let outcomes = robot.wait_for("answers", 6 * SOON, || {
            let lines = robot.read("/var/lib/rovi/outcomes")?;
            let outcomes = lines
                .lines()
                .map(serde_json::from_str::<Outcome>)
                .collect::<std::result::Result<Vec<_>, _>>()
                .ok()?;
            (outcomes.len() == 6).then_some(outcomes)
        });
        let exits: Vec<(&str, u8)> = outcomes.iter().map(|o| (o.verb.as_str(), o.exit)).collect();
        // Only the administrator controls the gateway, not even the gateway itself.
        let expected =
            [("start", 0), ("start", 75), ("switch", 0), ("stop", 0), ("restart", 3), ("start", 4)];
        assert_eq!(exits, expected, "{outcomes:#?}");
        assert!(outcomes[1].message.contains("`rovi switch camera`"), "{outcomes:#?}");
        // It ran in the unit, with the unit's restrictions.
        let inside = "grep -h '^NoNewPrivs:.*1$' $(sed 's|.*|/proc/&/status|' \
             /sys/fs/cgroup/system.slice/rovi-gateway.service/cgroup.procs) | wc -l";
        assert!(robot.run(inside).ok().text().parse::<u32>().unwrap() >= 3);
        robot.wait_for("every change", SOON, || {
            let seen = robot.read("/var/lib/rovi/changes")?;
            let states: Vec<BTreeMap<String, String>> =
                seen.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            let was = |name: &str, state: &str| states.iter().any(|s| s[name] == state);
            let ended = states.last().is_some_and(|s| s["camera"] == "STOPPED" && s["nav"] == "STOPPED");
            (was("nav", "RUNNING") && was("camera", "RUNNING") && ended).then_some(())
        });
        // It ends with the gateway and leaves nothing behind.
        robot.run("systemctl stop rovi-gateway && ! pgrep -x rovi").ok();
        Ok(())
    })
}

/// Returns the Python lines from the manual page.
fn shown_in_the_page() -> String {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../programs/rovi/rovi.1")).unwrap();
    let from = page.split_once("In Python:\n").expect("the page shows Python").1;
    let block = from.split_once(".Bd -literal -offset indent\n").unwrap().1.split_once(".Ed\n").unwrap().0;
    assert!(block.contains("subprocess") && !block.contains('\\'), "{block}");
    block.to_owned()
}

/// Fields of ours and of others, and decoys.
const CONFIG: &str = "\
streams:
  status:
    fields:
      - {name: battery, provider: topic, topic: /battery, unit: V, min: 18, max: 29.4}
      - {name: gateway, provider: system, type: service, service: rovi-gateway, label: Gateway}
      - {name: nav, provider: system, type: service, service: rovi-nav}
      - {name: ghost, provider: system, type: service, service: no-such-thing}
      - {name: talker, provider: system, type: process, process: talker, service: rovi-nav}
      - {name: lidar, provider: system, type: process, process: lidar}
";

#[test]
fn r25_status_fields_are_served_as_they_change() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let robot = robot(suite).file("/etc/ui.yaml", 0o644, CONFIG).boot()?;
        up(&robot, "gateway.launch.py");
        // Decoys: node names in arguments, and one of them outside of the unit.
        robot.run("cp /usr/bin/sleep /opt/talker; cp /usr/bin/sleep /opt/lidar; mkdir /opt/lidar.d").ok();
        robot.run("setsid --fork /opt/talker 900 && setsid --fork python3 -c 'import time; time.sleep(900)' lidar").ok();
        robot.run("setsid --fork bash -c 'sleep 900; true' lidar /opt/lidar && setsid --fork tail -f /opt/lidar.d/../lidar").ok();
        let now = robot.run_as("op", "rovi fields --config /etc/ui.yaml").ok();
        let values = values(&now.stdout);
        let expected = [
            ("gateway", vec!["active"]),
            ("ghost", vec!["missing"]),
            ("lidar", vec!["missing"]),
            ("nav", vec!["inactive"]),
            ("talker", vec!["missing"]),
        ];
        let expected =
            expected.map(|(name, texts)| (name.to_owned(), texts.into_iter().map(str::to_owned).collect()));
        assert_eq!(values, BTreeMap::from(expected), "{now}");

        robot.run_as("op", "rovi fields -w -c /etc/ui.yaml >/var/tmp/seen 2>/var/tmp/complaints &").ok();
        sees(&robot, "nav", "inactive");
        robot.run_as("op", "rovi start nav").ok();
        up(&robot, &of("nav"));
        sees(&robot, "nav", "active");
        sees(&robot, "talker", "running");
        robot.run("pkill -KILL --newest --exact talker").ok();
        sees(&robot, "talker", "missing");
        robot.run_as("op", "rovi stop").ok();
        sees(&robot, "nav", "inactive");
        robot.run("setsid --fork /opt/lidar 900").ok();
        sees(&robot, "lidar", "running");
        robot.run("pkill -KILL -x lidar").ok();
        sees(&robot, "lidar", "missing");
        robot.run_as("op", "rovi start nav").ok();
        robot.run("kill -KILL $(systemctl show --value --property=MainPID rovi-nav)").ok();
        sees(&robot, "nav", "failed");
        robot.run("pkill -INT -x rovi").ok();
        robot.wait_for("end of the watch", SOON, || !robot.run("pgrep -x rovi").success());
        assert_eq!(robot.read("/var/tmp/complaints").unwrap(), "");
        wrong(&robot);
        Ok(())
    })
}

/// Errors in a file have one line each, with a line number where possible.
fn wrong(robot: &Machine) {
    for (content, line) in [
        ("streams: [", "`/etc/bad.yaml`: line "),
        ("", "`/etc/bad.yaml`: line 1: `streams` is missing: correct it"),
        (
            "streams:\n  status:\n    fields:\n      - provider: system\n        type: speed\n",
            "`/etc/bad.yaml`: line 4: unknown type `speed`, expected `service` or `process`: correct it",
        ),
        ("a: 1\nb: \u{1b}[2J: [\n", "`/etc/bad.yaml`: line "),
    ] {
        robot.put("/etc/bad.yaml", 0o644, content);
        let refused = robot.run_as("op", "rovi fields --config /etc/bad.yaml").exits(78).says(line);
        assert!(refused.stdout.is_empty() && refused.stderr.lines().count() == 1, "{refused}");
        assert!(!refused.stderr.contains('\u{1b}'), "{refused}");
    }
    robot.put("/etc/bad.yaml", 0o644, b"a: 1\n\xff: 2\n");
    robot.run_as("op", "rovi fields --config /etc/bad.yaml").exits(78).says("line 2: not UTF-8");
    robot.run("truncate --size=3G /etc/bad.yaml").ok();
    robot.run_as("op", "rovi fields --config /etc/bad.yaml").exits(78).says("larger than 1 MiB");
    robot.run_as("op", "rovi fields --config /etc/nowhere.yaml").exits(78).says("no such file or directory");
    robot.run_as("op", "rovi fields --config /etc").exits(78).says("is a directory");
    robot.run_as("op", "rovi fields").exits(2).says("rovi fields --help");
}

/// Waits until the latest value of a field is this one.
#[track_caller]
fn sees(robot: &Machine, name: &str, text: &str) {
    robot.wait_for(&format!("{name} {text}"), SOON, || {
        let seen = robot.read("/var/tmp/seen").unwrap_or_default();
        let whole = &seen[..seen.rfind('\n').map_or(0, |end| end + 1)];
        values(whole).get(name).and_then(|texts| texts.last().cloned()).is_some_and(|last| last == text)
    });
}

/// Returns the values of each field in order.
fn values(lines: &str) -> BTreeMap<String, Vec<String>> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines.lines() {
        let line: FieldLine = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!((line.schema, &*line.meta.r#type), (1, "text"));
        let texts = values.entry(line.meta.name).or_default();
        assert_ne!(texts.last(), Some(&line.value.text), "the same again");
        texts.push(line.value.text);
    }
    values
}
