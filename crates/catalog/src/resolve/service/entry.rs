//! The table of one service in one scope: what every field is resolved from, and where its faults are reported.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Lock, Role, unit_stem};
use crate::raw::{self, Catalog, Manager, Scope};
use crate::resolve::inherit::Chain;
use crate::resolve::report::Report;
use crate::rule::text::Verdict;
use crate::rule::{list, specifier};

/// What a service may refer to.
pub(crate) struct Context<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) roles: &'a [Role],
    pub(crate) locks: &'a [Lock],
    /// Services that others name as their `parent`.
    pub(crate) parents: BTreeSet<&'a str>,
    /// Services with instances.
    pub(crate) templates: BTreeSet<&'a str>,
    /// Services with `tasks`, and the user of each.
    pub(crate) task_managers: BTreeMap<&'a str, Option<&'a str>>,
    pub(crate) scopes: BTreeMap<&'a str, Scope>,
}

/// The table of one service in one scope.
pub(super) struct Entry<'a, 'r> {
    pub(super) chain: &'a Chain,
    /// The service's fields, those of its default tables included.
    pub(super) spec: &'a raw::Service,
    pub(super) scope: Manager,
    pub(super) context: &'a Context<'a>,
    pub(super) report: &'a mut Report<'r>,
}

impl<'a> Entry<'a, '_> {
    pub(super) fn name(&self) -> &'a str {
        &self.chain.name
    }

    pub(super) fn product(&self) -> &'a raw::Product {
        &self.context.catalog.product
    }

    /// Returns the name of the unit without suffix and instance.
    pub(super) fn stem(&self) -> String {
        unit_stem(&self.product().name, self.name())
    }

    /// Tells whether the unit is a template.
    pub(super) fn is_template(&self) -> bool {
        self.spec.instances.is_some()
    }

    /// Reports a fault of a field, in the table that the field comes from.
    pub(super) fn refuse(&mut self, field: &[&str], fault: &str) {
        let own = ["service", self.name()];
        let tables = self.chain.kinds.iter().map(|kind| ["default", kind]);
        for table in [own].into_iter().chain(tables) {
            // Lists and strings come from one table as a whole; only tables are merged.
            let path: Vec<&str> = table.iter().chain(field).copied().collect();
            let deep = if field.len() > 1 && field[1].parse::<usize>().is_err() { path.len() } else { 3 };
            if self.report.source.has(&path[..deep.min(path.len())]) {
                return self.report.refuse(&path, fault);
            }
        }
        self.report.refuse(&own.iter().chain(field).copied().collect::<Vec<_>>(), fault);
    }

    /// Reports what a rule says of a field.
    pub(super) fn check(&mut self, field: &[&str], verdict: Verdict) {
        if let Err(fault) = verdict {
            self.refuse(field, &fault);
        }
    }

    /// Checks a field that may be missing.
    pub(super) fn check_optional(
        &mut self,
        field: &[&str],
        value: Option<&String>,
        rule: impl Fn(&str) -> Verdict,
    ) {
        self.check(field, value.map_or(Ok(()), |value| rule(value)));
    }

    /// Checks a list as a whole, and every value in it.
    pub(super) fn check_list(&mut self, field: &str, values: &[String], rule: impl Fn(&str) -> Verdict) {
        for (index, fault) in list::check(values) {
            self.refuse(&[field, &index.to_string()], &fault);
        }
        for (index, value) in values.iter().enumerate() {
            self.check(&[field, &index.to_string()], rule(value));
        }
    }

    /// Checks how many words a command has.
    pub(super) fn check_length(&mut self, field: &[&str], words: &[String]) {
        if let Some((index, fault)) = list::check_length(words) {
            let index = index.to_string();
            self.refuse(&field.iter().copied().chain([index.as_str()]).collect::<Vec<_>>(), &fault);
        }
    }

    /// Checks the specifiers of a value that systemd expands.
    pub(super) fn check_specifiers(&mut self, field: &[&str], value: &str) {
        self.check(field, specifier::check(value, self.scope, self.is_template()));
    }
}
