//! The alert configuration: one file of optional `Key=value` lines.
//!
//! An error in the file is reported, and the remaining lines are used, because the alert is more important.
//! Addresses may be secrets, so messages never repeat values.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::failure::reason;
use base::span;

/// Largest configuration file.
const LONGEST: u64 = 64 * 1024;

/// Maximum number of values per key.
const MOST: usize = 20;

const KNOWN: &str =
    "MailTo, MailFrom, Webhook, WebhookHeader, Command, Desktop, Lines, Interval, Timeout, Tries";

/// The content of the configuration file, or defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Addresses for `sendmail`.
    pub mail_to: Vec<String>,
    /// Sender; by default chosen by the mail system.
    pub mail_from: Option<String>,
    /// URLs that receive JSON by POST.
    pub webhooks: Vec<String>,
    /// Additional headers of the requests.
    pub headers: Vec<String>,
    /// Shell commands.
    pub commands: Vec<String>,
    /// Whether to show a desktop notification.
    pub desktop: bool,
    /// Number of journal lines in an alert.
    pub lines: u32,
    /// Minimum time between alerts about one unit.
    pub interval: Duration,
    /// Time limit of one attempt.
    pub timeout: Duration,
    /// Maximum number of attempts.
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
    /// Reads the first of these files that exists; returns defaults without one. Also returns the errors.
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
            // An empty value clears earlier ones.
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
                super::url::check(value)?;
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

/// The address becomes an argument of the mail system.
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
