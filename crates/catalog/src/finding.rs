//! What is wrong with a catalog: every fault of a file, each with its line, gathered before anything is refused.

use std::fmt;

use base::plain::{Plain, deceives};

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    line: usize,
    text: String,
}

/// The faults of one file, in the order of its lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    file: String,
    list: Vec<Finding>,
}

impl Findings {
    /// None so far, of `file` as a person named it.
    pub fn of(file: &str) -> Findings {
        Findings { file: file.to_owned(), list: Vec::new() }
    }

    /// Adds a fault; in line 0 it is one of what `--set` says. What several services inherit from one place is one fault.
    pub fn add(&mut self, line: usize, text: String) {
        let finding = Finding { line, text: text.chars().map(visible).collect() };
        if !self.list.contains(&finding) {
            self.list.push(finding);
        }
    }

    /// Whether there is no fault.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// `value` when nothing was found, otherwise what was.
    pub fn or<T>(mut self, value: T) -> Result<T, Findings> {
        if self.is_empty() {
            return Ok(value);
        }
        self.list.sort();
        Err(self)
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, finding) in self.list.iter().enumerate() {
            let newline = if i == 0 { "" } else { "\n" };
            match finding.line {
                // Not of the file, but of the command line.
                0 => write!(f, "{newline}error: --set {}", finding.text)?,
                line => write!(f, "{newline}error: {}:{line}: {}", Plain(&self.file), finding.text)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

/// A value in a message: in quotes, on one line, and not longer than a line.
pub fn shown(value: &str) -> String {
    const LONGEST: usize = 60;
    let mut start: String = value.chars().take(LONGEST).collect();
    if start.len() < value.len() {
        start.push('…');
    }
    format!("\"{}\"", start.chars().map(visible).collect::<String>())
}

/// A character as a terminal can show it: a message is one line, whatever the catalog holds.
fn visible(c: char) -> String {
    match c {
        c if c.is_control() => c.escape_debug().to_string(),
        c if deceives(c) => c.escape_unicode().to_string(),
        c if c.is_whitespace() && c != ' ' => c.escape_unicode().to_string(),
        c => c.to_string(),
    }
}

/// `a, b, c` for the part of a message that says what would have been valid.
pub fn known<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<String> = names.into_iter().map(|n| n.as_ref().to_owned()).collect();
    if names.is_empty() { "there is none".to_owned() } else { format!("known: {}", names.join(", ")) }
}

/// What is wrong with several catalogs.
#[derive(Debug)]
pub struct Faults(pub Vec<Findings>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(Findings::to_string).collect();
        f.write_str(&texts.join("\n"))
    }
}

impl std::error::Error for Faults {}
