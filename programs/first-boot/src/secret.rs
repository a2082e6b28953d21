//! Finds secrets in the file: in values that can be parsed, and in all text that a person or a program could
//! take for a password.
//!
//! A line that cannot be parsed may still contain a password. Its value is assumed to reach as far as any
//! parser could read: to the closing quotes, or to the next line that is a statement of its own.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::document::{
    BLANKS, Line, MASK, begins_statement, header, is_empty, lines, plain_line_ends, span, statements,
};

/// Finds the secrets in the order of the text, without overlaps. Masked values are not secrets.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let text = plain_line_ends(text);
    let lines = lines(&text);
    let mut search = Search { text: &text, lines: &lines, under_secret: false, secrets: Vec::new() };
    for statement in statements(&lines) {
        search.statement(&statement);
    }
    joined(search.secrets)
}

struct Search<'t> {
    text: &'t str,
    lines: &'t [Line<'t>],
    /// Whether the section itself has the name of a secret.
    under_secret: bool,
    secrets: Vec<Range<usize>>,
}

impl Search<'_> {
    fn statement(&mut self, statement: &Range<usize>) {
        let first = &self.lines[statement.start];
        let trimmed = first.text.trim_matches(BLANKS);
        if trimmed.starts_with('[') {
            let path = header(trimmed);
            self.under_secret = match &path {
                Some(path) => path.iter().any(|name| names_secret(name)),
                None => names(first.text).any(|name| names_secret(&first.text[name])),
            };
            if path.is_none() {
                self.unreadable(statement.start);
            }
            return;
        }
        let place = span(self.lines, statement);
        match DeTable::parse(&self.text[place.clone()]) {
            Ok(table) => {
                self.table(table.get_ref(), self.under_secret, place.start);
                // The lines of a multi-line text may have been meant as lines of the file.
                for inner in statement.clone().skip(1) {
                    self.unreadable(inner);
                }
            }
            Err(_) => self.unreadable(statement.start),
        }
    }

    /// Finds secrets in a parsed table.
    fn table(&mut self, table: &DeTable<'_>, secret: bool, offset: usize) {
        for (key, value) in table.iter() {
            self.value(value.get_ref(), value.span(), secret || names_secret(key.get_ref()), offset);
        }
    }

    fn value(&mut self, value: &DeValue<'_>, span: Range<usize>, secret: bool, offset: usize) {
        match value {
            DeValue::Table(table) => self.table(table, secret, offset),
            DeValue::Array(items) if !secret => {
                for item in items.iter() {
                    self.value(item.get_ref(), item.span(), false, offset);
                }
            }
            DeValue::Boolean(_) => {}
            DeValue::String(text) if text.is_empty() || text == MASK => {}
            // Not text, but still a secret.
            _ if secret => self.secrets.push(span.start + offset..span.end + offset),
            _ => {}
        }
    }

    /// Finds the value in a line that cannot be parsed.
    fn unreadable(&mut self, index: usize) {
        let line = &self.lines[index];
        let at = value_of_secret(line.text)
            .or_else(|| self.under_secret.then(|| line.text.find('=').map_or(0, |sign| sign + 1)));
        if let Some(at) = at {
            let last = &self.lines[self.reach(index, &line.text[at..])];
            self.push(line.start + at..last.end());
        }
    }

    /// Returns the last line of a value that begins in this line.
    fn reach(&self, first: usize, value: &str) -> usize {
        let value = value.trim_start();
        let closing = ["\"\"\"", "'''"].into_iter().find(|quotes| value.starts_with(quotes));
        let open = match closing {
            Some(quotes) => !value[quotes.len()..].contains(quotes),
            None => value.starts_with(['[', '{']),
        };
        let following = &self.lines[first + 1..];
        if let Some(quotes) = closing.filter(|_| open) {
            let within = following.iter().take_while(|line| !begins_section(line.text, false));
            if let Some(more) = within.into_iter().position(|line| line.text.contains(quotes)) {
                return first + 1 + more;
            }
        }
        let list = closing.is_none() && open;
        let by_itself = |line: &&Line<'_>| is_empty(line) || value_of_secret(line.text).is_some();
        let rest = following.iter().take_while(|line| {
            !begins_section(line.text, list) && !begins_statement(line.text) && (open || !by_itself(line))
        });
        first + rest.count()
    }

    /// Adds a range unless it is masked completely.
    fn push(&mut self, place: Range<usize>) {
        let text = &self.text[place.clone()];
        let (front, back) = (text.trim_start_matches(BLANKS), text.trim_end_matches([' ', '\t', '\r', '\n']));
        let masked = |character: char| matches!(character, '*' | '"' | '\'' | ' ' | '\t' | '\r' | '\n');
        if !front.chars().all(masked) {
            self.secrets.push(place.start..place.start + back.len());
        }
    }
}

