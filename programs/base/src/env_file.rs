//! Reads an environment file as systemd's `EnvironmentFile=` does, so that a launch by hand gets the same
//! environment as the unit.
//!
//! This is the state machine of systemd's `parse_env_file`: comments, quotes, escapes, continued lines,
//! blanks around keys and after values. As in systemd, nothing is expanded.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// Returns the assignments in order; a later one overrides an earlier one. Assignments that systemd rejects
/// are omitted.
pub fn parse(content: &[u8]) -> Vec<(OsString, OsString)> {
    let mut reader = Reader::default();
    // systemd stops at a NUL byte, because it reads C strings.
    for &byte in content.iter().take_while(|&&b| b != 0) {
        reader.read(byte);
    }
    reader.end();
    reader.found
}

/// Returns lines that systemd ignores or misreads, with the reason.
pub fn faults(content: &[u8]) -> Vec<(usize, &'static str)> {
    let mut reader = Reader { line: 1, ..Reader::default() };
    for &byte in content.iter().take_while(|&&b| b != 0) {
        reader.read(byte);
        reader.line += usize::from(byte == b'\n');
    }
    let quoted =
        matches!(reader.state, State::SingleQuotes | State::DoubleQuotes | State::DoubleQuotesEscape);
    if content.contains(&0) {
        reader.faults.push((reader.line, "NUL byte, at which systemd stops reading"));
    } else if quoted {
        reader
            .faults
            .push((reader.begun, "unclosed quote, so the rest of the file becomes part of the value"));
    } else if reader.state == State::Key {
        reader.faults.push((reader.begun, NO_ASSIGNMENT));
    }
    reader.end();
    reader.faults
}

const NO_ASSIGNMENT: &str = "missing `=`";

#[derive(Default, Clone, Copy, PartialEq)]
enum State {
    #[default]
    BeforeKey,
    Key,
    BeforeValue,
    Value,
    ValueEscape,
    SingleQuotes,
    DoubleQuotes,
    DoubleQuotesEscape,
    Comment,
    CommentEscape,
}

#[derive(Default)]
struct Reader {
    state: State,
    key: Vec<u8>,
    value: Vec<u8>,
    /// Length of the value if the line ends here: trailing blanks of unquoted text are dropped.
    keep: usize,
    found: Vec<(OsString, OsString)>,
    /// Current line, and the line on which the current key began; counted only for `faults`.
    line: usize,
    begun: usize,
    faults: Vec<(usize, &'static str)>,
}

impl Reader {
    fn read(&mut self, byte: u8) {
        let newline = matches!(byte, b'\n' | b'\r');
        let blank = newline || matches!(byte, b' ' | b'\t');
        self.state = match self.state {
            State::BeforeKey if matches!(byte, b'#' | b';') => State::Comment,
            State::BeforeKey if blank => State::BeforeKey,
            State::BeforeKey => {
                self.begun = self.line;
                self.key.push(byte);
                State::Key
            }
            State::Key if newline => {
                self.key.clear();
                self.faults.push((self.begun, NO_ASSIGNMENT));
                State::BeforeKey
            }
            State::Key if byte == b'=' => State::BeforeValue,
            State::Key => {
                self.key.push(byte);
                State::Key
            }
            State::BeforeValue | State::Value if newline => {
                self.push();
                State::BeforeKey
            }
            State::BeforeValue => match byte {
                b'\'' => State::SingleQuotes,
                b'"' => State::DoubleQuotes,
                b'\\' => State::ValueEscape,
                _ if blank => State::BeforeValue,
                _ => self.value(byte, State::Value),
            },
            State::Value if byte == b'\\' => {
                self.keep = self.value.len();
                State::ValueEscape
            }
            State::Value if blank => {
                self.value.push(byte);
                State::Value
            }
            State::Value => self.value(byte, State::Value),
            State::ValueEscape if newline => State::Value,
            State::ValueEscape => self.value(byte, State::Value),
            State::SingleQuotes if byte == b'\'' => State::BeforeValue,
            State::SingleQuotes => self.value(byte, State::SingleQuotes),
            State::DoubleQuotes if byte == b'"' => State::BeforeValue,
            State::DoubleQuotes if byte == b'\\' => State::DoubleQuotesEscape,
            State::DoubleQuotes => self.value(byte, State::DoubleQuotes),
            State::DoubleQuotesEscape => {
                if !matches!(byte, b'"' | b'\\' | b'`' | b'$' | b'\n') {
                    self.value.push(b'\\');
                }
                if byte != b'\n' {
                    self.value(byte, State::DoubleQuotes);
                }
                State::DoubleQuotes
            }
            State::Comment if byte == b'\\' => State::CommentEscape,
            State::Comment | State::CommentEscape if newline => State::BeforeKey,
            State::Comment | State::CommentEscape => State::Comment,
        };
    }

