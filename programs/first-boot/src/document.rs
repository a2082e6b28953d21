//! Reads a file of sections and keys so that an invalid line does not affect other lines.
//!
//! TOML's own parser reads each statement separately, because a robot that cannot be reached is worse than
//! one that lacks a setting. After an invalid section header, all lines up to the next header are ignored,
//! because they must not count as keys of the section before.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The content of a file.
#[derive(Debug, Default)]
pub struct Document {
    /// In the order of the file.
    pub entries: Vec<Entry>,
    /// Invalid lines.
    pub faults: Vec<Fault>,
}

/// One key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Section and key, or more components for nested tables.
    pub path: Vec<String>,
    /// The line on which the entry begins.
    pub line: usize,
    /// The parsed value.
    pub value: Value,
}

/// A parsed value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A Boolean.
    Switch(bool),
    /// An integer.
    Number(i64),
    /// An array.
    List(Vec<Value>),
    /// Any other value, by the name of its type.
    Other(&'static str),
}

/// An error; line 0 stands for the whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1.
    pub line: usize,
    /// `what: why: what to do`.
    pub what: String,
}

/// Longest list of a value, in lines.
const LONGEST: usize = 200;

/// Replaces a secret in the file. As a value, it keeps the current secret.
pub const MASK: &str = "*";

/// Characters that may surround anything.
pub(super) const BLANKS: [char; 2] = [' ', '\t'];

/// Reads a whole file.
pub fn read(text: &str) -> Document {
    let text = plain_line_ends(text);
    let lines = lines(&text);
    let mut document = Document::default();
    let mut section = Some(Vec::new());
    for statement in statements(&lines) {
        let line = &lines[statement.start];
        let trimmed = line.text.trim_matches(BLANKS);
        if trimmed.starts_with('[') {
            section = header(trimmed);
            if section.is_none() {
                let what = format!(
                    "`{}`: invalid section header: write a name in brackets, such as [user]; the lines \
                     below it are ignored",
                    clipped(trimmed)
                );
                document.faults.push(Fault { line: line.number, what });
            }
            continue;
        }
        // After an invalid header, ignore the lines without further errors.
        let Some(section) = &section else { continue };
        match DeTable::parse(&text[span(&lines, &statement)]) {
            Ok(table) => {
                for (path, value) in flatten(table.get_ref(), &mut Vec::new()) {
                    let path = section.iter().chain(&path).cloned().collect();
                    document.entries.push(Entry { path, line: line.number, value });
                }
            }
            Err(error) => {
                let key = trimmed.split_once('=').map_or(trimmed, |(key, _)| key.trim_matches(BLANKS));
                let key = if key.is_empty() { trimmed } else { key };
                let what = format!("`{}`: cannot be parsed: {}", clipped(key), error.message().trim());
                document.faults.push(Fault { line: line.number, what });
            }
        }
    }
    document
}

/// Shortens a text from the file for an error message.
fn clipped(text: &str) -> String {
    let short: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    if short.chars().count() < text.chars().count() { format!("{short}…") } else { short }
}

/// Converts line ends to `\n` or `\r\n`, without moving any byte.
pub(super) fn plain_line_ends(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let bare = character == '\r' && characters.peek() != Some(&'\n');
        plain.push(if bare { '\n' } else { character });
    }
    plain
}

pub(super) struct Line<'t> {
    number: usize,
    pub(super) start: usize,
    pub(super) text: &'t str,
}

impl Line<'_> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Splits a text with plain line ends into lines.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    let numbered = text.split_inclusive('\n').enumerate();
    numbered
        .map(|(index, whole)| {
            let bare = whole.strip_suffix('\n').unwrap_or(whole);
            let line = Line { number: index + 1, start, text: bare.strip_suffix('\r').unwrap_or(bare) };
            start += whole.len();
            line
        })
        .collect()
}

/// Returns the line ranges of all statements, without empty lines and comments.
pub(super) fn statements(lines: &[Line<'_>]) -> impl Iterator<Item = Range<usize>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        while is_empty(lines.get(next)?) {
            next += 1;
        }
        let first = next;
        let header = lines[first].text.trim_start_matches(BLANKS).starts_with('[');
        next = 1 + if header { first } else { extent(lines, first) };
        Some(first..next)
    })
}

/// Returns the byte range of a statement.
pub(super) fn span(lines: &[Line<'_>], statement: &Range<usize>) -> Range<usize> {
    lines[statement.start].start..lines[statement.end - 1].end()
}

/// Returns whether a line is blank or a comment.
pub(super) fn is_empty(line: &Line<'_>) -> bool {
    let text = line.text.trim_start_matches(BLANKS);
    text.is_empty() || text.starts_with('#')
}

/// Returns the path of a section if the line is a section header.
pub(super) fn header(line: &str) -> Option<Vec<String>> {
    let table = DeTable::parse(line).ok()?;
    let (mut path, mut inner) = (Vec::new(), table.get_ref());
    while let Some((key, value)) = inner.iter().next() {
        path.push(key.get_ref().to_string());
        let DeValue::Table(table) = value.get_ref() else { return None };
        inner = table;
    }
    Some(path)
}

/// Returns the last line of the statement that begins here: a list or text may span several lines.
fn extent(lines: &[Line<'_>], first: usize) -> usize {
    let value = lines[first].text.split_once('=').map_or("", |(_, value)| value.trim_matches(BLANKS));
    let ends = ["\"\"\"", "'''", "["].iter().find(|begin| value.starts_with(**begin));
    let Some(end) = ends.map(|begin| if *begin == "[" { "]" } else { begin }) else { return first };
    let mut chunk = lines[first].text.to_owned();
    for (at, line) in lines.iter().enumerate().take(first + LONGEST).skip(first) {
        if at > first {
            chunk.push('\n');
            chunk.push_str(line.text);
            if line.text.trim_start_matches(BLANKS).starts_with('[')
                || end == "]" && begins_statement(line.text)
            {
                break;
            }
        }
        if line.text.contains(end) && DeTable::parse(&chunk).is_ok() {
            return at;
        }
    }
    first
}

pub(super) fn begins_statement(line: &str) -> bool {
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    let key = line.split_once('=').map_or("", |(key, _)| key.trim_matches(BLANKS));
    !key.is_empty() && key.chars().all(name)
}

/// Returns all keys of a table; keys of nested tables have their full path.
fn flatten(table: &DeTable<'_>, above: &mut Vec<String>) -> Vec<(Vec<String>, Value)> {
    let mut entries = Vec::new();
    for (key, value) in table.iter() {
        above.push(key.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(table) => entries.extend(flatten(table, above)),
            other => entries.push((above.clone(), convert(other))),
        }
        above.pop();
    }
    entries
}

fn convert(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Boolean(switch) => Value::Switch(*switch),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::Other("a number"),
        },
        DeValue::Array(list) => Value::List(list.iter().map(|item| convert(item.get_ref())).collect()),
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
    }
}
