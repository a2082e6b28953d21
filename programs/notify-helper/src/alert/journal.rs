//! Reads a unit's last messages and its number of failures from the journal.
//!
//! It parses journalctl's export format, the only one that preserves any bytes: other formats turn text that
//! is not UTF-8 into numbers and omit long lines. The result contains only printable characters and has
//! limited length.

use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use base::failure::reason;
use base::moment;
use base::say::say;

use super::child;
use super::facts::Facts;
use super::options::Options;

/// Time limit for one journalctl.
const PATIENCE: Duration = Duration::from_secs(20);

/// Limit for its output; the newest messages are kept.
const LONGEST: usize = 4 << 20;

/// Longest message in an alert.
const LONGEST_LINE: usize = 1000;

/// Time until the journal shows the failure itself; everything before it is in the journal by then.
const SETTLING: Duration = Duration::from_secs(2);

/// systemd's message id of `Failed with result …`.
const FAILURE: &str = "MESSAGE_ID=d9b373ed55a64feb8242e02dbe79a49c";

/// Returns the last messages of the unit's last run, oldest first, with time and sender.
pub(crate) fn lines(options: &Options, facts: &Facts, count: u32) -> Vec<String> {
    if count == 0 {
        return Vec::new();
    }
    let until = Instant::now() + SETTLING;
    let mut before = Vec::new();
    loop {
        // Request more than needed, because some may belong to another run.
        let entries = match ask(&matches(options, facts), count.saturating_mul(2).saturating_add(50), None) {
            Ok(entries) => of_run(entries, &facts.invocation, count as usize),
            Err(why) => {
                say(format!("warning: `journalctl`: {why}: the alert lacks the last journal lines"));
                return Vec::new();
            }
        };
        // Messages from the unit and about the unit arrive on different paths: both are complete when a
        // second query finds nothing new.
        let settled = entries.iter().any(|e| e.is_failure) || !facts.has_failed();
        if settled && entries == before || Instant::now() >= until {
            return entries.iter().rev().map(Entry::describe).collect();
        }
        before = entries;
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Returns how often the unit has failed since that time.
pub(crate) fn failures(options: &Options, since: SystemTime) -> u64 {
    let mut matches = unit_matches(options);
    matches.push(FAILURE.to_owned());
    let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let since = format!("--since=@{}.{:06}", since.as_secs(), since.subsec_micros());
    match ask(&matches, 100_000, Some(since)) {
        Ok(entries) => entries.len() as u64,
        Err(why) => {
            say(format!("warning: `journalctl`: {why}: the number of failures is unknown"));
            0
        }
    }
}

/// Messages from the unit and, from its manager, about the unit.
fn matches(options: &Options, facts: &Facts) -> Vec<String> {
    let own = if options.user { "_SYSTEMD_USER_UNIT" } else { "_SYSTEMD_UNIT" };
    let mut matches = vec![format!("{own}={}", options.unit), "+".to_owned()];
    matches.extend(unit_matches(options));
    if is_id(&facts.invocation) {
        let by_manager = if options.user { "USER_INVOCATION_ID" } else { "INVOCATION_ID" };
        matches.push(format!("{by_manager}={}", facts.invocation));
    }
    matches
}

fn is_id(invocation: &str) -> bool {
    invocation.len() == 32 && invocation.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Returns the newest `count` messages of that run, newest first.
///
/// The journal looks up the run of a message when it receives it. For a process that has already ended it
/// knows only the unit: such a message belongs to this run if it came after the manager's first message about
/// the run.
fn of_run(entries: Vec<Entry>, invocation: &str, count: usize) -> Vec<Entry> {
    let first = entries.iter().rposition(|e| e.told_of == invocation);
    let of_run = |at: usize, entry: &Entry| match (&*entry.told_of, &*entry.run) {
        (told_of, run) if told_of == invocation || run == invocation => true,
        ("", "") => first.is_none_or(|first| at < first),
        _ => false,
    };
    let known = is_id(invocation);
    let entries = entries.into_iter().enumerate().filter(|(at, entry)| !known || of_run(*at, entry));
    entries.map(|(_, entry)| entry).take(count).collect()
}

/// Messages of a manager about the unit: anybody can set these fields, so only managers are accepted.
fn unit_matches(options: &Options) -> Vec<String> {
    match options.user {
        false => vec!["_PID=1".to_owned(), format!("UNIT={}", options.unit)],
        true => vec![
            format!("_UID={}", rustix::process::getuid().as_raw()),
            format!("USER_UNIT={}", options.unit),
        ],
    }
}

/// Queries the journal, newest message first.
fn ask(matches: &[String], count: u32, since: Option<String>) -> Result<Vec<Entry>, String> {
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--reverse", "--output=export", "--all"]);
    command.arg(format!("--lines={count}"));
    command.arg(
        "--output-fields=MESSAGE,MESSAGE_ID,SYSLOG_IDENTIFIER,_COMM,_PID,_SYSTEMD_INVOCATION_ID,INVOCATION_ID,\
         USER_INVOCATION_ID",
    );
    command.args(since).args(matches);
    let (status, output) = child::run(&mut command, b"", LONGEST, PATIENCE).map_err(|e| reason(&e))?;
    // journalctl was killed because its output was too long.
    if !status.success() && output.len() < LONGEST {
        return Err(status.to_string());
    }
    Ok(entries(&output))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Entry {
    seconds: i64,
    who: String,
    pid: String,
    text: String,
    is_failure: bool,
    /// The run of the unit that sent the message.
    run: String,
    /// The run that the message is about, if a manager sent it.
    told_of: String,
}

impl Entry {
    fn describe(&self) -> String {
        let pid = if self.pid.is_empty() { String::new() } else { format!("[{}]", self.pid) };
        format!("{} {}{pid}: {}", moment::utc(self.seconds), self.who, self.text)
    }
}

/// Parses the export format: a field is a line `NAME=value`, or `NAME` followed by a length of eight bytes
/// and that many bytes; an empty line ends an entry. A truncated entry is dropped.
fn entries(mut rest: &[u8]) -> Vec<Entry> {
    let (mut entries, mut entry) = (Vec::new(), Entry::default());
    while let Some(end) = rest.iter().position(|&b| b == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        if line.is_empty() {
            entries.push(std::mem::take(&mut entry));
            continue;
        }
        let (name, value) = match line.iter().position(|&b| b == b'=') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => {
                let Some((length, after)) = rest.split_first_chunk::<8>() else { break };
                let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
                let Some(value) = after.get(..length) else { break };
                rest = after.get(length + 1..).unwrap_or_default();
                (line, value)
            }
        };
        match name {
            b"__REALTIME_TIMESTAMP" => {
                let microseconds: i64 =
                    std::str::from_utf8(value).ok().and_then(|v| v.parse().ok()).unwrap_or(0);
                entry.seconds = microseconds / 1_000_000;
            }
            b"MESSAGE" => entry.text = printable(value),
            b"MESSAGE_ID" => entry.is_failure = FAILURE.as_bytes().ends_with(value) && value.len() == 32,
            b"SYSLOG_IDENTIFIER" => entry.who = printable(value),
            b"_COMM" if entry.who.is_empty() => entry.who = printable(value),
            b"_PID" => entry.pid = printable(value),
            b"_SYSTEMD_INVOCATION_ID" => entry.run = printable(value),
            b"INVOCATION_ID" | b"USER_INVOCATION_ID" => entry.told_of = printable(value),
            _ => {}
        }
    }
    entries
}

/// Makes a text safe for terminals and programs: one line of limited length, without control characters and
/// characters that change the direction of text.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(LONGEST_LINE * 4)];
    let text = String::from_utf8_lossy(cut);
    let mut made = String::new();
    for (at, letter) in text.trim_end().chars().enumerate() {
        if at == LONGEST_LINE {
            made.push('…');
            break;
        }
        match letter {
            '\t' => made.push(' '),
            '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{2028}'
            | '\u{2029}' => {
                made.extend(letter.escape_unicode());
            }
            c if c.is_control() => made.extend(c.escape_default()),
            c => made.push(c),
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_export_format() {
        let mut bytes =
            b"__REALTIME_TIMESTAMP=1795169823000001\nMESSAGE=a=b\n_COMM=c\nSYSLOG_IDENTIFIER=x\n_PID=7\n\n"
                .to_vec();
        bytes.extend(b"MESSAGE\n\x06\0\0\0\0\0\0\0a\nb\xffc\x1b\n_COMM=c\n\nMESSAGE=cut");
        let read = entries(&bytes);
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].describe(), "2026-11-20T10:17:03Z x[7]: a=b");
        assert_eq!((&*read[1].text, &*read[1].who), ("a\\nb\u{fffd}c\\u{1b}", "c"));
        for garbage in
            [&b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffx\n\n"[..], b"MESSAGE\n123", b"\n\n", b"", b"=\n=\n"]
        {
            assert!(entries(garbage).len() <= 2);
        }
    }

    #[test]
    fn lines_of_nobodys_run_belong_to_the_one_that_had_begun() {
        let (this, last) = ("a".repeat(32), "b".repeat(32));
        let entry = |text: &str, run: &str, told_of: &str| Entry {
            text: text.into(),
            run: run.into(),
            told_of: told_of.into(),
            ..Entry::default()
        };
        let entries = || {
            vec![
                entry("failed", "", &this),
                entry("late", "", ""),
                entry("said", &this, ""),
                entry("starting", "", &this),
                entry("late, of the last", "", ""),
                entry("of the last", &last, ""),
            ]
        };
        let told = |entries: Vec<Entry>| entries.into_iter().map(|e| e.text).collect::<Vec<_>>().join(" ");
        assert_eq!(told(of_run(entries(), &this, 9)), "failed late said starting");
        assert_eq!(told(of_run(entries(), &this, 2)), "failed late");
        assert_eq!(of_run(entries(), "", 9).len(), 6);
        // A user's manager is a unit too, with its own run.
        let by_a_user_manager = vec![entry("failed", &last, &this)];
        assert_eq!(told(of_run(by_a_user_manager, &this, 9)), "failed");
    }

    #[test]
    fn what_a_person_sees() {
        assert_eq!(printable(b"a\tb \xe2\x80\xae \xc2\x9b\r\n"), "a b \\u{202e} \\u{9b}");
        assert_eq!(printable(&vec![b'x'; 1 << 20]).chars().count(), LONGEST_LINE + 1);
    }
}
