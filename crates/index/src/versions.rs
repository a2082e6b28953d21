//! The versions that a repository offers: takes the lists of all processors and formats, and returns each version once.

use crate::kind::Row;
use crate::list::List;

/// A version of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version<'a> {
    /// Name of the package.
    pub name: &'a str,
    /// Version as the index writes it.
    pub version: &'a str,
    /// Processors that it is built for.
    pub processors: Vec<&'a str>,
    /// Percentage of machines that are offered it; `None` means all of them.
    pub phase: Option<&'a str>,
}

/// Returns the versions in these lists, sorted by name and version as text.
pub fn versions<'a>(lists: impl IntoIterator<Item = &'a List>) -> Vec<Version<'a>> {
    let mut distinct: Vec<&List> = Vec::new();
    let mut rows: Vec<Row<'a>> = Vec::new();
    for list in lists {
        // Processors have the same list while all packages are for every processor.
        if !distinct.iter().any(|other| other.is(list)) {
            rows.extend(list.rows());
            distinct.push(list);
        }
    }
    // Each list is nearly sorted already, and the stable sort is fast on such input.
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