    /// The end of the file ends a value, quoted or not.
    fn end(&mut self) {
        if !matches!(self.state, State::BeforeKey | State::Key | State::Comment | State::CommentEscape) {
            self.push();
        }
    }

    fn value(&mut self, byte: u8, next: State) -> State {
        self.value.push(byte);
        self.keep = self.value.len();
        next
    }

    fn push(&mut self) {
        let key = std::mem::take(&mut self.key);
        let mut value = std::mem::take(&mut self.value);
        value.truncate(std::mem::take(&mut self.keep));
        let key = key.trim_ascii_end();
        let legal = !key.is_empty()
            && !key[0].is_ascii_digit()
            && key.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
        if !legal {
            self.faults.push((self.begun, "invalid variable name before the `=`"));
        } else if std::str::from_utf8(&value).is_err() {
            self.faults.push((self.begun, "the value is not UTF-8"));
        }
        if legal {
            self.found.push((OsString::from_vec(key.to_vec()), OsString::from_vec(value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Vec<(String, String)> {
        let text = |s: OsString| s.into_string().unwrap_or_default();
        parse(content.as_bytes()).into_iter().map(|(k, v)| (text(k), text(v))).collect()
    }

    #[track_caller]
    fn check(content: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        assert_eq!(read(content), expected, "{content:?}");
    }

    #[test]
    fn lines_comments_and_blanks() {
        check("A=1\n# B=2\n; C=3\n\n  D = x y \t\nno assignment\nE=", &[("A", "1"), ("D", "x y"), ("E", "")]);
        check("A=1\r\nB=2\r\n", &[("A", "1"), ("B", "2")]);
        check("A=a#b ; c\n", &[("A", "a#b ; c")]);
        check("# a comment that ends in \\\nA=1\n", &[("A", "1")]);
    }

    #[test]
    fn quotes_and_escapes() {
        check(
            "A='a  b '\nB=\"c \\\" \\$ \\x\"\nC=d\\ e\\\\\n",
            &[("A", "a  b "), ("B", "c \" $ \\x"), ("C", "d e\\")],
        );
        check("A='x' \"y\"z\n", &[("A", "xyz")]);
        check("A='two\nlines'\nB=1\n", &[("A", "two\nlines"), ("B", "1")]);
        check("A='never closed\nB=1", &[("A", "never closed\nB=1")]);
        check("A=it's\n", &[("A", "it's")]);
    }

    #[test]
    fn what_is_ignored_is_found() {
        let at = |content: &[u8]| faults(content).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!(at(b"# c\nA=1\n\nB='x\ny'\nC=\n; d\n"), [0; 0]);
        assert_eq!(at(b"A=1\nno assignment\nexport B=2\n9C=3\n"), [2, 3, 4]);
        assert_eq!(at(b"A=1\nB='never\nC=2\n"), [2]);
        assert_eq!(at(b"A=1\nB=\"never\\"), [2]);
        assert_eq!(at(b"A=1\nlast"), [2]);
        assert_eq!(at(b"A=\xff\nB=1\0\n"), [1, 2]);
    }

    #[test]
    fn continued_lines() {
        check("A=one \\\ntwo\nB=\"x\\\ny\"\n", &[("A", "one two"), ("B", "xy")]);
    }

    #[test]
    fn nothing_is_expanded_and_bad_names_are_left_out() {
        check("A=${HOME}/x\n9B=1\nC-D=2\nexport E=3\n_F=4\n", &[("A", "${HOME}/x"), ("_F", "4")]);
    }
}
