//! `directives`: lines for the sections of a unit that have no field of their own.

use indexmap::IndexMap;

use super::entry::Entry;
use super::reference::check_unit;
use crate::model::Directives;
use crate::raw::Directive;
use crate::rule::{directive, text};

pub(super) fn resolve_directives(entry: &mut Entry<'_, '_>) -> Directives {
    let spec = &entry.spec.directives;
    Directives {
        unit: resolve_section(entry, "Unit", &spec.unit),
        service: resolve_section(entry, "Service", &spec.service),
        install: resolve_section(entry, "Install", &spec.install),
    }
}

fn resolve_section(
    entry: &mut Entry<'_, '_>,
    section: &str,
    directives: &IndexMap<String, Directive>,
) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (key, value) in directives {
        let at = ["directives", section, key];
        entry.check(&at, directive::check_name(section, key));
        for value in value.lines() {
            // An empty value resets a list.
            entry.check(&at, if value.is_empty() { Ok(()) } else { text::check_setting(&value) });
            entry.check_specifiers(&at, &value);
            entry.check(&at, directive::check_value(key, &value, entry.scope, &entry.product().name));
            if directive::names_units(key) {
                for unit in value.split_whitespace() {
                    check_unit(entry, &at, unit);
                }
            }
            lines.push((key.clone(), value));
        }
    }
    lines
}
