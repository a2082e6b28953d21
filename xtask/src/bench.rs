//! Benches: what they find, and how it is shown. Each is a module of its name.

pub mod dist;
pub mod image;
pub mod notify;
pub mod repo;
pub mod run_stack;
pub mod status;

use std::fmt;

use serde::Serialize;

/// Our side against the other one.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Our program.
    pub ours: String,
    /// What it replaces.
    pub theirs: String,
    /// How it was measured.
    pub how: String,
    /// What was measured.
    pub rows: Vec<Row>,
    /// What the numbers do not say.
    pub notes: Vec<String>,
}

/// One quantity of both sides.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What it is.
    pub what: String,
    /// In which unit.
    pub unit: &'static str,
    /// Our side.
    pub ours: f64,
    /// The other one.
    pub theirs: f64,
    /// Ours divided by theirs.
    pub ratio: f64,
}

impl Row {
    /// A row with its ratio.
    pub fn new(what: &str, unit: &'static str, ours: f64, theirs: f64) -> Row {
        Row { what: what.to_owned(), unit, ours, theirs, ratio: ours / theirs }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<44}{:>14}{:>14}{:>8}", self.how, self.ours, self.theirs, "ratio")?;
        for Row { what, unit, ours, theirs, ratio } in &self.rows {
            let side = |value: f64| format!("{value:.2} {unit}");
            writeln!(f, "{what:<44}{:>14}{:>14}{ratio:>8.2}", side(*ours), side(*theirs))?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}
