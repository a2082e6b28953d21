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
    /// Makes an empty list for `file`, its name in messages.
    pub fn new(file: &str) -> Findings {
        Findings { file: file.to_owned(), list: Vec::new() }
    }

    /// Returns the name of the file.
    pub fn file(&self) -> &str {
        &self.file
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
                // A value from the command line has no line in the file.
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

/// Escapes a character that would break the line of a message or be invisible in it.
fn escape(c: char) -> String {
    match c {
        c if c.is_control() => c.escape_debug().to_string(),
        c if deceives(c) => c.escape_unicode().to_string(),
        c if c.is_whitespace() && c != ' ' => c.escape_unicode().to_string(),
        c => c.to_string(),
    }
}

/// Describes a value that is none of the valid choices, and names the nearest or all of them.
///
/// `what` is the value's noun, such as `role`.
pub fn describe_unknown<S: AsRef<str>>(
    what: &str,
    value: &str,
    choices: impl IntoIterator<Item = S>,
) -> String {
    let choices: Vec<String> = choices.into_iter().map(|choice| choice.as_ref().to_owned()).collect();
    let hint = match find_near(value, &choices) {
        Some(near) => format!("did you mean {}?", quote(near)),
        None if choices.is_empty() => format!("no {what} is defined"),
        None => format!("expected {}", join_or(choices.iter().map(|choice| quote(choice)))),
    };
    format!("unknown {what} {}: {hint}", quote(value))
}

/// Describes a value that does not have the form of `what`.
pub fn describe_invalid(what: &str, value: &str, expected: &str) -> String {
    format!("invalid {what} {}: expected {expected}", quote(value))
}

/// Joins choices as in `a, b or c`.
pub fn join_or(choices: impl IntoIterator<Item = String>) -> String {
    let mut choices: Vec<String> = choices.into_iter().collect();
    match choices.pop() {
        None => String::new(),
        Some(last) if choices.is_empty() => last,
        Some(last) => format!("{} or {last}", choices.join(", ")),
    }
}

/// Finds the name that was probably meant: two letters may be wrong, or a hyphen an underscore.
pub fn find_near<'n, S: AsRef<str>>(value: &str, names: &'n [S]) -> Option<&'n str> {
    let value = value.replace('_', "-");
    let allowed = if value.chars().count() < 5 { 1 } else { 2 };
    let names = names.iter().map(AsRef::as_ref);
    let distances = names.map(|name| (measure_distance(&value, &name.replace('_', "-")), name));
    distances.filter(|(distance, _)| *distance <= allowed).min().map(|(_, name)| name)
}

/// Counts the letters to insert, remove or change to turn one name into the other.
fn measure_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().take(100).enumerate() {
        let mut above = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let changed = above + usize::from(a != *b);
            above = row[j + 1];
            row[j + 1] = changed.min(above + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
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
