//! Tests the environment file and the setup scripts, including their failures.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use serde_json::{Value, json};

use super::{Place, outcome, place};

/// Creates a directory with setup scripts and an environment file; its launch prints its environment.
fn with_scripts(test: &str, scripts: &[(&str, &str)]) -> Place {
    let files = place(test, &[]);
    let setup: Vec<Value> = scripts
        .iter()
        .map(|(name, _)| json!({ "path": files.path(name), "hint": "do this in ${HOME}" }))
        .collect();
    let argv = json!(["env", "-0"]);
    let launch = json!({ "argv": argv, "setup": setup, "env_file": files.path("demo.env") });
    let place = place(test, &[("a", json!({ "launch": launch }))]);
    for (name, content) in scripts {
        place.write(name, content);
    }
    place.write("demo.env", "");
    place
}

/// Returns the value of a variable in the launch.
fn value(place: &Place, name: &str) -> Option<Vec<u8>> {
    let env = fs::read(place.path("out")).unwrap();
    let prefix = format!("{name}=").into_bytes();
    env.split(|&b| b == 0).find_map(|e| e.strip_prefix(prefix.as_slice())).map(<[u8]>::to_vec)
}

fn text(place: &Place, name: &str) -> Option<String> {
    value(place, name).map(|v| String::from_utf8(v).unwrap())
}

fn command(place: &Place) -> std::process::Command {
    let mut command = place.command(&["a"]);
    command.stdout(fs::File::create(place.path("out")).unwrap());
    command
}

/// Ordinary setup scripts print, read their arguments, use unset variables, and rely on earlier scripts.
#[test]
fn scripts_are_sourced_in_order_and_may_be_ordinary() {
    let first =
        "echo chatter; echo \"args: $*\"; export ONE=\"${UNSET}1\"\nf() { :; }; export -f f; false\ntrue";
    let second =
        "export TWO=\"$ONE\n2\" PATH=\"/added:$PATH\"; export ODD=$'\\xff'; unset DROPPED; exec 1>/dev/null";
    let place = with_scripts("scripts", &[("1.bash", first), ("2.bash", second)]);
    let outcome = outcome(
        command(&place)
            .env("DROPPED", "1")
            .env("SHLVL", "7")
            .env("GIVEN", OsStr::from_bytes(b"\xfe\nx"))
            .arg("--unset=GIVEN_TOO"),
    );
    assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(0), "chatter\nargs: \n"));
    assert!(!place.read("out").contains("chatter"));
    assert_eq!(text(&place, "TWO").as_deref(), Some("1\n2"));
    assert_eq!(value(&place, "ODD"), Some(b"\xff".to_vec()));
    assert_eq!(value(&place, "GIVEN"), Some(b"\xfe\nx".to_vec()));
    assert!(text(&place, "PATH").unwrap().starts_with("/added:"));
    assert_eq!((text(&place, "DROPPED"), text(&place, "SHLVL").as_deref()), (None, Some("7")));
    assert!(value(&place, "BASH_FUNC_f%%").is_some());
}

/// A developer's shell settings do not affect the scripts.
#[test]
fn exported_shell_options_stay_outside() {
    let place = with_scripts("shellopts", &[("1.bash", "export X=\"$UNSET\"")]);
    let broken = place.write("broken.bash", "exit 9");
    let outcome = outcome(command(&place).env("SHELLOPTS", "nounset:errexit").env("BASH_ENV", &broken));
    outcome.is_success();
    assert_eq!(text(&place, "BASH_ENV"), Some(broken.to_str().unwrap().to_owned()));
}

/// A process that a script leaves running does not delay the launch.
#[test]
fn a_script_that_leaves_something_running() {
    let place = with_scripts("leaves", &[("1.bash", "sleep 1000 & export LEFT=$!")]);
    let outcome = outcome(&mut command(&place));
    assert_eq!(outcome.status.code(), Some(0));
    let left: i32 = text(&place, "LEFT").unwrap().parse().unwrap();
    assert!(!super::is_alive(left), "it belongs to the launch and ends with it");
}

#[test]
fn scripts_that_fail() {
    let place = with_scripts("failing", &[("1.bash", "true"), ("2.bash", "ok() { true; }; (exit 3)")]);
    let home = place.path("home").to_str().unwrap().to_owned();
    let script = place.path("2.bash").to_str().unwrap().to_owned();
    let failing = format!("`{script}`: setup script exited with status 3: do this in {home}");
    outcome(&mut command(&place)).is_error(78, &failing);
    place.write("2.bash", "exit 0");
    let leaving = format!("`{script}`: setup script exited with status 0: do this in {home}");
    outcome(&mut command(&place)).is_error(78, &leaving);
    place.write("2.bash", "kill -KILL $$");
    let killed = format!("`{script}`: setup script was killed by SIGKILL: do this in {home}");
    outcome(&mut command(&place)).is_error(78, &killed);
    fs::remove_file(&script).unwrap();
    let missing = format!("`{script}`: no such file or directory: do this in {home}");
    outcome(&mut command(&place)).is_error(78, &missing);
    assert!(place.read("out").is_empty() && place.read("run/lock").is_empty());
}

