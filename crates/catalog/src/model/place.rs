//! Where a value stands: follows a service's `use` chain, so that a fault is reported in the table that holds it.

use crate::finding::{Findings, shown};
use crate::rule::text::Verdict;
use crate::source::Source;

/// The faults of a catalog, together with the places where they can be.
pub(super) struct Place<'a> {
    pub(super) source: &'a Source,
    pub(super) findings: &'a mut Findings,
}

impl Place<'_> {
    /// Reports what a rule found at `path`.
    pub(super) fn rule(&mut self, path: &[&str], verdict: Verdict) {
        if let Err(what) = verdict {
            self.fault(path, &what);
        }
    }

    /// Reports a fault at `path`; a number in it is a place in a list where there is one.
    pub(super) fn fault(&mut self, path: &[&str], what: &str) {
        let shown = self.source.shown(path);
        self.findings.add(self.source.line(path), format!("{shown}: {what}"));
    }

    /// Reports what is wrong with a list as a whole.
    pub(super) fn list(&mut self, path: &[&str], list: &[String]) {
        for (at, what) in list_faults(list) {
            let at = at.to_string();
            self.fault(&path.iter().copied().chain([at.as_str()]).collect::<Vec<_>>(), &what);
        }
    }

    /// Reports what a rule found in a service's field.
    pub(super) fn service_rule(&mut self, service: &Chain, field: &[&str], verdict: Verdict) {
        if let Err(what) = verdict {
            self.service_fault(service, field, &what);
        }
    }

    /// Reports a fault in a service's field, in the table that the field comes from.
    pub(super) fn service_fault(&mut self, service: &Chain, field: &[&str], what: &str) {
        let own = ["service", &service.name];
        let tables = service.kinds.iter().map(|kind| ["default", kind]);
        for table in [own].into_iter().chain(tables) {
            // The outermost key decides: a list or a text comes whole from one table.
            let path: Vec<&str> = table.iter().chain(field).copied().collect();
            let deep = if field.len() > 1 && field[1].parse::<usize>().is_err() { path.len() } else { 3 };
            if self.source.has(&path[..deep.min(path.len())]) {
                return self.fault(&path, what);
            }
        }
        self.fault(&own.iter().chain(field).copied().collect::<Vec<_>>(), what);
    }
}

/// What is wrong with a list as a whole, and where. A unit's line has an end, and so has patience.
pub(super) fn list_faults(list: &[String]) -> Vec<(usize, String)> {
    const MOST: usize = 100;
    if list.len() > MOST {
        return vec![(MOST, format!("is one of {}: write at most {MOST}", list.len()))];
    }
    let twice = |(i, value): &(usize, &String)| list[..*i].contains(value);
    let fault = |(i, value): (usize, &String)| (i, format!("{} is there twice: keep one", shown(value)));
    list.iter().enumerate().filter(twice).map(fault).collect()
}

/// A service's name and the default tables that it comes from, nearest first.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub name: String,
    pub(super) kinds: Vec<String>,
}
