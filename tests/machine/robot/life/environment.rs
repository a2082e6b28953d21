//! The same environment for units, shells and programs.

use std::collections::BTreeMap;

use testbed::{Machine, Result};

use super::{on_every_suite, property, start, up};

/// Values that systemd and shells could parse differently, as an administrator may write them.
const EDITED: &str = r#"
TWO_WORDS="two  words"
SINGLE='a "quoted" word, a # and a \ and $HOME'
DOUBLE="it's `id` and a \"quoted\" \$HOME"
PLAIN_SPACES=several plain words
HASH=a#b
   INDENTED=  trimmed  
BACKSLASH=back\\slash
DOLLAR=$HOME ${PATH}
CONTINUED=one \
two
TWO_LINES="first
second"
EMPTY=
# COMMENTED=1
; SEMICOLON=1
NO_ASSIGNMENT
export EXPORTED=1
1DIGIT=1
UMLAUT=grüße
TWICE=1
TWICE=2
"#;

#[test]
fn r08_the_environment_of_a_running_stack_equals_the_file() -> Result<()> {
    on_every_suite(|robot| {
        let file = robot.read("/etc/rovi/.env.robot").unwrap();
        let expected: BTreeMap<&str, &str> =
            file.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once('=')).collect();
        for (name, value) in [
            ("ROVI_ROS_WS_DIR", "/opt/rovi/ros_ws"),
            ("ROS_DOMAIN_ID", "0"),
            ("RMW_IMPLEMENTATION", "rmw_cyclonedds_cpp"),
            ("ROVI_ENV", "robot"),
            ("ROVI_ODOM_INTEGRATOR_PUBLISH_TF", "0"),
        ] {
            assert_eq!(expected.get(name), Some(&value), "{name}");
        }
        let secret = ["password", "secret", "token", "key="];
        let assignments = expected.keys().map(|name| name.to_lowercase());
        assert!(assignments.into_iter().all(|name| !secret.iter().any(|s| name.contains(s))));

        let mut processes = up(robot, "gateway.launch.py");
        processes.extend(start(robot, "nav"));
        for process in processes {
            let environ = environ(robot, process.pid);
            for (name, value) in &expected {
                assert_eq!(environ.get(*name).map(String::as_str), Some(*value), "{}: {name}", process.role);
            }
            // Variables of ROS and the robot only come from setup scripts.
            let known = |name: &str| {
                expected.contains_key(name) || ["ROS_VERSION", "ROS_PYTHON_VERSION"].contains(&name)
            };
            let ours = |name: &&String| ["ROS_", "RMW_", "ROVI_"].iter().any(|start| name.starts_with(start));
            let unknown: Vec<_> = environ.keys().filter(ours).filter(|name| !known(name)).collect();
            assert!(unknown.is_empty(), "{unknown:?}");
            // Variables for communication between systemd and run_stack are not passed on.
            assert!(!environ.contains_key("NOTIFY_SOCKET"));
        }
    })
}

#[test]
fn r09_a_pc_is_isolated_from_the_robots_graph() -> Result<()> {
    on_every_suite(|robot| {
        let file = robot.read("/etc/rovi/.env.pc").unwrap();
        assert!(file.contains("\nROVI_ENV=pc\n") && file.contains("\nROS_LOCALHOST_ONLY=1\n"), "{file}");
        let domain =
            |file: &str| file.lines().find_map(|l| l.strip_prefix("ROS_DOMAIN_ID=").map(str::to_owned));
        let robots = robot.read("/etc/rovi/.env.robot").unwrap();
        assert_ne!(domain(&file).unwrap(), domain(&robots).unwrap());
        // The reason is next to the setting.
        let reason = file.lines().take_while(|l| !l.starts_with("ROS_DOMAIN_ID=")).last().unwrap();
        assert!(reason.starts_with('#'), "{file}");
        let shell =
            "export ROVI_ENV=pc; . /usr/share/rovi/rovi_env.sh; echo $ROS_DOMAIN_ID $ROS_LOCALHOST_ONLY";
        assert_eq!(robot.run_as("op", shell).ok().text(), "77 1");
    })
}

