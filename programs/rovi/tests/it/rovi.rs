//! Tests the parts of `rovi` that need no systemd: command line, help, manual page and completions.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;
use std::{fs, thread};

use serde_json::{Value, json};
use support::command::{ok, root, run, sh};
use support::scratch::{Scratch, scratch};

/// The program in a directory of its own.
struct Program {
    path: PathBuf,
    _dir: Scratch,
}

/// Creates a directory with the program and a table.
fn program(test: &str) -> Program {
    let dir = scratch(test);
    // A copy could fail to run: another test's child may still hold it open for writing.
    fs::hard_link(env!("CARGO_BIN_EXE_rovi"), dir.join("rovi")).unwrap();
    let service =
        |name: &str| json!({ "name": name, "unit": format!("demo-{name}.service"), "description": name });
    let table = json!({
        "schema": 1, "product": "demo", "package": "demo-services", "version": "1.2.3",
        "services": [service("one"), service("two")],
    });
    fs::write(dir.join("services.json"), table.to_string()).unwrap();
    Program { path: dir.join("rovi"), _dir: dir }
}

/// Runs the program; returns its exit status, standard output and standard error.
fn say(program: &Program, args: &[&str]) -> (i32, String, String) {
    let output =
        run(Command::new(&program.path).args(args).env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus"));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Returns the verbs that the help lists.
fn verbs(program: &Program) -> Vec<String> {
    let (_, help, _) = say(program, &["--help"]);
    let lines = help.lines().skip_while(|l| !l.starts_with("usage")).skip(2).take_while(|l| !l.is_empty());
    lines.filter(|l| !l.starts_with("   ")).map(|l| l.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn help_fits_a_terminal_and_shows_examples() {
    let program = program("rovi-help");
    let verbs = verbs(&program);
    assert!(verbs.len() >= 8 && verbs.contains(&"switch".to_owned()), "{verbs:?}");
    let page = fs::read_to_string(root().join("programs/rovi/rovi.1")).unwrap();
    for verb in &verbs {
        let (status, help, _) = say(&program, &[verb, "--help"]);
        assert_eq!((status, say(&program, &["help", verb]).1), (0, help.clone()));
        assert!(
            help.contains(&format!("\nusage: rovi {verb}")) && help.contains("\nExamples:\n  "),
            "{help}"
        );
        assert!(help.lines().all(|l| l.chars().count() <= 80), "{help}");
        // The manual page has the verb too, with every option.
        assert!(page.contains(&format!(".It Cm {verb}\n")), "rovi.1 lacks {verb}");
        for option in help.split_whitespace().filter_map(|w| w.trim_end_matches(',').strip_prefix("--")) {
            let option = option.trim_end_matches(['`', '.']);
            assert!(page.contains(&format!("-{option}")), "rovi.1 lacks --{option} of {verb}");
        }
    }
    let (status, help, _) = say(&program, &["--help"]);
    assert!(
        status == 0 && help.contains("\nExamples:\n  rovi ") && help.contains("\nExit status: 0 success"),
        "{help}"
    );
    assert!(help.lines().all(|l| l.chars().count() <= 80), "{help}");
}

#[test]
fn what_is_wrong_with_a_command_line_is_one_line_and_status_2() {
    let program = program("rovi-usage");
    for (args, why) in [
        (&[][..], "verb is missing: see `rovi --help`"),
        (&["fly"], "`fly`: unknown verb: expected one of list, status, "),
        (&["--fly"], "`--fly`: unknown verb"),
        (&["start"], "service name is missing: see `rovi start --help`, and `rovi list`"),
        (&["start", "one", "two"], "`two`: unexpected argument: see `rovi start --help`"),
        (&["list", "one"], "`one`: unexpected argument"),
        (&["start", "--fast", "one"], "`--fast`: unknown option"),
        (&["start", "--json=1", "one"], "`--json`: takes no value"),
        (&["status", "-x"], "`-x`: unknown option"),
        (&["logs", "--lines"], "`--lines`: N is missing"),
        (&["logs", "-n", "-1"], "`--lines -1`: invalid number"),
        (&["completions"], "shell is missing: expected one of bash, zsh, fish"),
        (&["completions", "tcsh"], "`tcsh`: unknown shell: expected one of bash, zsh, fish"),
    ] {
        let (status, out, err) = say(&program, args);
        assert_eq!((status, &*out, err.lines().count()), (2, "", 1), "{args:?}: {err}");
        assert!(err.starts_with(&format!("error: {why}")), "{args:?}: {err}");
    }
    let latin = run(Command::new(&program.path).arg("start").arg(OsStr::from_bytes(b"caf\xe9")));
    assert_eq!(latin.status.code(), Some(2));
    let huge = "x".repeat(100_000);
    for name in ["../one", "", "one\ntwo", &huge] {
        let (status, _, err) = say(&program, &["start", name]);
        assert_eq!((status, err.trim_end().ends_with("expected one of one, two")), (4, true), "{err}");
    }
}

#[test]
fn what_needs_no_systemd_works_without_one() {
    let program = program("rovi-list");
    assert_eq!(say(&program, &["list"]).1, "one  one\ntwo  two\n");
    let table: Value = serde_json::from_str(&say(&program, &["list", "--json"]).1).unwrap();
    assert_eq!(table["services"][1]["unit"], "demo-two.service");
    let (_, version, _) = say(&program, &["--version"]);
    assert_eq!(version, format!("rovi {} (demo-services 1.2.3)\n", env!("CARGO_PKG_VERSION")));
    let (status, _, err) = say(&program, &["status"]);
    assert_eq!(
        (status, &*err),
        (1, "error: the system bus: no such file or directory: see `systemctl status dbus.service`\n")
    );
    fs::write(program.path.with_file_name("services.json"), "{").unwrap();
    let (status, _, err) = say(&program, &["list"]);
    assert!(status == 78 && err.lines().count() == 1, "{err}");
}

#[test]
fn a_bus_that_hangs_up_is_one_line() {
    let program = program("rovi-bus");
    let path = program.path.with_file_name("bus");
    let bus = UnixListener::bind(&path).unwrap();
    let hang_up = thread::spawn(move || drop(bus.accept().unwrap()));
    let address = format!("unix:path={}", path.display());
    let output = run(Command::new(&program.path).arg("status").env("DBUS_SYSTEM_BUS_ADDRESS", address));
    hang_up.join().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.starts_with("error: the system bus: ") && err.lines().count() == 1, "{err}");
}

#[test]
fn every_shell_completes() {
    testbed::host::need(&[("zsh", "zsh"), ("fish", "fish"), ("shellcheck", "shellcheck")]).unwrap();
    let program = program("rovi-shells");
    let dir = program.path.parent().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        fs::write(dir.join(shell), say(&program, &["completions", shell]).1).unwrap();
    }
    let asked =
        "export PATH=.:$PATH; . ./bash; COMP_WORDS=(rovi start t); COMP_CWORD=2; _rovi; echo ${COMPREPLY[@]}";
    assert_eq!(ok(Command::new("bash").current_dir(dir).args(["-c", asked])), "two\n");
    let fish = "set -x PATH . $PATH; source fish; complete -C 'rovi sta'; complete -C 'rovi switch o'; complete -C 'rovi status --w'";
    assert_eq!(
        ok(Command::new("fish").current_dir(dir).args(["--no-config", "-c", fish])),
        "start\nstatus\none\n--watch\n"
    );
    // compadd works only in an interactive shell, so check its arguments instead.
    let zsh = "path=(. $path); compadd() { print -- ${@:2} }; words=(rovi start o); CURRENT=3; . ./zsh; \
               words=(rovi start ''); CURRENT=3; _rovi";
    assert_eq!(
        ok(Command::new("zsh").current_dir(dir).args(["-f", "-c", zsh])),
        "one\none two --json --help\n"
    );
    sh(root(), "shellcheck --shell=bash programs/rovi/completions/bash");
}
