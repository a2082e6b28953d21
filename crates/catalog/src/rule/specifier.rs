//! Rules for systemd's `%` specifiers: those with a misleading meaning are refused.

use crate::raw::Manager;
use crate::rule::text::Verdict;

/// Specifiers of systemd 252, the oldest supported version.
const KNOWN: &str = "aAbBCdEfgGhHiIjJlLmMnNopPqsStTuUvVwW%";

/// Checks every specifier of a value in a unit; `instances` tells whether the unit is a template.
pub fn check(value: &str, scope: Manager, instances: bool) -> Verdict {
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c == '%' {
            check_one(chars.next(), scope, instances)?;
        }
    }
    Ok(())
}

fn check_one(letter: Option<char>, scope: Manager, instances: bool) -> Verdict {
    let name = letter.map(String::from).unwrap_or_default();
    match (letter, scope) {
        (Some('h'), Manager::System) => {
            Err("`%h` is the home of root in a system unit, not of the service's user: \
             write the directory"
                .to_owned())
        }
        (Some('u' | 'U' | 'g' | 'G' | 's'), Manager::System) => {
            Err(format!("`%{name}` describes root in a system unit, not the service's user: write the value"))
        }
        (Some('i'), _) if instances => Ok(()),
        (Some('I' | 'j' | 'J'), _) if instances => {
            Err(format!("`%{name}` changes the name of the instance: write `%i`"))
        }
        (Some('i' | 'I' | 'j' | 'J'), _) => {
            Err(format!("`%{name}` is empty, because the service has no instances: write the value"))
        }
        (Some(c), _) if KNOWN.contains(c) => Ok(()),
        _ => Err(format!("`%{name}` is not a specifier: write `%%` for a percent sign")),
    }
}
