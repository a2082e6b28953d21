//! A file of sections and keys, read so that one bad line costs that line and no other: takes text, makes entries, and
//! says which lines are none.
//!
//! A robot that cannot be reached is worse than one that lacks a key. So each statement is read by itself, by TOML's own
//! parser. A line that should begin a section and does not is another matter: what follows it belongs nowhere, and
//! must not be taken for keys of the section before it.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// What the file says.
#[derive(Debug, Default)]
pub struct Document {
    /// In the order of the file.
    pub entries: Vec<Entry>,
    /// Lines that say nothing.
    pub faults: Vec<Fault>,
    /// Where secrets stand in the text, whatever else is wrong with their lines.
    pub secrets: Vec<Range<usize>>,
}

/// One key.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The section and the key, or more of them where somebody wrote so.
    pub path: Vec<String>,
    /// The line that it begins on.
    pub line: usize,
    /// Its value.
    pub value: Value,
}

/// A value, as far as anybody here wants one.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// `true` or `false`.
    Switch(bool),
    /// A whole number.
    Number(i64),
    /// A list.
    List(Vec<Value>),
    /// Something else, by its name.
    Other(&'static str),
}

/// What is wrong, and where; line 0 is the whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1.
    pub line: usize,
    /// `what: why: what to do`.
    pub what: String,
}

/// Longest list of a value, in lines.
const LONGEST: usize = 200;

/// What a secret is replaced by, and what keeps the value that was there.
pub const MASK: &str = "*";

/// Reads a whole file.
pub fn read(text: &str) -> Document {
    let lines = lines(text);
    let mut document = Document::default();
    let mut section = Some(Vec::new());
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let shown = line.text.trim();
        at += 1;
        if shown.is_empty() || shown.starts_with('#') {
            continue;
        }
        if shown.starts_with('[') {
            section = header(shown);
            if section.is_none() {
                let what = format!(
                    "`{}` begins no section: write its name in brackets, such as [user]; what follows is left out",
                    clipped(shown)
                );
                document.faults.push(Fault { line: line.number, what });
            }
            continue;
        }
        let last = extent(&lines, at - 1);
        let chunk = &text[line.start..lines[last].end()];
        at = last + 1;
        match DeTable::parse(chunk) {
            Ok(table) => {
                let found = flat(table.get_ref(), &mut Vec::new());
                for (path, value) in found {
                    let span = line.start + value.start..line.start + value.end;
                    let key = path.last().map(String::as_str).unwrap_or_default();
                    if is_secret(key, &value.value) {
                        document.secrets.push(span);
                    }
                    let Some(section) = &section else { continue };
                    let path = section.iter().chain(&path).cloned().collect();
                    document.entries.push(Entry { path, line: line.number, value: value.value });
                }
            }
            Err(error) => {
                let (key, value) = shown.split_once('=').unwrap_or((shown, ""));
                if names_secret(key.trim()) && !value.trim().trim_matches('*').is_empty() {
                    let start = line.start + line.text.len() - line.text.trim_start().len() + key.len() + 1;
                    document.secrets.push(start..line.start + line.text.trim_end().len());
                }
                if section.is_some() {
                    let key = if key.trim().is_empty() { shown } else { key.trim() };
                    let what = format!("`{}` cannot be read: {}", clipped(key), error.message().trim());
                    document.faults.push(Fault { line: line.number, what });
                }
            }
        }
    }
    document
}

/// Whether a value under this key is one that nobody else may read.
fn is_secret(key: &str, value: &Value) -> bool {
    names_secret(key)
        && match value {
            Value::Text(text) => !text.is_empty() && text != MASK,
            Value::Switch(_) => false,
            // Of the wrong kind, and a secret all the same.
            Value::Number(_) | Value::List(_) | Value::Other(_) => true,
        }
}

fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let begins = ["pass", "psk", "pwd"].iter().any(|start| key.starts_with(start));
    begins && key != "password_encrypted" && key != "password_authentication"
}

/// At most a few words of what somebody wrote.
fn clipped(text: &str) -> String {
    let short: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    if short.chars().count() < text.chars().count() { format!("{short}…") } else { short }
}

struct Line<'t> {
    number: usize,
    start: usize,
    text: &'t str,
}

impl Line<'_> {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Lines as every system ends them.
fn lines(text: &str) -> Vec<Line<'_>> {
    let (mut lines, mut start, mut number) = (Vec::new(), 0, 1);
    while start < text.len() {
        let rest = &text[start..];
        let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
        lines.push(Line { number, start, text: &rest[..length] });
        start += length + if rest[length..].starts_with("\r\n") { 2 } else { 1 };
        number += 1;
    }
    lines
}

