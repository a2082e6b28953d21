//! Selects a part of a product: takes the whole [`Tree`] and names of services, and returns the files that these
//! services need. It serves users who inspect or adapt a unit; packages always contain the whole product.
//!
//! The result never includes polkit rules. A rule for a unit that is not installed would let its holder start any
//! command under that name.

use std::collections::BTreeSet;

use catalog::finding::describe_unknown;
use catalog::model::{Product, Service};

use crate::tree::Tree;

/// Files that apply to all services: users and directories.
const COMMON: [&str; 2] = ["root/usr/lib/sysusers.d/", "root/usr/lib/tmpfiles.d/"];

const UNITS: [&str; 2] = ["root/usr/lib/systemd/system/", "root/usr/lib/systemd/user/"];

/// Returns the files that the named services need, or an error for an unknown name.
pub fn select(product: &Product, tree: Tree, names: &[String]) -> Result<Tree, String> {
    for name in names {
        if product.services.iter().all(|s| s.name != *name) {
            return Err(describe_unknown("service", name, product.services.iter().map(|s| &s.name)));
        }
    }
    let selected = |s: &&Service| names.contains(&s.name);
    let stems: Vec<&str> = product.units().filter(selected).map(|s| stem(&s.unit)).collect();
    let others: BTreeSet<&str> =
        product.units().filter(|s| !names.contains(&s.name)).map(|s| s.unit.as_str()).collect();
    let mut part = Tree::default();
    let mut left = Vec::new();
    for (path, file) in tree.0 {
        let unit = strip_unit_folder(&path);
        if unit.is_some_and(|unit| others.contains(unit)) {
            continue;
        }
        // The service's own unit, and the units that belong to it: `name.socket`, `name-proxy.service`.
        let belongs = |unit: &str| {
            stems
                .iter()
                .any(|stem| unit.strip_prefix(stem).is_some_and(|rest| rest.starts_with(['.', '-', '@'])))
        };
        if unit.is_some_and(belongs) || is_common(&path) {
            part.0.insert(path, file);
        } else if unit.is_some() || path.starts_with("root/etc/") || path.starts_with("root/usr/libexec/") {
            left.push((path, file));
        }
    }
    // Adds files that the selected ones mention, until no file mentions another one.
    loop {
        let own = part.0.iter().filter(|(path, _)| !is_common(path));
        let texts: Vec<String> =
            own.map(|(_, file)| String::from_utf8_lossy(&file.bytes).into_owned()).collect();
        let is_mentioned =
            |path: &str| list_names(path).iter().any(|name| texts.iter().any(|text| mentions(text, name)));
        let (mentioned, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(|(path, _)| is_mentioned(path));
        if mentioned.is_empty() {
            return Ok(part);
        }
        part.0.extend(mentioned);
        left = rest;
    }
}

fn is_common(path: &str) -> bool {
    COMMON.iter().any(|folder| path.starts_with(folder))
}

/// Returns the name of a unit file, or `None` for other files.
fn strip_unit_folder(path: &str) -> Option<&str> {
    UNITS.iter().find_map(|folder| path.strip_prefix(folder))
}

/// Returns a unit's name without its suffix, and without the `@` of a template.
fn stem(unit: &str) -> &str {
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    stem.strip_suffix('@').unwrap_or(stem)
}

/// Returns the texts by which other files mention a file. A text that ends in `@` or `.` is only the beginning of a
/// name.
fn list_names(path: &str) -> Vec<String> {
    let installed = path.strip_prefix("root").unwrap_or(path).to_owned();
    let folder = installed.rsplit_once('/').map_or("", |(folder, _)| folder);
    match strip_unit_folder(path) {
        Some(unit) => match unit.split_once('@') {
            Some((template, _)) => vec![format!("{template}@")],
            None => vec![unit.to_owned()],
        },
        // Units mention the files of all instances by one pattern, and a folder of programs by its path.
        None => vec![format!("{folder}/%i."), folder.to_owned(), installed],
    }
}

/// Returns whether a text contains the name, and not only a longer name that begins with it.
fn mentions(text: &str, name: &str) -> bool {
    let continues = |c: char| c.is_ascii_alphanumeric() || "_-/".contains(c);
    let is_prefix = name.ends_with(['@', '.']);
    text.match_indices(name).any(|(at, _)| is_prefix || !text[at + name.len()..].starts_with(continues))
}