/// An environment that is too large for any program is reported as such, not as a fault of the next program.
#[test]
fn a_script_that_exports_more_than_the_kernel_passes_on() {
    let script = "for i in $(seq 30); do export \"BIG_$i=$(head -c 100000 /dev/zero | tr '\\0' x)\"; done";
    let place = with_scripts("large", &[("1.bash", script)]);
    let outcome = outcome(&mut command(&place));
    let why = "the resulting environment is larger than the kernel allows";
    let told =
        format!("error: `{}`: {why}: export fewer or shorter variables", place.path("1.bash").display());
    assert_eq!((outcome.status.code(), outcome.stderr.lines().last()), (Some(78), Some(&*told)));
    assert!(!outcome.stderr.contains("coreutils"), "{}", outcome.stderr);
}

#[test]
fn a_variable_that_is_not_set() {
    let setup = json!([{ "path": "/opt/${DISTRO}/setup.bash", "hint": "set DISTRO (now ${DISTRO})" }]);
    let place = place("unset", &[("a", json!({ "launch": { "setup": setup } }))]);
    let message = "`/opt/${DISTRO}/setup.bash`: DISTRO is not set: set DISTRO (now ${DISTRO})";
    place.run(&["a"]).is_error(78, message);
}

/// In a launch by hand, the file's values win, as in the unit, and a message says so. `--keep-env` reverses this.
#[test]
fn the_environment_file_by_hand() {
    let place = with_scripts("env_file", &[("1.bash", "export SEEN=$DOMAIN")]);
    place.write("demo.env", "# the robot\nDOMAIN=0\nQUOTED=\"a $HOME\" \nSAME=1\n");
    let file = place.path("demo.env").display().to_string();
    let won = outcome(command(&place).env("DOMAIN", "5").env("SAME", "1"));
    assert_eq!(
        won.stderr,
        format!("note: DOMAIN: `{file}` overrides your environment: to keep your values, use `--keep-env`\n")
    );
    let values = ["DOMAIN", "SEEN", "QUOTED"].map(|n| text(&place, n).unwrap());
    assert_eq!(values, ["0", "0", "a $HOME"]);

    let mut keeping = place.command(&["--keep-env", "a"]);
    let kept = outcome(keeping.stdout(fs::File::create(place.path("out")).unwrap()).env("DOMAIN", "5"));
    assert_eq!(kept.stderr, format!("note: DOMAIN: kept from your environment, `{file}` has other values\n"));
    assert_eq!(["DOMAIN", "SEEN", "SAME"].map(|n| text(&place, n).unwrap()), ["5", "5", "1"]);
}

/// systemd has already read the file, and its own settings may add to it.
#[test]
fn the_environment_file_under_systemd() {
    let place = with_scripts("env_unit", &[]);
    fs::remove_file(place.path("demo.env")).unwrap();
    let out = fs::File::create(place.path("out")).unwrap();
    outcome(place.command_of_unit(&["a"]).stdout(out).env("DOMAIN", "5")).is_success();
    assert_eq!((text(&place, "DOMAIN").as_deref(), text(&place, "RUN_STACK_ID")), (Some("5"), None));

    let file = place.path("demo.env").display().to_string();
    let todo = "reinstall the package that ships it, or restore it from a backup";
    outcome(&mut command(&place)).is_error(78, &format!("`{file}`: no such file or directory: {todo}"));
}

/// A launch by hand has the variables that the unit sets. The environment file overrides them, unless `--keep-env`
/// keeps those of the caller.
#[test]
fn variables_of_the_service_are_set_by_hand_as_in_the_unit() {
    let files = place("own_environment", &[]);
    let launch = json!({ "argv": ["env", "-0"], "env_file": files.path("demo.env"), "env": { "OWN": "a b", "BOTH": "unit" } });
    let place = place("own_environment", &[("a", json!({ "launch": launch }))]);
    place.write("demo.env", "BOTH=file\n");
    assert!(outcome(&mut command(&place)).status.success());
    assert_eq!(
        (text(&place, "OWN"), text(&place, "BOTH")),
        (Some("a b".to_owned()), Some("file".to_owned()))
    );
    let mut kept = place.command(&["--keep-env", "a"]);
    kept.env("OWN", "mine").stdout(fs::File::create(place.path("out")).unwrap());
    assert!(outcome(&mut kept).status.success());
    assert_eq!(text(&place, "OWN").as_deref(), Some("mine"));
}

/// systemd does not read these either. The user who may write the file is not the user who starts the service.
#[test]
fn an_environment_file_without_an_end_is_an_error() {
    let place = with_scripts("env-endless", &[]);
    let file = place.path("demo.env");
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    outcome(&mut command(&place)).is_error(
        78,
        &format!(
            "`{}`: larger than 1048576 \
             bytes: reinstall the package that ships it, or restore it from a backup",
            file.display()
        ),
    );
}
