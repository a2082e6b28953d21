//! Formats an alert as one line, text, JSON and mail.
//!
//! Journal lines are already safe to print (see [`super::journal`]); unit names contain no special
//! characters.

use super::facts::Facts;
use super::journal::printable;

/// An alert in all formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// One line.
    pub summary: String,
    /// Text for people.
    pub text: String,
    /// JSON for programs.
    pub json: String,
}

impl Message {
    /// Creates the message; `user` is true for a unit of a user's manager.
    pub(crate) fn compose(facts: &Facts, lines: &[String], user: bool) -> Message {
        let (unit, host, why) = (&facts.unit, &facts.host, printable(facts.why().as_bytes()));
        let summary = match facts.again {
            Some(1) => format!("{unit} failed again on {host}: {why}"),
            Some(times) => format!("{unit} failed {times} more times on {host}: {why}"),
            None if facts.has_failed() => format!("{unit} failed on {host}: {why}"),
            None => format!("{unit} has not failed on {host}, this is a test: {why}"),
        };
        let scope = if user { "--user " } else { "" };
        let by = if facts.invocation.is_empty() {
            format!("{}={unit}", if user { "--user-unit" } else { "--unit" })
        } else {
            format!("_SYSTEMD_INVOCATION_ID={}", facts.invocation)
        };
        let more = format!("journalctl {by}; systemctl {scope}status {unit}");
        let named = [
            ("Unit", unit.clone()),
            ("What", printable(facts.description.as_bytes())),
            ("Why", why.clone()),
            ("State now", facts.state.clone()),
            (
                "Started again",
                if facts.restarts.is_empty() { String::new() } else { format!("{} times", facts.restarts) },
            ),
            ("Time", facts.time.clone()),
            ("Host", host.clone()),
            ("Boot", facts.boot.clone()),
            ("Invocation", facts.invocation.clone()),
            ("More", more.clone()),
        ];
        let mut text = format!("{summary}\n\n");
        for (name, value) in named.iter().filter(|(_, value)| !value.is_empty()) {
            text += &format!("{:<14} {value}\n", format!("{name}:"));
        }
        if !lines.is_empty() {
            text += "\nLast journal lines:\n";
            lines.iter().for_each(|line| text += &format!("  {line}\n"));
        }
        let json = Message::json(facts, &summary, &why, lines, user);
        Message { summary, text, json }
    }

    /// Several chat systems show the field `text`.
    fn json(facts: &Facts, summary: &str, why: &str, lines: &[String], user: bool) -> String {
        let number = |n: Option<String>| n.unwrap_or_else(|| "null".to_owned());
        let list: Vec<String> = lines.iter().map(|line| quote(line)).collect();
        let fields = [
            ("text", quote(summary)),
            ("unit", quote(&facts.unit)),
            ("description", quote(&printable(facts.description.as_bytes()))),
            ("scope", quote(if user { "user" } else { "system" })),
            ("failed", facts.has_failed().to_string()),
            ("failures-since-last", number(facts.again.map(|n| n.to_string()))),
            ("why", quote(why)),
            ("result", quote(&facts.result)),
            ("exit-status", number(facts.status.map(|n| n.to_string()))),
            ("signal", number(facts.signal.as_ref().map(|s| quote(s)))),
            ("state", quote(&facts.state)),
            ("restarts", number(facts.restarts.parse::<u64>().ok().map(|n| n.to_string()))),
            ("time", quote(&facts.time)),
            ("host", quote(&facts.host)),
            ("boot", quote(&facts.boot)),
            ("invocation", quote(&facts.invocation)),
            ("lines", format!("[{}]", list.join(","))),
        ];
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}:{value}", quote(name))).collect();
        format!("{{{}}}", fields.join(","))
    }

    /// Returns the message as a mail with headers.
    pub(crate) fn mail(&self, from: Option<&str>, to: &[String]) -> String {
        let from = from.map_or(String::new(), |from| format!("From: {from}\n"));
        format!(
            "{from}To: {}\nSubject: {}\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n{}",
            to.join(",\n "),
            self.summary.chars().filter(|c| c.is_ascii()).take(400).collect::<String>(),
            quoted_printable(&self.text)
        )
    }
}

/// Quotes a JSON string.
fn quote(text: &str) -> String {
    let mut made = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => made.push_str("\\\""),
            '\\' => made.push_str("\\\\"),
            c if c.is_control() => made.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => made.push(c),
        }
    }
    made.push('"');
    made
}

/// Encodes text as quoted-printable, with lines of at most 76 ASCII characters.
fn quoted_printable(text: &str) -> String {
    let mut made = String::new();
    for line in text.lines() {
        let mut width = 0;
        let bytes = line.as_bytes();
        for (at, &byte) in bytes.iter().enumerate() {
            // A space at the end of a line would be lost.
            let plain =
                (b' '..=b'~').contains(&byte) && byte != b'=' && !(byte == b' ' && at + 1 == bytes.len());
            // Some mail systems change lines that begin with `From ` or consist of a dot.
            let plain = plain && !(at == 0 && (byte == b'.' || byte == b'F'));
            let word = if plain { char::from(byte).to_string() } else { format!("={byte:02X}") };
            if width + word.len() > 75 {
                made.push_str("=\n");
                width = 0;
            }
            width += word.len();
            made.push_str(&word);
        }
        made.push('\n');
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            unit: "a\\x2d@b.service".into(),
            description: "\u{1b}[31m \"x\"".into(),
            result: "exit-code".into(),
            status: Some(7),
            host: "h".into(),
            time: "t".into(),
            ..Facts::default()
        }
    }

    #[test]
    fn json_holds_whatever_came() {
        let lines = vec!["\"}\\ \u{1b} \u{fffd} é".to_owned(), String::new()];
        let json: serde_json::Value =
            serde_json::from_str(&Message::compose(&facts(), &lines, false).json).expect("JSON");
        assert_eq!(json["unit"], "a\\x2d@b.service");
        assert_eq!(json["lines"], serde_json::json!(lines));
        assert_eq!((&json["exit-status"], &json["signal"]), (&7.into(), &serde_json::Value::Null));
        assert_eq!(json["text"], "a\\x2d@b.service failed on h: exited with status 7");
    }

    #[test]
    fn mails_are_plain_and_narrow() {
        let message = Message::compose(&facts(), &["é=".repeat(100), "From me".into()], true);
        let mail = message.mail(Some("r@x"), &["a@b".into(), "c@d".into()]);
        assert!(
            mail.starts_with("From: r@x\nTo: a@b,\n c@d\nSubject: a\\x2d@b.service failed on h: exited"),
            "{mail}"
        );
        assert!(mail.is_ascii() && mail.lines().all(|l| l.len() <= 76 || l.starts_with("Subject")), "{mail}");
        assert_eq!(quoted_printable("a \n.\nFrom\n"), "a=20\n=2E\n=46rom\n");
    }
}