/// Returns whether a line is a section header; inside a list, only if it contains a name.
fn begins_section(line: &str, in_list: bool) -> bool {
    let rest = line.trim_start_matches(BLANKS).strip_prefix('[');
    rest.is_some_and(|rest| !in_list || rest.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Returns where a secret begins in a line that cannot be parsed: after the name of a secret, and after an
/// `=` or `:` if text precedes the name.
fn value_of_secret(line: &str) -> Option<usize> {
    names(line).find_map(|name| {
        if !names_secret(&line[name.clone()]) {
            return None;
        }
        let after = line[name.end..].trim_start_matches(['"', '\'']).trim_start_matches(BLANKS);
        let value = line.len() - after.len();
        if after.starts_with(['=', ':']) {
            return Some(value + 1);
        }
        let before = line[..name.start].rsplit(']').next().unwrap_or_default();
        (!before.contains(|c: char| c.is_ascii_alphanumeric())).then_some(value)
    })
}

/// Returns the words of a line that could be names of keys.
fn names(line: &str) -> impl Iterator<Item = Range<usize>> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + line[from..].find(part)?;
        let end = line[start..].find(|c| !part(c)).map_or(line.len(), |length| start + length);
        from = end;
        Some(start..end)
    })
}

fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let names = ["pass", "psk", "pwd"].iter().any(|part| key.contains(part));
    names && key != "password_encrypted" && key != "password_authentication"
}

/// Merges overlapping ranges.
fn joined(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_by_key(|place| (place.start, place.end));
    let mut joined: Vec<Range<usize>> = Vec::new();
    for place in places {
        match joined.last_mut() {
            Some(last) if place.start < last.end => last.end = last.end.max(place.end),
            _ => joined.push(place),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::find;

    #[track_caller]
    fn finds(text: &str, expected: &[&str]) {
        let secrets: Vec<&str> = find(text).into_iter().map(|place| &text[place]).collect();
        assert_eq!(secrets, expected, "{text:?}");
    }

    #[test]
    fn secrets_are_found_wherever_they_stand() {
        finds(
            "password = \"a\" # b\n[x]\n  PassWord = 'c'\npassword=\"d\npassword = '*'\npassword_encrypted = true\npsk = e f\n",
            &["\"a\"", "'c'", "\"d", " e f"],
        );
        finds("[wlan\npassword = 'secret'\n", &["'secret'"]);
        finds("wlan = { ssid = 'x', password = 'y' }\n", &["'y'"]);
        finds("networks = [{ ssid = 'x', password = 'y' }, { psk = 1 }]\n", &["'y'", "1"]);
        finds(
            "wlan.password.plain = 'x'\nwifi_password = 'y'\n[passwords]\nop = 'z'\nex = 'w\n",
            &["'x'", "'y'", "'z'", " 'w"],
        );
        finds("password = ['a',\n 'b']\npassword = true\npassword = ''\n", &["['a',\n 'b']"]);
    }

    #[test]
    fn lines_that_cannot_be_read_hold_secrets_as_well() {
        finds("password: x y\npassword x\n\"psk\" 'x\n", &[" x y", "x", "'x"]);
        finds("[user] password = x\n[wlan] psk x\n[password x\n", &[" x", "x", "x"]);
        finds("wlan = { ssid = 'x', password = 'y'\n", &[" 'y'"]);
        finds("\u{b}password='x'\n\u{85}psk=x\n\u{a0}pwd =x\n", &["'x'", "x", "x"]);
        finds("name = \"op passes\nssid = 'password\n# password = x\n", &[]);
    }

    #[test]
    fn a_value_that_cannot_be_read_ends_where_any_reading_ends_it() {
        // At its closing quotes, whatever stands between.
        finds(
            "psk = \"\"\"a\n\\q\n\n# b\nc = 'd'\n\"\"\" e\nf = 1\n",
            &[" \"\"\"a\n\\q\n\n# b\nc = 'd'\n\"\"\" e"],
        );
        // Without any, at the next line that is something by itself.
        finds("psk = '''\na\n\nb\nssid = 'c'\n", &[" '''\na\n\nb"]);
        finds("psk = [\n'a',\n['b'],\n[ssh]\n", &[" [\n'a',\n['b'],"]);
        finds("psk = 'a\nb'\nssid = 'c'\n", &[" 'a\nb'"]);
        finds("psk = 'a\nb'\n\n# c\n", &[" 'a\nb'"]);
        finds("psk:\n  a\n[ssh]\n", &["\n  a"]);
        // Carriage returns end lines as well.
        finds("psk =\"\"\"\rpsk=\"j\"hname= \"\"\"\rssid='x'\r", &["\"\"\"\rpsk=\"j\"hname= \"\"\""]);
        // A line of another key's text that looks like a line of the file.
        finds("name = '''\npassword = x\n'''\n", &[" x\n'''"]);
        finds("name = '''\npassword = \"\"\"\nx\n\"\"\"\n'''\n", &[" \"\"\"\nx\n\"\"\""]);
    }
}