#[test]
fn r10_a_login_shell_has_the_environment_of_the_unit() -> Result<()> {
    on_every_suite(|robot| {
        robot.run("useradd --create-home --shell /bin/sh dash; readlink -f /bin/sh | grep -q dash").ok();
        for (user, startup) in [("op", ".bash_profile"), ("dash", ".profile")] {
            let lines =
                "export ROVI_ROS_WS_DIR=/opt/rovi/ros_ws ROVI_ENV=robot\n. /usr/share/rovi/rovi_env.sh\n";
            robot.put(&format!("/home/{user}/{startup}"), 0o644, lines);
        }
        same_in_shells(robot, &["ROVI_ROS_WS_DIR", "ROS_DOMAIN_ID", "ROVI_ENV", "ROS_DISTRO"]);

        let file = robot.read("/etc/rovi/.env.robot").unwrap();
        robot.put("/etc/rovi/.env.robot", 0o644, file.clone() + EDITED);
        robot.run("systemctl restart rovi-gateway").ok();
        let unit = same_in_shells(
            robot,
            &["TWO_WORDS", "SINGLE", "DOUBLE", "CONTINUED", "TWO_LINES", "EMPTY", "UMLAUT"],
        );
        assert_eq!(unit["TWO_WORDS"], "two  words");
        assert_eq!(unit["DOLLAR"], "$HOME ${PATH}");
        assert!(!unit.contains_key("COMMENTED") && !unit.contains_key("1DIGIT"));

        // An unknown role is an error that does not end the shell.
        let shell = "ROVI_ENV=roboter; . /usr/share/rovi/rovi_env.sh; echo $? alive";
        robot.run_as("op", shell).ok().says("robot or pc").says("78 alive");
    })
}

/// Compares the gateway's environment in systemd with that of login shells, in both directions, except for
/// what each sets itself; returns the unit's.
#[track_caller]
fn same_in_shells(robot: &Machine, at_least: &[&str]) -> BTreeMap<String, String> {
    let unit = environ(robot, property(robot, "rovi-gateway", "MainPID").parse().unwrap());
    // Variables that a shell or a unit has without our file.
    let own = |name: &str| {
        let prefixes = ["XDG_", "LC_", "DBUS_", "MEMORY_PRESSURE_"];
        let names = [
            "_",
            "HOME",
            "HUSHLOGIN",
            "INVOCATION_ID",
            "JOURNAL_STREAM",
            "LANG",
            "LOGNAME",
            "LS_COLORS",
            "MAIL",
            "MOTD_SHOWN",
            "NOTIFY_SOCKET",
            "OLDPWD",
            "PATH",
            "PWD",
            "SHELL",
            "SHLVL",
            "STATE_DIRECTORY",
            "SYSTEMD_EXEC_PID",
            "TERM",
            "USER",
        ];
        names.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
    };
    let only_file = |all: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        all.iter().filter(|(name, _)| !own(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
    };
    for user in ["op", "dash"] {
        robot.run(&format!("rm -f /tmp/{user}.env")).ok();
        let mut terminal = robot.login_session(user);
        terminal.run(&format!("env -0 >/tmp/{user}.env")).ok();
        let shell = variables(&robot.read_bytes(&format!("/tmp/{user}.env")).unwrap());
        assert_eq!(only_file(&shell), only_file(&unit), "left: the shell of {user}; right: the unit");
        assert!(at_least.iter().all(|name| shell.contains_key(*name)), "{user}: {shell:?}");
    }
    only_file(&unit)
}

/// Returns a running process's environment from the kernel.
#[track_caller]
fn environ(robot: &Machine, pid: u32) -> BTreeMap<String, String> {
    variables(robot.run(&format!("cat /proc/{pid}/environ")).ok().stdout.as_bytes())
}

fn variables(environ: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(environ);
    text.split('\0').filter_map(|e| e.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}