/// The path of a section, if the line begins one.
fn header(line: &str) -> Option<Vec<String>> {
    let table = DeTable::parse(line).ok()?;
    let (mut path, mut inner) = (Vec::new(), table.get_ref());
    while let Some((key, value)) = inner.iter().next() {
        path.push(key.get_ref().to_string());
        let DeValue::Table(table) = value.get_ref() else { return None };
        inner = table;
    }
    Some(path)
}

/// The last line of the statement that begins here: a list or a long text may have several.
fn extent(lines: &[Line<'_>], first: usize) -> usize {
    let value = lines[first].text.split_once('=').map_or("", |(_, value)| value.trim());
    let ends = ["\"\"\"", "'''", "["].iter().find(|begin| value.starts_with(**begin));
    let Some(end) = ends.map(|begin| if *begin == "[" { "]" } else { begin }) else { return first };
    let mut chunk = lines[first].text.to_owned();
    for (at, line) in lines.iter().enumerate().take(first + LONGEST).skip(first) {
        if at > first {
            chunk.push('\n');
            chunk.push_str(line.text);
            if line.text.trim().starts_with('[') || end == "]" && begins_statement(line.text) {
                break;
            }
        }
        if line.text.contains(end) && DeTable::parse(&chunk).is_ok() {
            return at;
        }
    }
    first
}

fn begins_statement(line: &str) -> bool {
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    line.split_once('=').is_some_and(|(key, _)| !key.trim().is_empty() && key.trim().chars().all(name))
}

struct Found {
    value: Value,
    start: usize,
    end: usize,
}

/// Every key in a table, those of tables in it by their whole path.
fn flat(table: &DeTable<'_>, above: &mut Vec<String>) -> Vec<(Vec<String>, Found)> {
    let mut found = Vec::new();
    for (key, value) in table.iter() {
        above.push(key.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(table) => found.extend(flat(table, above)),
            other => {
                let span = value.span();
                let value = Found { value: plain(other), start: span.start, end: span.end };
                found.push((above.clone(), value));
            }
        }
        above.pop();
    }
    found
}

fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(switch) => Value::Switch(*switch),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Other("a number"),
        },
        DeValue::Array(list) => Value::List(list.iter().map(|item| plain(item.get_ref())).collect()),
        DeValue::Float(_) => Value::Other("a number"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Table(_) => Value::Other("a table"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, read};

    fn keys(document: &Document) -> String {
        document.entries.iter().map(|e| format!("{}@{} ", e.path.join("."), e.line)).collect()
    }

    #[test]
    fn a_bad_line_costs_itself() {
        let text = "config_version = 1\n[user]\nname = \"op\npassword = \"x\"\r\n\r\n[ssh]\rkeys = [\n 'a',\n 'b',\n]\non = true\n";
        let document = read(text);
        assert_eq!(keys(&document), "config_version@1 user.password@4 ssh.keys@7 ssh.on@11 ");
        assert_eq!(document.faults.iter().map(|f| f.line).collect::<Vec<_>>(), [3]);
        // A list without an end takes nothing with it.
        assert_eq!(
            keys(&read("[ssh]\nkeys = [\n 'a',\non = true\n[wlan]\nssid = 'x'\n")),
            "ssh.on@4 wlan.ssid@6 "
        );
        assert_eq!(keys(&read("user.name = 'x'\nwlan = { ssid = 'y' }\n")), "user.name@1 wlan.ssid@2 ");
    }

    #[test]
    fn what_follows_a_bad_section_belongs_to_none() {
        let text = "[user]\nname = 'op'\n[wlan\npassword = 'secret'\n[ssh]\non = true\n[[x]]\ny = 1\n";
        let document = read(text);
        assert_eq!(keys(&document), "user.name@2 ssh.on@6 ");
        assert_eq!(document.faults.iter().map(|f| f.line).collect::<Vec<_>>(), [3, 7]);
        assert_eq!(document.secrets.iter().map(|s| &text[s.clone()]).collect::<Vec<_>>(), ["'secret'"]);
    }

    #[test]
    fn secrets_are_found_wherever_they_stand() {
        let text = "password = \"a\" # b\n[x]\n  PassWord = 'c'\npassword=\"d\npassword = '*'\npassword_encrypted = true\npsk = e f\n";
        let found: Vec<&str> = read(text).secrets.into_iter().map(|s| &text[s]).collect();
        assert_eq!(found, ["\"a\"", "'c'", "\"d", " e f"]);
    }
}
