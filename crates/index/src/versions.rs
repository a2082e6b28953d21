//! What an index offers, for people: takes lists, makes every version that is there, once.

use crate::kind::Row;
use crate::list::List;

/// A version of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version<'a> {
    /// Name of the package.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The processors that it is for.
    pub processors: Vec<&'a str>,
    /// To how many of a hundred machines it is offered, if not to all.
    pub phase: Option<&'a str>,
}

/// The versions of lists, sorted by name and version as texts.
pub fn versions<'a>(lists: impl IntoIterator<Item = &'a List>) -> Vec<Version<'a>> {
    let mut seen: Vec<&List> = Vec::new();
    let mut rows: Vec<Row<'a>> = Vec::new();
    for list in lists {
        // What is for every processor makes the indices of several the same.
        if !seen.iter().any(|other| other.is(list)) {
            rows.extend(list.rows());
            seen.push(list);
        }
    }
    // Each list is nearly in this order, which a stable sort makes use of.
    rows.sort();
    let mut versions: Vec<Version<'a>> = Vec::with_capacity(rows.len());
    for row in rows {
        match versions.last_mut().filter(|last| (last.name, last.version) == (row.name, row.version)) {
            Some(last) => {
                if last.processors.last() != Some(&row.processor) {
                    last.processors.push(row.processor);
                }
                last.phase = last.phase.or(row.phase);
            }
            None => versions.push(Version {
                name: row.name,
                version: row.version,
                processors: vec![row.processor],
                phase: row.phase,
            }),
        }
    }
    versions
}
