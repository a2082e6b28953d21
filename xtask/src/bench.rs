//! Benches: their results and how they are printed. Each is a module of that name.

pub mod dist;
pub mod image;
pub mod notify;
pub mod payload;
pub mod repo;
pub mod run_stack;
pub mod status;

use std::fmt;

use serde::Serialize;

/// A comparison of our program with another.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Name of our program.
    pub ours: String,
    /// Name of what it replaces.
    pub theirs: String,
    /// Method of measurement.
    pub how: String,
    /// The measured quantities.
    pub rows: Vec<Row>,
    /// Limits of the comparison.
    pub notes: Vec<String>,
}

/// A measured quantity of both sides.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Name of the quantity.
    pub what: String,
    /// Unit of measurement.
    pub unit: &'static str,
    /// Our value.
    pub ours: f64,
    /// The other value.
    pub theirs: f64,
    /// Our value divided by the other.
    pub ratio: f64,
}

impl Row {
    /// Creates a row and computes its ratio.
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
