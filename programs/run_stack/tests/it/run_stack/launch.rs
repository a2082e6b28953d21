//! Tests the launched command, the messages about it, and its exit status.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;

use serde_json::json;

use super::{killed_by, outcome, place};

/// A script that writes its arguments and directory to files in the current directory.
const RECORDER: &str = "printf '%s\\0' \"$@\" >args; pwd >pwd; env -0 >env";

#[test]
fn argv_directory_and_environment_are_exact() {
    let place = place("argv", &[]);
    let directory = place.path("run");
    let argv = json!(["sh", "-c", RECORDER, "sh", "one", "", "two words", "${HOME} $x *"]);
    let special = json!({ "launch": { "argv": argv, "directory": "${WHERE}" } });
    let place = super::place("argv", &[("a", special)]);
    let mut command = place.command(&["a", "--print", "x:=y"]);
    command.arg(OsStr::from_bytes(b"not \xff utf-8")).env("WHERE", &directory);
    command
        .env("ODD", OsStr::from_bytes(b"\xfe\n="))
        .env("NOTIFY_SOCKET", "/nowhere")
        .env("WATCHDOG_USEC", "1");
    outcome(&mut command).is_success();
    let expected: &[u8] = b"one\0\0two words\0${HOME} $x *\0--print\0x:=y\0not \xff utf-8\0";
    assert_eq!(fs::read(place.path("run/args")).unwrap(), expected);
    assert_eq!(place.read("run/pwd").trim(), directory.to_str().unwrap());
    let env = fs::read(place.path("run/env")).unwrap();
    let has = |entry: &[u8]| env.split(|&b| b == 0).any(|e| e.starts_with(entry));
    assert!(has(b"ODD=\xfe\n=") && has([b"PWD=", directory.as_os_str().as_bytes()].concat().as_slice()));
    assert!(!has(b"NOTIFY_SOCKET=") && !has(b"WATCHDOG_USEC="));
}

#[test]
fn exit_status_is_passed_on() {
    for status in [0, 1, 3, 75, 255] {
        let argv = json!(["sh", "-c", format!("exit {status}")]);
        let place = place("status", &[("a", json!({ "launch": { "argv": argv } }))]);
        let outcome = place.run(&["a"]);
        assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(status), ""));
    }
}

/// A shell reports the same status for run_stack as for the launch, and systemd treats both alike.
#[test]
fn a_signal_is_passed_on() {
    for (name, number) in [("INT", 2), ("ABRT", 6), ("KILL", 9), ("SEGV", 11), ("TERM", 15)] {
        let argv = json!(["sh", "-c", format!("kill -{name} $$")]);
        let place = place("signal", &[("a", json!({ "launch": { "argv": argv } }))]);
        let outcome = place.run(&["a"]);
        assert_eq!((killed_by(outcome.status), outcome.status.core_dumped()), (Some(number), false));
    }
}

/// Rust's runtime ignores SIGPIPE, so run_stack cannot end by it and returns the shell's number instead.
#[test]
fn a_signal_that_cannot_be_passed_on() {
    let place = place("sigpipe", &[("a", json!({ "launch": { "argv": ["sh", "-c", "kill -PIPE $$"] } }))]);
    assert_eq!(place.run(&["a"]).status.code(), Some(128 + 13));
}

#[test]
fn standard_streams_are_the_launchs() {
    let place = place("streams", &[("a", json!({ "launch": { "argv": ["sh", "-c", "cat; echo e >&2"] } }))]);
    place.write("input", "typed");
    let outcome = outcome(place.command(&["a"]).stdin(fs::File::open(place.path("input")).unwrap()));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("typed", "e\n"));
}

#[test]
fn a_command_that_cannot_be_started() {
    let place = place("no_command", &[("a", json!({ "launch": { "argv": ["no-such-command", "x"] } }))]);
    let todo = "install it, or check the PATH that `--print` shows";
    place.run(&["a"]).is_error(78, &format!("`no-such-command`: no such file or directory: {todo}"));
    assert_eq!(place.read("run/lock"), "");
    let file = place.write("no-such-command", "not executable");
    let path = file.parent().unwrap();
    let denied = outcome(place.command(&["a"]).env("PATH", path));
    denied.is_error(78, &format!("`no-such-command`: permission denied: {todo}"));
}

