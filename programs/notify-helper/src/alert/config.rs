//! Who is told, and how: one file of `Key=value` lines, in which everything is optional.
//!
//! A fault in it is reported and the rest of it counts: an alert that somebody waits for is worth more than a file
//! without faults. Addresses may be secrets, so that values are never repeated in messages.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::failure::reason;
use base::span;

/// More than this is no configuration.
const LONGEST: u64 = 64 * 1024;

/// How many of each may be named.
const MOST: usize = 20;

const KNOWN: &str =
    "MailTo, MailFrom, Webhook, WebhookHeader, Command, Desktop, Lines, Interval, Timeout, Tries";

/// What the file says, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Addresses for `sendmail`.
    pub mail_to: Vec<String>,
    /// The sender's; the mail system's own choice without it.
    pub mail_from: Option<String>,
    /// Addresses that JSON is posted to.
    pub webhooks: Vec<String>,
    /// Further lines of such a request.
    pub headers: Vec<String>,
    /// For the shell.
    pub commands: Vec<String>,
    /// Whether the user sees it on the desktop.
    pub desktop: bool,
    /// How many lines of the journal come along.
    pub lines: u32,
    /// Of one unit's alerts, one in this time.
    pub interval: Duration,
    /// How long one try may take.
    pub timeout: Duration,
    /// How often a delivery is tried.
    pub tries: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mail_to: Vec::new(),
            mail_from: None,
            webhooks: Vec::new(),
            headers: Vec::new(),
            commands: Vec::new(),
            desktop: false,
            lines: 20,
            interval: Duration::from_secs(600),
            timeout: Duration::from_secs(10),
            tries: 3,
        }
    }
}

impl Config {
    /// Reads the first of these files that exists; without one, nothing is set. The faults come along.
    pub(crate) fn read(files: &[PathBuf]) -> (Config, Vec<String>) {
        for file in files {
            let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
            return match text(file) {
                Ok(text) => Config::parse(&name, &text),
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(e) => {
                    let todo = "alerts go only to the journal: make it a file that this user can read";
                    (Config::default(), vec![format!("`{}`: {}: {todo}", file.display(), reason(&e))])
                }
            };
        }
        (Config::default(), Vec::new())
    }

    fn parse(name: &str, text: &str) -> (Config, Vec<String>) {
        let (mut config, mut faults) = (Config::default(), Vec::new());
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let wrong = match line.split_once('=') {
                Some((key, value)) => config.set(key.trim_end(), value.trim_start()),
                None => Err("expected `Key=value`".to_owned()),
            };
            if let Err(why) = wrong {
                faults.push(format!("`{name}`, line {}: {why}: correct it", number + 1));
            }
            if faults.len() == MOST {
                faults.push(format!("`{name}`: too many errors: the rest is ignored"));
                break;
            }
        }
        (config, faults)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let full = |list: &[String]| {
            if list.len() < MOST { Ok(()) } else { Err(format!("at most {MOST} `{key}` lines are allowed")) }
        };
        if value.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
            return Err(format!("`{key}` contains invalid characters"));
        }
        match key {
            // Nothing is a value as well: it takes back what was said before.
            "MailTo" if value.is_empty() => self.mail_to.clear(),
            "MailTo" => {
                for to in value.split([' ', ',', '\t']).filter(|to| !to.is_empty()) {
                    full(&self.mail_to)?;
                    self.mail_to.push(address(key, to)?);
                }
            }
            "MailFrom" => self.mail_from = if value.is_empty() { None } else { Some(address(key, value)?) },
            "Webhook" if value.is_empty() => self.webhooks.clear(),
            "Webhook" => {
                full(&self.webhooks)?;
                super::post::check(value)?;
                self.webhooks.push(value.to_owned());
            }
            "WebhookHeader" if value.is_empty() => self.headers.clear(),
            "WebhookHeader" => {
                full(&self.headers)?;
                self.headers.push(header(value)?);
            }
            "Command" if value.is_empty() => self.commands.clear(),
            "Command" => {
                full(&self.commands)?;
                self.commands.push(value.to_owned());
            }
            "Desktop" => {
                self.desktop = match value {
                    "yes" | "true" | "on" | "1" => true,
                    "no" | "false" | "off" | "0" | "" => false,
                    _ => return Err("`Desktop` must be yes or no".to_owned()),
                }
            }
            "Lines" => self.lines = number(key, value, 0, 200)?,
            "Interval" => self.interval = time(key, value, 1, 86_400)?,
            "Timeout" => self.timeout = time(key, value, 1, 60)?,
            "Tries" => self.tries = number(key, value, 1, 10)?,
            _ => {
                let key: String = key.chars().take(40).collect();
                return Err(format!("unknown key `{key}`: expected one of {KNOWN}"));
            }
        }
        Ok(())
    }
}

fn text(file: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(file)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(io::Error::other("larger than 64 KiB"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Sent to a mail system as a word of a command line.
fn address(key: &str, value: &str) -> Result<String, String> {
    let fits = value.chars().all(|c| c.is_ascii_graphic() && !"<>,;\"\\()|".contains(c));
    if fits && !value.starts_with('-') && value.len() <= 254 {
        Ok(value.to_owned())
    } else {
        Err(format!("`{key}` contains an invalid address, expected for example ana@example.org"))
    }
}

fn header(value: &str) -> Result<String, String> {
    let name = value.split_once(':').map_or("", |(name, _)| name);
    let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let ours = ["content-length", "content-type", "host", "connection", "transfer-encoding"];
    if !fits || ours.contains(&&*name.to_ascii_lowercase()) {
        return Err("`WebhookHeader` must be `Name: value`, with a name that is not set already".to_owned());
    }
    Ok(value.to_owned())
}

fn number(key: &str, value: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = value.parse().ok().filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| format!("`{key}` must be a number from {least} to {most}"))
}

fn time(key: &str, value: &str, least: u64, most: u64) -> Result<Duration, String> {
    let span = span::parse(value).filter(|s| (least..=most).contains(&s.as_secs()));
    span.ok_or_else(|| {
        format!("`{key}` must be a time span such as `90` or `1min 30s`, from {least} s to {most} s")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_and_nothing() {
        let text = "# a\n; b\n\nMailTo=a@b, c@d\nMailTo=e\nMailFrom = r@x\nWebhook=http://h/x\nCommand=a = b\n\
                    Desktop=yes\nLines=5\nInterval=1min\nTimeout=2\nTries=1\nWebhookHeader=Authorization: x y\n";
        let (config, faults) = Config::parse("f", text);
        assert_eq!(faults, [""; 0]);
        assert_eq!((config.mail_to.len(), &*config.commands[0], config.lines), (3, "a = b", 5));
        assert_eq!(Config::parse("f", "MailTo=a\nMailTo=\n").0, Config::default());
    }

    #[test]
    fn faults_leave_the_rest() {
        let text = "MailTo=-oQ/tmp\nWhat=1\nLines=201\nInterval=0\nx\nWebhook=ftp://h\nWebhookHeader=Host: x\nCommand=a\u{1b}b\nCommand=ok\n";
        let (config, faults) = Config::parse("f", text);
        assert_eq!((faults.len(), config.commands), (8, vec!["ok".to_owned()]));
        assert_eq!(faults[2], "`f`, line 3: `Lines` must be a number from 0 to 200: correct it");
    }
}
