//! Delivers a message to all recipients, with limits on attempts and on time.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base::failure::{Failure, reason};
use base::say::say;

use super::config::Config;
use super::facts::Facts;
use super::message::Message;
use super::options::Options;
use super::refusal::{Refusal, run_bounded};
use super::{mail, post, url};

/// Pause before the second attempt; each further pause is four times as long.
const PAUSE: Duration = Duration::from_secs(1);

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One delivery.
#[derive(Debug, Clone, Copy)]
enum Way<'a> {
    Mail,
    Desktop,
    Command(&'a str),
    Webhook(&'a str),
}

/// Delivers the message to all recipients. Returns whether all deliveries succeeded; a mail that is written
/// to a file counts as success.
pub(crate) fn deliver(options: &Options, config: &Config, facts: &Facts, lines: &[String]) -> bool {
    let message = &Message::compose(facts, lines, options.user);
    // The journal gets every alert; it already contains the lines.
    say(&message.summary);
    let mail = message.mail(config.mail_from.as_deref(), &config.mail_to);
    let mut told = true;
    // The slowest deliveries come last.
    let mut ways = Vec::new();
    match &options.leave_mail {
        _ if config.mail_to.is_empty() => {}
        None => ways.push(Way::Mail),
        Some(file) => {
            if let Err(e) = mail::leave(file, &mail) {
                say(format!("error: mail: `{}`: {}: free space there", file.display(), reason(&e)));
                told = false;
            }
        }
    }
    if config.desktop && options.user {
        ways.push(Way::Desktop);
    } else if config.desktop {
        say("warning: `Desktop`: works only for services of users");
    }
    ways.extend(config.commands.iter().map(|command| Way::Command(command)));
    ways.extend(config.webhooks.iter().map(|url| Way::Webhook(url)));
    let bound = config.timeout;
    let all = tried(ways, config.tries, |way| match way {
        Way::Mail => mail::send(config, mail.as_bytes()),
        Way::Desktop => desktop(message, bound),
        Way::Command(command) => run(command, facts, message, bound),
        Way::Webhook(url) => post::post(url, &config.headers, &message.json, bound),
    });
    told && all
}

/// Sends the mail in the file, and mail that is written meanwhile.
pub(crate) fn send_left(config: &[PathBuf], file: &Path) -> Result<(), Failure> {
    let mut all = true;
    loop {
        let mail = match mail::take(file) {
            Ok(mail) => mail,
            Err(e) if e.kind() == io::ErrorKind::NotFound && all => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(Failure::failed("mail: not sent: see above"));
            }
            Err(e) => {
                return Err(Failure::failed(format!(
                    "mail: `{}`: {}: see the log of the alert unit",
                    file.display(),
                    reason(&e)
                )));
            }
        };
        // The process that wrote the mail has reported the errors.
        let (config, _) = Config::read(config);
        if config.mail_to.is_empty() {
            say("warning: mail: `MailTo` is no longer set: mail not sent");
        } else {
            all &= tried(vec![Way::Mail], config.tries, |_| mail::send(&config, &mail));
        }
    }
}

/// Tries each delivery once, then repeats those that failed, so that none waits for all attempts of another.
/// Reports each one that fails for good.
fn tried(mut ways: Vec<Way<'_>>, tries: u32, send: impl Fn(Way<'_>) -> Result<(), Refusal>) -> bool {
    let mut all = true;
    let mut pause = PAUSE;
    for round in 1..=tries {
        ways.retain(|&way| {
            let why = match send(way) {
                Ok(()) => return false,
                Err(Refusal::ForNow(_)) if round < tries => return true,
                Err(Refusal::ForNow(why) | Refusal::ForGood(why)) => why,
            };
            let name = match way {
                Way::Mail => "mail",
                Way::Desktop => "desktop",
                Way::Command(_) => "command",
                Way::Webhook(url) => url::without_path(url),
            };
            say(format!("error: {name}: {why}: alert not delivered"));
            all = false;
            false
        });
        if ways.is_empty() {
            break;
        }
        std::thread::sleep(pause);
        pause = (pause * 4).min(LONGEST_PAUSE);
    }
    all
}

/// The text is the command's standard input; its environment has the fields.
fn run(command: &str, facts: &Facts, message: &Message, bound: Duration) -> Result<(), Refusal> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]);
    for (name, value) in [
        ("UNIT", facts.unit.clone()),
        ("SUMMARY", message.summary.clone()),
        ("JSON", message.json.clone()),
        ("RESULT", facts.result.clone()),
        ("STATUS", facts.status.map(|s| s.to_string()).unwrap_or_default()),
        ("SIGNAL", facts.signal.clone().unwrap_or_default()),
        ("AGAIN", facts.again.unwrap_or_default().to_string()),
        ("INVOCATION", facts.invocation.clone()),
        ("HOST", facts.host.clone()),
        ("BOOT", facts.boot.clone()),
    ] {
        shell.env(format!("ALERT_{name}"), value);
    }
    run_bounded(&mut shell, message.text.as_bytes(), bound)
}

/// busctl is part of systemd; a notification program may not be installed.
fn desktop(message: &Message, bound: Duration) -> Result<(), Refusal> {
    // Some desktops interpret markup.
    let body: String = message.text.lines().skip(2).take(12).collect::<Vec<_>>().join("\n");
    let body = body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut busctl = Command::new("busctl");
    let name = "org.freedesktop.Notifications";
    busctl.args(["--user", "--quiet", "call", name, "/org/freedesktop/Notifications", name, "Notify"]);
    // Program, id to replace, icon, summary, text, no buttons, one hint (critical), the desktop's default
    // timeout.
    busctl.args(["susssasa{sv}i", "notify-helper", "0", "dialog-error", &message.summary, &body]);
    busctl.args(["0", "1", "urgency", "y", "2", "--", "-1"]);
    run_bounded(&mut busctl, b"", bound)
}
