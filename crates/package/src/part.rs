//! A part of a product: takes its whole [`Tree`] and names of services, makes the tree of what these need. For a person
//! who wants a unit to look at, to change and to put somewhere; packages are always whole.
//!
//! Rules of polkit are never part of it: one about a unit that is not installed would let its holder start any command
//! under that name.

use std::collections::BTreeSet;

use catalog::finding::describe_unknown;
use catalog::model::{Product, Service};

use crate::tree::Tree;

/// Who is made for the services, and what for: of the product as a whole.
const COMMON: [&str; 2] = ["root/usr/lib/sysusers.d/", "root/usr/lib/tmpfiles.d/"];

/// Where units are.
const UNITS: [&str; 2] = ["root/usr/lib/systemd/system/", "root/usr/lib/systemd/user/"];

/// The files that the services of these names need; or which of the names is none.
pub fn select(product: &Product, tree: Tree, names: &[String]) -> Result<Tree, String> {
    for name in names {
        if product.services.iter().all(|s| s.name != *name) {
            return Err(describe_unknown("service", name, product.services.iter().map(|s| &s.name)));
        }
    }
    let wanted = |s: &&Service| names.contains(&s.name);
    let stems: Vec<&str> = product.units().filter(wanted).map(|s| stem(&s.unit)).collect();
    let others: BTreeSet<&str> =
        product.units().filter(|s| !names.contains(&s.name)).map(|s| s.unit.as_str()).collect();
    let mut part = Tree::default();
    let mut left = Vec::new();
    for (path, file) in tree.0 {
        let unit = unit_of(&path);
        if unit.is_some_and(|unit| others.contains(unit)) {
            continue;
        }
        // Its own, and those that are made for it: `name.socket`, `name-proxy.service`.
        let made_for = |unit: &str| {
            stems
                .iter()
                .any(|stem| unit.strip_prefix(stem).is_some_and(|rest| rest.starts_with(['.', '-', '@'])))
        };
        if unit.is_some_and(made_for) || is_common(&path) {
            part.0.insert(path, file);
        } else if unit.is_some() || path.starts_with("root/etc/") || path.starts_with("root/usr/libexec/") {
            left.push((path, file));
        }
    }
    // What these name, and what that names in turn.
    loop {
        let own = part.0.iter().filter(|(path, _)| !is_common(path));
        let texts: Vec<String> =
            own.map(|(_, file)| String::from_utf8_lossy(&file.bytes).into_owned()).collect();
        let is_named =
            |path: &str| list_names(path).iter().any(|name| texts.iter().any(|text| mentions(text, name)));
        let (found, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(|(path, _)| is_named(path));
        if found.is_empty() {
            return Ok(part);
        }
        part.0.extend(found);
        left = rest;
    }
}

/// Whether a file is about all services.
fn is_common(path: &str) -> bool {
    COMMON.iter().any(|folder| path.starts_with(folder))
}

/// The unit that a file is.
fn unit_of(path: &str) -> Option<&str> {
    UNITS.iter().find_map(|folder| path.strip_prefix(folder))
}

/// A unit's name without its suffix, and without the `@` of a template.
fn stem(unit: &str) -> &str {
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    stem.strip_suffix('@').unwrap_or(stem)
}

/// How others write the name of a file; what ends in a sign goes on.
fn list_names(path: &str) -> Vec<String> {
    let installed = path.strip_prefix("root").unwrap_or(path).to_owned();
    let folder = installed.rsplit_once('/').map_or("", |(folder, _)| folder);
    match unit_of(path) {
        Some(unit) => match unit.split_once('@') {
            Some((template, _)) => vec![format!("{template}@")],
            None => vec![unit.to_owned()],
        },
        // A file for each instance is named once for all, and a folder of programs as one.
        None => vec![format!("{folder}/%i."), folder.to_owned(), installed],
    }
}

/// Whether a text has the name as a whole, and not as the beginning of a longer one.
fn mentions(text: &str, name: &str) -> bool {
    let goes_on = |c: char| c.is_ascii_alphanumeric() || "_-/".contains(c);
    let open = name.ends_with(['@', '.']);
    text.match_indices(name).any(|(at, _)| open || !text[at + name.len()..].starts_with(goes_on))
}
