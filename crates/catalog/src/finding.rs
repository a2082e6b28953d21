//! The faults of a catalog: all of them, each with its line, gathered before anything is refused.

use std::fmt;

use base::plain::{Plain, deceives};

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
    /// Makes an empty list for `file`, as a person named it.
    pub fn new(file: &str) -> Findings {
        Findings { file: file.to_owned(), list: Vec::new() }
    }

    /// Adds a fault, once even if several services inherit it; line 0 is that of `--set`.
    pub fn add(&mut self, line: usize, text: String) {
        let finding = Finding { line, text: text.chars().map(escape).collect() };
        if !self.list.contains(&finding) {
            self.list.push(finding);
        }
    }

    /// Tells whether there is no fault.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Counts the faults.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Fails with the faults so far, if there are any.
    pub fn fail_if_any(&mut self) -> Result<(), Findings> {
        if self.is_empty() {
            return Ok(());
        }
        self.list.sort();
        Err(std::mem::take(self))
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

/// Quotes a value for a message: on one line, and no longer than a line.
pub fn quote(value: &str) -> String {
    const LONGEST: usize = 60;
    let mut start: String = value.chars().take(LONGEST).collect();
    if start.len() < value.len() {
        start.push('…');
    }
    format!("\"{}\"", start.chars().map(escape).collect::<String>())
}

/// Escapes a character that would break a message's line or not be seen in it.
fn escape(c: char) -> String {
    match c {
        c if c.is_control() => c.escape_debug().to_string(),
        c if deceives(c) => c.escape_unicode().to_string(),
        c if c.is_whitespace() && c != ' ' => c.escape_unicode().to_string(),
        c => c.to_string(),
    }
}

/// Lists the valid choices for a message.
pub fn known<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<String> = names.into_iter().map(|n| n.as_ref().to_owned()).collect();
    if names.is_empty() { "there is none".to_owned() } else { format!("known: {}", names.join(", ")) }
}

/// The faults of several catalogs.
#[derive(Debug)]
pub struct Faults(pub Vec<Findings>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(Findings::to_string).collect();
        f.write_str(&texts.join("\n"))
    }
}

impl std::error::Error for Faults {}