#[test]
fn the_command_line() {
    let place = place("usage", &[("nav", json!({})), ("gateway", json!({}))]);
    place.run(&["fly"]).is_error(2, "`fly`: unknown service: expected one of nav, gateway");
    place.run(&[]).is_error(2, "service name is missing: see `run_stack --list` and `run_stack --help`");
    place.run(&["--fast", "nav"]).is_error(2, "`--fast`: unknown option: see `run_stack --help`");
    assert_eq!(place.run(&["--list"]).stdout, "nav      Demo nav\ngateway  Demo gateway\n");
    let version = format!("run_stack {} (demo-services 1.2.3)\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(place.run(&["--version"]).stdout, version);
    let help = place.run(&["--help"]);
    assert!(help.status.success() && help.stdout.contains("usage: run_stack"), "{help:?}");
}

#[test]
fn a_table_that_is_missing_or_foreign() {
    let place = place("table", &[]);
    let table = place.path("lib/services.json");
    place.write("lib/services.json", r#"{"schema":2,"product":"","package":"","version":"","services":[]}"#);
    let todo = "but this program requires 1: install programs and table from the same package";
    place.run(&["a"]).is_error(78, &format!("`{}`: schema 2, {todo}", table.display()));
    fs::remove_file(&table).unwrap();
    let missing = place.run(&["a"]);
    assert_eq!(missing.status.code(), Some(78));
    assert!(missing.stderr.contains("reinstall the package that ships it"), "{}", missing.stderr);
    assert_eq!(place.run(&["--version"]).stdout, format!("run_stack {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_missing_directory() {
    let place = place("directory", &[("a", json!({ "launch": { "directory": "${HOME}/ws" } }))]);
    let (directory, todo) = (place.path("home/ws"), "create it, or correct the path in the configuration");
    let what = format!("working directory `{}`: no such file or directory: {todo}", directory.display());
    place.run(&["a"]).is_error(78, &what);
    let what = "`${HOME}/ws`: HOME is not set: set it in the environment file or in the shell";
    outcome(place.command(&["a"]).env_remove("HOME")).is_error(78, what);
}

/// Tests the whole output of `--print`, and that it does nothing else.
#[test]
fn print_shows_everything_and_starts_nothing() {
    let place = place("print", &[]);
    let setup = place.write("setup.bash", "export ADDED='two words'");
    let file = place.write("demo.env", "FROM_FILE=1\n");
    let launch = json!({
        "argv": ["touch", "started"], "directory": "${HOME}", "env_file": file,
        "setup": [{ "path": setup, "hint": "no" }],
        "session": { "path": ".demo/current", "content": "demo/a.launch" },
    });
    let place = super::place("print", &[("a", json!({ "only_while": "demo-g.service", "launch": launch }))]);
    place.write("setup.bash", "export ADDED='two words'");
    place.write("demo.env", "FROM_FILE=1\n");
    let mut command = place.command(&["--print", "a", "it's"]);
    let printed = outcome(command.env("PATH", "/usr/bin:/bin"));
    printed.is_success();
    let root = place.root.to_str().unwrap();
    let expected = format!(
        "service: a\nunit: demo-a.service\ncommand: touch started 'it'\\''s'\ndirectory: {root}/home\n\
         lock: {root}/run/lock\nenv-file: {root}/demo.env\nonly-while: demo-g.service\nsetup: {root}/setup.bash\n\
         session: ~/.demo/current: demo/a.launch\nenvironment:\n  ADDED='two words'\n  FROM_FILE=1\n  HOME={root}/home\n  \
         PATH=/usr/bin:/bin\n  PWD={root}/home\n"
    );
    assert_eq!(printed.stdout, expected);
    let there: Vec<_> =
        fs::read_dir(place.path("home")).unwrap().map(|e| e.unwrap().file_name().into_vec()).collect();
    assert!(there.is_empty() && !place.path("run/lock").exists());
}
