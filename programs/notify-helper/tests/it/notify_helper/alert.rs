//! Tests `notify-helper alert` with stand-ins for systemd, the journal and the mail system, and with real receivers.
//! `tests/machine/alert/main.rs` uses the real systemd, journal and mail system.

mod receiver;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::scratch::{Scratch, scratch};

use receiver::receiver;

const UNIT: &str = "a@b\\x2dc:d.service";

/// A directory with stand-ins on the `PATH`, a configuration, and a state directory for earlier alerts.
struct Place {
    dir: Scratch,
}

fn place(test: &str, config: &str) -> Place {
    let place = Place { dir: scratch(&format!("alert-{test}")) };
    for directory in ["bin", "run"] {
        fs::create_dir_all(place.dir.join(directory)).unwrap();
    }
    fs::write(place.dir.join("alert.conf"), config).unwrap();
    place.program("systemctl", "echo \"$@\" >>asked; cat show 2>/dev/null");
    place.program("journalctl", "echo \"$@\" >>asked; cat journal 2>/dev/null");
    fs::write(place.dir.join("show"), "LoadState=loaded\nDescription=A <b> & c\nActiveState=failed\nResult=exit-code\nExecMainCode=1\nExecMainStatus=7\nInvocationID=0123456789abcdef0123456789abcdef\nNRestarts=2\n").unwrap();
    place.journal(&[b"the last word"]);
    place
}

impl Place {
    fn program(&self, name: &str, script: &str) {
        let path = self.dir.join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Sets the journal's entries, newest first, in the export format. The failure itself comes first.
    fn journal(&self, lines: &[&[u8]]) {
        let mut bytes = b"__REALTIME_TIMESTAMP=1795169823000000\nSYSLOG_IDENTIFIER=systemd\n_PID=1\nMESSAGE=Failed with result\nMESSAGE_ID=d9b373ed55a64feb8242e02dbe79a49c\n\n".to_vec();
        for line in lines {
            bytes.extend(b"__REALTIME_TIMESTAMP=1795169823000000\nSYSLOG_IDENTIFIER=nav\n_PID=7\nMESSAGE\n");
            bytes.extend((line.len() as u64).to_le_bytes());
            bytes.extend(*line);
            bytes.extend(b"\n\n");
        }
        fs::write(self.dir.join("journal"), bytes).unwrap();
    }

    fn helper(&self, words: &[&str]) -> Command {
        let mut helper = Command::new(env!("CARGO_BIN_EXE_notify-helper"));
        helper.args(words).current_dir(&*self.dir).env_clear().stdin(Stdio::null());
        helper.env("PATH", format!("{}:/usr/bin:/bin", self.dir.join("bin").display()));
        helper.env("RUNTIME_DIRECTORY", self.dir.join("run"));
        helper
    }

    /// Returns the exit status and standard error.
    fn alert(&self) -> (i32, String) {
        outcome(&mut self.helper(&["alert", "--config", "alert.conf", "--", UNIT]))
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.dir.join(file)).unwrap_or_default()
    }
}

fn outcome(command: &mut Command) -> (i32, String) {
    let output = command.output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stderr).unwrap())
}

fn summary() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    format!("{UNIT} failed on {}: exited with status 7\n", host.trim())
}

