//! The escape hatch: takes a service's `directives`, makes lines for the sections of its unit.

use indexmap::IndexMap;

use crate::model::Directives;
use crate::model::service::Builder;
use crate::raw::Directive;
use crate::rule::{directive, text};

impl Builder<'_, '_> {
    /// The lines, by section.
    pub(super) fn directives(&mut self) -> Directives {
        let spec = &self.spec.directives;
        Directives {
            unit: self.section("Unit", &spec.unit),
            service: self.section("Service", &spec.service),
            install: self.section("Install", &spec.install),
        }
    }

    fn section(&mut self, section: &str, entries: &IndexMap<String, Directive>) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for (key, value) in entries {
            let at = ["directives", section, key];
            self.rule(&at, directive::name(section, key));
            for value in lines_of(value) {
                // An empty value resets a list: that is a directive's ordinary use.
                self.rule(&at, if value.is_empty() { Ok(()) } else { text::setting(&value) });
                self.specifier(&at, &value);
                self.rule(&at, directive::value(key, &value, self.scope, &self.known.catalog.product.name));
                if directive::names_units(key) {
                    for unit in value.split_whitespace() {
                        self.foreign(&at, unit);
                    }
                }
                lines.push((key.clone(), value));
            }
        }
        lines
    }
}

/// What a directive's value is in a file, one string for each line.
pub(super) fn lines_of(value: &Directive) -> Vec<String> {
    match value {
        Directive::Switch(on) => vec![if *on { "yes" } else { "no" }.to_owned()],
        Directive::Number(number) => vec![number.to_string()],
        Directive::Text(text) => vec![text.clone()],
        Directive::Lines(lines) => lines.clone(),
    }
}
