//! The faults of a catalog, reported at the lines of its values.

use crate::finding::Findings;
use crate::rule::list;
use crate::rule::text::Verdict;
use crate::source::Source;

/// Reports faults of a catalog; `source` knows their lines.
pub(super) struct Report<'a> {
    pub(super) source: &'a Source,
    pub(super) findings: &'a mut Findings,
}

impl Report<'_> {
    /// Reports a fault at `path`; in a list, a number in `path` is an index.
    pub(super) fn refuse(&mut self, path: &[&str], fault: &str) {
        let field = self.source.format_path(path);
        self.findings.add(self.source.line(path), format!("{field}: {fault}"));
    }

    /// Reports what a rule says of the value at `path`.
    pub(super) fn check(&mut self, path: &[&str], verdict: Verdict) {
        if let Err(fault) = verdict {
            self.refuse(path, &fault);
        }
    }

    /// Checks a value that may be missing.
    pub(super) fn check_optional(
        &mut self,
        path: &[&str],
        value: Option<&String>,
        rule: impl Fn(&str) -> Verdict,
    ) {
        self.check(path, value.map_or(Ok(()), |value| rule(value)));
    }

    /// Checks a list as a whole, and every value in it.
    pub(super) fn check_list(&mut self, path: &[&str], list: &[String], rule: impl Fn(&str) -> Verdict) {
        for (index, fault) in list::check(list) {
            self.refuse(&join(path, &index.to_string()), &fault);
        }
        for (index, value) in list.iter().enumerate() {
            self.check(&join(path, &index.to_string()), rule(value));
        }
    }
}

fn join<'p>(path: &[&'p str], last: &'p str) -> Vec<&'p str> {
    path.iter().copied().chain([last]).collect()
}
