//! What people and machines fetch to begin with: a page with the lines to type, versions and fingerprints, the keys,
//! and the sources of apt and dnf.

use std::collections::BTreeSet;

use anyhow::Result;
use minijinja::context;
use serde::Serialize;

use super::Suite;
use super::keyring::Sources;
use super::publication::Publication;
use super::state::State;
use crate::render;

/// How many versions of a package the page shows, and of all together.
const VERSIONS: usize = 10;
const ROWS: usize = 300;

#[derive(Serialize)]
struct Row {
    name: String,
    version: String,
    r#for: BTreeSet<String>,
    phase: Option<String>,
}

#[derive(Serialize)]
struct Vouching {
    name: String,
    fingerprint: String,
}

/// Writes them; returns the page's path in the site.
pub(super) fn write(
    publication: &Publication<'_>,
    suite: &str,
    sources: &Sources,
    packages: &Suite,
    state: &State,
) -> Result<String> {
    let site = publication.site;
    let stem = &sources.stem;
    site.put(&format!("{stem}.asc"), sources.keys.as_bytes())?;
    site.put(&format!("apt/{stem}.sources"), sources.apt.as_bytes())?;
    site.put(&format!("rpm/{stem}.repo"), sources.rpm.as_bytes())?;
    let names = packages.names(publication.description);
    let names = &names[..names.len() - 1];
    let mut versions: Vec<Row> = packages
        .versions()
        .into_iter()
        .map(|(v, (r#for, phase))| Row { name: v.name, version: v.version, r#for, phase })
        .collect();
    // The newest are of interest first; what is newer is the package managers' to say, digits by their value here.
    versions.sort_by_cached_key(|row| (row.name.clone(), std::cmp::Reverse(digits(&row.version))));
    let all = versions.len();
    let (mut name, mut shown) = (String::new(), 0);
    versions.retain(|row| {
        shown = if row.name == name { shown + 1 } else { 1 };
        name.clone_from(&row.name);
        shown <= VERSIONS
    });
    versions.truncate(ROWS);
    let older = all - versions.len();
    let keys: Vec<Vouching> = publication
        .keys
        .iter()
        .map(|key| Vouching { name: key.name().to_owned(), fingerprint: spaced(&key.fingerprint()) })
        .collect();
    let page = render::text(
        "packaging/repo/index.html",
        context! {
            r => publication.description, suite, stem, names, versions, older, keys, withdrawn => state.withdrawn,
        },
    );
    let name = if suite == super::SUITE { "index.html".to_owned() } else { format!("{suite}.html") };
    site.put(&name, page.as_bytes())?;
    Ok(name)
}

/// A fingerprint in groups, as people compare it.
fn spaced(fingerprint: &str) -> String {
    let groups: Vec<&str> =
        fingerprint.as_bytes().chunks(4).filter_map(|four| str::from_utf8(four).ok()).collect();
    groups.join(" ")
}

/// Numbers in a version; a `~` sorts before its absence.
fn digits(version: &str) -> (Vec<u64>, bool) {
    let numbers = version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    (numbers, !version.contains('~'))
}
