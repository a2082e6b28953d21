//! notify-helper does not change the command's exit status, signals, environment or process group.

use std::process::Command;

use rustix::process::Signal;

use super::{Running, place};

#[test]
fn its_status_passes() {
    let place = place("status");
    place.manager.confirm();
    for (status, program) in
        [(0, "exit 0"), (7, "exit 7"), (137, "kill -KILL $$"), (143, "kill $$"), (134, "kill -ABRT $$")]
    {
        let program = format!("ulimit -c 0; {program}");
        assert_eq!(
            place.run(&["--ready", "file:/"], &["sh", "-c", &program]).outcome().0,
            status,
            "{program}"
        );
    }
}

#[test]
fn a_signal_reaches_it_and_it_is_the_process_that_was_started() {
    let place = place("signal");
    let running = place.run(
        &["--ready", "file:up"],
        &["sh", "-c", "trap 'exit 9' USR1; echo $$; >up; while :; do sleep .05; done"],
    );
    place.manager.wait_for("READY=1");
    let pid = running.pid();
    running.kill(Signal::USR1);
    let (status, stdout, _) = running.outcome();
    assert_eq!((status, stdout), (9, format!("{pid}\n")));
}

#[test]
fn its_environment_is_its_own() {
    let place = place("environment");
    place.manager.confirm();
    let mut helper = place.helper(&["--ready", "file:/"], &["env", "-0"]);
    helper.env_clear().env("PATH", "/usr/bin:/bin").env("NOTIFY_SOCKET", place.path("n")).env("A", "b\nc");
    helper.env("WATCHDOG_USEC", "1000000").env("WATCHDOG_PID", "1").env("LISTEN_FDS", "1");
    for by_systemd in [false, true] {
        let command = if by_systemd { as_systemd(&mut helper) } else { helper.spawn().unwrap() };
        let (status, stdout, stderr) = Running { child: command }.outcome();
        let mut entries: Vec<&str> = stdout
            .split_terminator('\0')
            .filter(|e| !e.starts_with("SYSTEMD_EXEC_PID=") && !e.starts_with("PWD="))
            .collect();
        entries.sort_unstable();
        assert_eq!((status, entries), (0, vec!["A=b\nc", "LISTEN_FDS=1", "PATH=/usr/bin:/bin"]), "{stderr}");
    }
}

/// Runs it through a parent shell that is replaced by it.
fn as_systemd(helper: &mut Command) -> std::process::Child {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "unset PWD OLDPWD; SYSTEMD_EXEC_PID=$$ exec \"$0\" \"$@\""])
        .arg(helper.get_program())
        .args(helper.get_args());
    shell.env_clear().envs(helper.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(helper.get_current_dir().unwrap()).stdout(std::process::Stdio::piped());
    shell.stderr(std::process::Stdio::piped()).spawn().unwrap()
}

/// systemd starts services with SIGPIPE ignored, and a shell does not. notify-helper changes neither.
#[test]
fn sigpipe_is_as_it_was() {
    let place = place("sigpipe");
    place.manager.confirm();
    let ignored = |child| {
        let (_, stdout, _) = Running { child }.outcome();
        u64::from_str_radix(stdout.trim().rsplit('\t').next().unwrap(), 16).unwrap() & (1 << 12) != 0
    };
    let mut helper = place.helper(&["--ready", "file:/"], &["grep", "SigIgn", "/proc/self/status"]);
    assert!(!ignored(helper.spawn().unwrap()));
    assert!(ignored(as_systemd(helper.env("PATH", "/usr/bin:/bin"))));
}

/// In a shell there is no service manager to notify.
#[test]
fn without_a_manager_it_is_only_run() {
    let place = place("shell");
    let mut helper =
        place.helper(&["--ready", "log:x", "--watchdog", "tcp:1"], &["sh", "-c", "read x; exit 3"]);
    helper.stdin(std::process::Stdio::piped()).env_remove("NOTIFY_SOCKET");
    let mut running = Running { child: helper.spawn().unwrap() };
    let words = || std::fs::read(format!("/proc/{}/cmdline", running.pid())).unwrap();
    super::wait_until("it is the command", || words().starts_with(b"sh\0"));
    assert!(running.watchers().is_empty());
    drop(running.child.stdin.take());
    let (status, stdout, stderr) = running.outcome();
    assert_eq!((status, &*stdout, &*stderr), (3, "", ""));
    let (status, _, _) = Running {
        child: helper.stdin(std::process::Stdio::null()).env("NOTIFY_SOCKET", "").spawn().unwrap(),
    }
    .outcome();
    assert_eq!(status, 3);
}

#[test]
fn a_command_that_does_not_exist() {
    let place = place("missing");
    place.manager.confirm();
    for by_systemd in [false, true] {
        let mut helper = place.helper(&["--ready", "file:/nowhere"], &["no-such-program"]);
        helper.env("PATH", "/usr/bin:/bin");
        let child = if by_systemd { as_systemd(&mut helper) } else { helper.spawn().unwrap() };
        let (status, _, stderr) = Running { child }.outcome();
        let expected = "error: `no-such-program`: no such file or directory: install it or correct the command\n\
                        error: the command ended before it was ready: waiting for file /nowhere, 0 s";
        assert_eq!((status, stderr.split(": does not").next().unwrap().trim_end()), (78, expected));
    }
}

#[test]
fn a_wrong_command_line_is_refused() {
    let place = place("usage");
    place.manager.confirm();
    let http = "expected a URL such as http://127.0.0.1:8080/health";
    let tls = "https is not supported: use a plain http URL, or exec:curl";
    let known = "expected tcp:[HOST:]PORT, connected:[HOST:]PORT, unix:PATH, http:URL, file:PATH, log:REGEX or exec:COMMAND";
    for (options, message) in [
        (&[][..], "`run`: expected at least one `--ready`".to_owned()),
        (&["--ready", "tcp:0"], "`--ready tcp:0`: expected PORT or HOST:PORT".into()),
        (&["--ready", "udp:1"], format!("`--ready udp:1`: {known}")),
        (&["--ready", "file:"], format!("`--ready file:`: {known}")),
        (&["--ready", "https://localhost"], format!("`--ready https://localhost`: {tls}")),
        (&["--ready", "http:https://localhost"], format!("`--ready http:https://localhost`: {tls}")),
        (&["--ready", "http:8080"], format!("`--ready http:8080`: {http}")),
        (
            &["--ready", "http://robot/"],
            "`--ready http://robot/`: the host must be an IP address or localhost".into(),
        ),
        (
            &["--watchdog", "log:x"],
            "`--watchdog log:x`: a `log:` probe only detects the start: use another probe".into(),
        ),
        (
            &["--ready", "file:/", "--grace", "x"],
            "`--grace x`: expected a time span such as `90` or `1min 30s`".into(),
        ),
        (
            &["--ready", "file:/", "--http-body", "x"],
            "`--http-body x`: expected an `http:` probe before it".into(),
        ),
        (
            &["--ready", "http://[::1]/", "--http-status", "9"],
            "`--http-status 9`: expected a status such as `404` or `200-399`".into(),
        ),
        (&["--when"], "`--when`: unknown option of `run`".into()),
    ] {
        let (status, stdout, stderr) = place.run(options, &["true"]).outcome();
        assert_eq!(
            (status, stdout, stderr),
            (2, String::new(), format!("error: {message}: see `notify-helper --help`\n"))
        );
    }
    assert_eq!(place.run(&["--ready", "log:("], &["true"]).outcome().0, 2);
    assert_eq!(place.run(&["--ready", "file:/"], &[]).outcome().0, 2);
}
