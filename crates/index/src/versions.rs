//! Lists every version that an index offers, once.

use crate::kind::Row;
use crate::list::List;

/// A version of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version<'a> {
    /// Package name.
    pub name: &'a str,
    /// Package version.
    pub version: &'a str,
    /// The processors it is built for.
    pub processors: Vec<&'a str>,
    /// Percentage of machines it is offered to, if it is phased.
    pub phase: Option<&'a str>,
}

/// Returns the versions in the lists, sorted by name and version as text.
pub fn versions<'a>(lists: impl IntoIterator<Item = &'a List>) -> Vec<Version<'a>> {
    let mut seen: Vec<&List> = Vec::new();
    let mut rows: Vec<Row<'a>> = Vec::new();
    for list in lists {
        // Indices of several processors are equal if all packages are for any processor.
        if !seen.iter().any(|other| other.is(list)) {
            rows.extend(list.rows());
            seen.push(list);
        }
    }
    // The lists are nearly sorted, which makes a stable sort fast.
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