const OK: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[test]
fn everybody_is_told_everything() {
    let (port, web) = receiver(&[OK]);
    let place = place(
        "all",
        &format!(
            "MailTo=a@b, c@d\nMailFrom=r@x\nWebhook=http://127.0.0.1:{port}/x?y\nWebhookHeader=X-Key: k\nCommand=cat >text; printf %s \"$ALERT_JSON\" >json; echo $ALERT_UNIT $ALERT_STATUS >env\n"
        ),
    );
    place.program("sendmail", "echo \"$@\" >words; cat >mail");
    assert_eq!(place.alert(), (0, summary()));
    let request = web.join().unwrap().remove(0);
    assert!(request.starts_with("POST /x?y HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
    assert!(request.contains("\r\nX-Key: k\r\n"), "{request}");
    let body = request.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(place.read("json"), body);
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    for (field, value) in [
        ("unit", UNIT.into()),
        ("exit-status", 7.into()),
        ("signal", serde_json::Value::Null),
        ("result", "exit-code".into()),
        ("restarts", 2.into()),
        ("invocation", "0123456789abcdef0123456789abcdef".into()),
        ("failed", true.into()),
        (
            "lines",
            serde_json::json!([
                "2026-11-20T10:17:03Z nav[7]: the last word",
                "2026-11-20T10:17:03Z systemd[1]: Failed with result"
            ]),
        ),
    ] {
        assert_eq!(json[field], value, "{field}");
    }
    assert_eq!(json["boot"].as_str().unwrap().len(), 32);
    assert_eq!(place.read("env"), format!("{UNIT} 7\n"));
    assert_eq!(place.read("words"), "-i -f r@x -- a@b c@d\n");
    let mail = place.read("mail");
    assert!(mail.starts_with(&format!("From: r@x\nTo: a@b,\n c@d\nSubject: {}", summary())), "{mail}");
    for part in ["nav[7]: the last word\n", "What:          A <b> & c\n", "Started again: 2 times\n"] {
        assert!(mail.contains(part) && place.read("text").contains(part), "{mail}");
    }
    let asked = place.read("asked");
    // Messages of the unit may be from any run, because the journal does not always record the run. Messages about the unit
    // are from this run.
    let of_this = "INVOCATION_ID=0123456789abcdef0123456789abcdef";
    let words = format!("_SYSTEMD_UNIT={UNIT} + _PID=1 UNIT={UNIT} {of_this}\n");
    assert!(asked.contains(&words), "{asked}");
    assert!(asked.lines().next().unwrap().ends_with(&format!("-- {UNIT}")), "{asked}");
}

/// The values that systemd passed about the failure win over the present state of the unit.
#[test]
fn the_failure_is_told_and_not_what_came_after() {
    let place = place("monitor", "Command=printf %s \"$ALERT_SUMMARY\" >told\n");
    fs::write(place.dir.join("show"), "LoadState=loaded\nActiveState=active\nResult=success\n").unwrap();
    let mut helper = place.helper(&["alert", "--config", "alert.conf", UNIT]);
    helper.envs([
        ("MONITOR_UNIT", UNIT),
        ("MONITOR_SERVICE_RESULT", "watchdog"),
        ("MONITOR_EXIT_CODE", "dumped"),
    ]);
    helper.envs([
        ("MONITOR_EXIT_STATUS", "ABRT"),
        ("MONITOR_INVOCATION_ID", "fedcba9876543210fedcba9876543210"),
    ]);
    assert_eq!(outcome(&mut helper).0, 0);
    assert!(place.read("told").ends_with(": watchdog, ended by signal ABRT"), "{}", place.read("told"));
    assert!(place.read("asked").contains(" INVOCATION_ID=fedcba9876543210fedcba9876543210\n"));
}

#[test]
fn whatever_a_line_holds_is_told_as_text() {
    let (port, web) = receiver(&[OK]);
    let place = place("lines", &format!("Webhook=http://localhost:{port}\nMailTo=a@b\n"));
    place.program("sendmail", "cat >mail");
    let long = vec![b'x'; 300_000];
    place.journal(&[
        b"\"},{\\u0000\x1b[31m\x00\x07",
        b"\xff\xfe\x80",
        b"two\nlines\r\n.\nFrom x",
        &long,
        "\u{202e}é\u{9b}".as_bytes(),
    ]);
    assert_eq!(place.alert().0, 0);
    let request = web.join().unwrap().remove(0);
    let json: serde_json::Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    let lines: Vec<&str> =
        json["lines"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()[29..].trim_start()).collect();
    assert_eq!(lines[0], "\\u{202e}é\\u{9b}");
    assert_eq!(lines[1].chars().count(), 1001);
    assert_eq!(
        &lines[2..5],
        ["two\\nlines\\r\\n.\\nFrom x", "\u{fffd}\u{fffd}\u{fffd}", "\"},{\\u0000\\u{1b}[31m\\u{0}\\u{7}"]
    );
    let mail = place.read("mail");
    assert!(
        mail.is_ascii() && mail.lines().all(|l| l.len() <= 200 && !l.chars().any(char::is_control)),
        "{mail}"
    );
}

/// A crash loop causes one message and then a count. No other alert process starts while the first one waits.
#[test]
fn a_unit_that_keeps_failing_is_told_once_and_then_counted() {
    let place = place("limit", "Interval=2s\nCommand=echo \"$ALERT_AGAIN $ALERT_SUMMARY\" >>told\n");
    let began = Instant::now();
    assert_eq!(place.alert(), (0, summary()));
    // systemd logs three messages about a failure, and each counts once.
    let one = fs::read(place.dir.join("journal")).unwrap();
    fs::write(place.dir.join("journal"), one.repeat(3).as_slice()).unwrap();
    fs::remove_file(place.dir.join("asked")).unwrap();
    // The stand-in for the journal ignores matches, so every entry counts.
    let (status, said) = place.alert();
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(status == 0 && said.contains("failed again: the next alert is sent in "), "{said}");
    let told = place.read("told");
    let told: Vec<&str> = told.lines().collect();
    assert!(told.len() == 2 && told[0].starts_with("0 ") && told[1].starts_with("6 "), "{told:?}");
    assert!(told[1].contains(" failed 6 more times on "), "{told:?}");
    let asked = place.read("asked");
    assert!(
        asked.contains("--since=@") && asked.contains(&format!("_PID=1 UNIT={UNIT} MESSAGE_ID=")),
        "{asked}"
    );
}

/// If the time of the alert cannot be saved, the alert is delivered anyway and the problem is reported.
#[test]
fn a_memory_that_cannot_be_kept_stops_no_alert() {
    let place = place("full", "Command=echo >>told\n");
    let mut helper = place.helper(&["alert", "--config", "alert.conf", UNIT]);
    let (status, said) = outcome(helper.env("RUNTIME_DIRECTORY", "/proc/self"));
    assert_eq!((status, place.read("told")), (0, "\n".to_owned()));
    assert!(
        said.starts_with(&format!("error: `/proc/self/{UNIT}`: ")) && said.contains("free space there"),
        "{said}"
    );
}

#[test]
fn who_does_not_answer_is_tried_and_holds_up_nobody() {
    let (hangs, web) = receiver(&["", ""]);
    let (fails, other) = receiver(&["HTTP/1.1 500 No\r\n\r\n", OK]);
    let (refuses, third) = receiver(&["HTTP/1.1 404 No\r\n\r\n"]);
    let config = format!(
        "MailTo=a@b\nTimeout=1\nTries=2\nCommand=echo >>told\nWebhook=http://127.0.0.1:{hangs}/secret\nWebhook=http://127.0.0.1:{fails}\nWebhook=http://127.0.0.1:{refuses}\nCommand=exit 3\n"
    );
    let place = place("hangs", &config);
    place.program("sendmail", "sleep 60");
    let began = Instant::now();
    let (status, said) = place.alert();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for line in [
        format!("error: `{UNIT}`: some alerts were not delivered: see above"),
        "error: command: ended with exit status: 3: alert not delivered".to_owned(),
        format!("error: http://127.0.0.1:{refuses}: HTTP status 404: alert not delivered"),
        format!("error: http://127.0.0.1:{hangs}: no answer in time: alert not delivered"),
        "error: mail: timed out and was killed: alert not delivered".to_owned(),
    ] {
        assert!(said.lines().any(|l| l == line), "{line}: {said}");
    }
    assert_eq!(said.lines().count(), 6, "{said}");
    assert_eq!((status, place.read("told")), (1, "\n".to_owned()));
    assert_eq!(
        (web.join().unwrap().len(), other.join().unwrap().len(), third.join().unwrap().len()),
        (2, 2, 1)
    );
}

#[test]
fn https_goes_through_curl_and_no_secret_is_on_a_command_line() {
    let place =
        place("curl", "Webhook=https://hooks.example.org/T/\"s\nWebhookHeader=Authorization: b\nTries=1\n");
    place.program("curl", "echo \"$@\" >words; cat >config");
    assert_eq!(place.alert(), (0, summary()));
    let words = place.read("words");
    assert!(
        words.starts_with("--disable ") && !words.contains("hooks") && !words.contains("Auth"),
        "{words}"
    );
    let config = place.read("config");
    assert!(
        config.starts_with("url = \"https://hooks.example.org/T/\\\"s\"\nheader = \"Authorization: b\"\n"),
        "{config}"
    );
    assert!(config.contains("data-raw = \"{\\\"text\\\":"), "{config}");
    place.program("curl", "echo 'curl: (60) no' >&2; exit 60");
    fs::remove_file(place.dir.join("run").join(UNIT)).unwrap();
    let (status, said) = place.alert();
    assert_eq!(status, 1);
    assert!(
        said.contains("curl: (60) no\nerror: https://hooks.example.org: ended with exit status: 60: "),
        "{said}"
    );
}

#[test]
fn what_is_missing_is_said() {
    let place = place("missing", "MailTo=a@b\nWebhook=https://x\n");
    fs::remove_dir_all(place.dir.join("bin")).unwrap();
    let mut helper = place.helper(&["alert", "--config", "alert.conf", UNIT]);
    let (status, said) = outcome(helper.env("PATH", "/nowhere"));
    assert_eq!(status, 1);
    for part in [
        "warning: `systemctl show a@b\\x2dc:d.service`: no such file or directory: ",
        "warning: `journalctl`: no such file or directory: ",
        "install a mail system, such as msmtp-mta: alert not delivered",
        "`curl`: no such file or directory; https and host names require curl, install it: ",
    ] {
        // A mail system of this host would be found in its usual place.
        let skip = part.contains("mail system") && std::path::Path::new("/usr/sbin/sendmail").exists();
        assert!(skip || said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_configuration_that_is_wrong_is_followed_as_far_as_it_goes() {
    let place = place("config", "MailTo=-oX\nGarbage\nCommand=echo >>told\n\u{1}\u{2}=\u{3}\n");
    let (status, said) = place.alert();
    assert_eq!((status, place.read("told")), (78, "\n".to_owned()));
    assert!(
        said.starts_with(
            "error: `alert.conf`, line 1: `MailTo` contains an invalid address, expected for example \
             ana@example.org: correct it\nerror: `alert.conf`, line 2: expected `Key=value`: correct it\n\
             error: `alert.conf`, line 4: "
        ),
        "{said}"
    );
    // A missing configuration is valid; an unreadable one is an error.
    fs::remove_file(place.dir.join("alert.conf")).unwrap();
    fs::remove_file(place.dir.join("run").join(UNIT)).unwrap();
    assert_eq!(place.alert(), (0, summary()));
    for garbage in [vec![0xff_u8; 100], vec![b'x'; 100_000], b"\0\0\0".to_vec()] {
        fs::remove_file(place.dir.join("run").join(UNIT)).unwrap();
        fs::write(place.dir.join("alert.conf"), garbage).unwrap();
        let (status, said) = place.alert();
        assert!(status == 78 && said.contains(&summary()), "{said}");
    }
    fs::remove_file(place.dir.join("alert.conf")).unwrap();
    fs::create_dir(place.dir.join("alert.conf")).unwrap();
    fs::remove_file(place.dir.join("run").join(UNIT)).unwrap();
    let (status, said) = place.alert();
    assert!(
        status == 78
            && said.starts_with("error: `alert.conf`: is a directory: alerts go only to the journal"),
        "{said}"
    );
}

#[test]
fn a_unit_that_there_is_not_and_an_alert_about_an_alert() {
    let place = place("unit", "Command=echo >>told\n");
    fs::write(place.dir.join("show"), "LoadState=not-found\nActiveState=inactive\n").unwrap();
    let (status, said) = place.alert();
    let todo = "choose one from `systemctl list-units --all`";
    assert_eq!((status, said), (1, format!("error: `{UNIT}`: no such unit: {todo}\n")));
    for own in ["rovi-alert@x.service.service", "rovi-alert-mail@x.service.service"] {
        let (status, said) = outcome(&mut place.helper(&["alert", "--config", "alert.conf", "--", own]));
        assert!(
            status == 0
                && said.starts_with(&format!("warning: `{own}`: no alert is sent about an alert unit")),
            "{said}"
        );
    }
    for no in ["x", "a b.service", "a\n.service", "../a.service", "", "-x", "é.service"] {
        let (status, said) = outcome(&mut place.helper(&["alert", "--", no]));
        assert!(status == 2 && said.lines().count() == 1 && said.starts_with("error: `"), "{no:?}: {said}");
    }
    assert_eq!(place.read("told"), "");
}

/// Sends the mail from a file that the confined process wrote.
#[test]
fn a_mail_that_was_left_is_sent_once() {
    let place = place("left", "MailTo=a@b\nTries=1\n");
    place.program("sendmail", "cat >>mail");
    let alert = ["alert", "--config", "alert.conf", "--leave-mail", "run/mail", "--", UNIT];
    assert_eq!(outcome(&mut place.helper(&alert)), (0, summary()));
    assert_eq!(place.read("mail"), "");
    for _ in 0..2 {
        assert_eq!(
            outcome(&mut place.helper(&["mail", "--config", "alert.conf", "--", "run/mail"])),
            (0, String::new())
        );
        assert_eq!(place.read("mail").matches("Subject: ").count(), 1);
    }
    place.program("sendmail", "exit 75");
    fs::write(place.dir.join("run/mail"), "x").unwrap();
    let (status, said) = outcome(&mut place.helper(&["mail", "--config", "alert.conf", "--", "run/mail"]));
    assert_eq!((status, said.lines().count()), (1, 2), "{said}");
    std::os::unix::fs::symlink("/etc/passwd", place.dir.join("run/mail")).unwrap();
    let (status, said) = outcome(&mut place.helper(&["mail", "--config", "alert.conf", "--", "run/mail"]));
    assert_eq!(
        (status, &*said),
        (1, "error: mail: `run/mail`: not a regular file: see the log of the alert unit\n")
    );
}

/// A receiver that does not answer does not delay a stop.
#[test]
fn it_ends_when_it_is_told_to() {
    let (hangs, _web) = receiver(&[""]);
    let place =
        place("stop", &format!("Webhook=http://127.0.0.1:{hangs}\nTimeout=60\nCommand=touch begun\n"));
    let mut child =
        place.helper(&["alert", "--config", "alert.conf", UNIT]).stderr(Stdio::null()).spawn().unwrap();
    support::event::wait_until("it has begun", || place.dir.join("begun").exists());
    let began = Instant::now();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    child.wait().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
