//! Writes the files that users fetch to set up a repository: the web page with commands, versions and fingerprints, the
//! keys, and the sources of apt and dnf.

use std::cmp::Reverse;

use anyhow::Result;
use minijinja::context;
use package::render;
use serde::Serialize;

use super::keyring::{self, Sources};
use super::publication::Publication;
use super::state::State;

/// Most versions of one package on the page.
const VERSIONS: usize = 10;
/// Most versions of all packages on the page.
const ROWS: usize = 300;
/// Most packages in the install command. If there are more, it has a placeholder instead.
const NAMES: usize = 12;

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    version: &'a str,
    r#for: &'a [&'a str],
    phase: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn new(version: &'a repo_index::Version<'a>) -> Row<'a> {
        let repo_index::Version { name, version, processors, phase } = version;
        Row { name, version, r#for: processors, phase: *phase }
    }
}

#[derive(Serialize)]
struct Signer {
    name: String,
    fingerprint: String,
}

/// Writes the files; returns the page's path in the site.
pub(super) fn write(
    publication: &Publication<'_>,
    suite: &str,
    sources: &Sources,
    known: &[repo_index::Version<'_>],
    state: &State,
) -> Result<String> {
    let site = publication.site;
    let stem = &sources.stem;
    site.put(&format!("{stem}.asc"), sources.keys.as_bytes())?;
    site.put(&format!("apt/{stem}.sources"), sources.apt.as_bytes())?;
    site.put(&format!("rpm/{stem}.repo"), sources.rpm.as_bytes())?;
    let own = keyring::name(publication.description);
    let names = list_offered(known, &own);
    let mut versions = Vec::new();
    for package in known.chunk_by(|a, b| a.name == b.name) {
        let mut newest: Vec<_> = package.iter().collect();
        // Newest first. Comparing the numbers in a version is close enough to what package managers do.
        newest.sort_by_cached_key(|v| Reverse(sort_key(v.version)));
        versions.extend(newest.into_iter().take(VERSIONS.min(ROWS - versions.len())).map(Row::new));
        if versions.len() == ROWS {
            break;
        }
    }
    let older = known.len() - versions.len();
    let keys: Vec<Signer> = publication
        .keys
        .iter()
        .map(|key| Signer { name: key.name().to_owned(), fingerprint: group_digits(&key.fingerprint()) })
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

/// Returns the packages for the install command. The template adds the keyring package itself.
fn list_offered<'a>(known: &[repo_index::Version<'a>], own: &str) -> Vec<&'a str> {
    let names = super::list_names(known, own);
    if names.len() > NAMES { vec!["PACKAGE"] } else { names }
}

/// Splits a fingerprint into groups of four digits.
fn group_digits(fingerprint: &str) -> String {
    let groups: Vec<&str> =
        fingerprint.as_bytes().chunks(4).filter_map(|four| str::from_utf8(four).ok()).collect();
    groups.join(" ")
}

/// Returns the sort key of a version: its numbers, and `false` for a pre-release with `~`.
fn sort_key(version: &str) -> (Vec<u64>, bool) {
    let numbers = version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    (numbers, !version.contains('~'))
}

#[cfg(test)]
mod tests {
    use repo_index::Version;

    #[test]
    fn a_line_installs_a_dozen_packages_at_most() {
        let names: Vec<String> = (0..13).map(|n| format!("p{n:02}")).chain(["own".to_owned()]).collect();
        let known: Vec<Version<'_>> = names
            .iter()
            .map(|name| Version { name, version: "1", processors: vec!["all"], phase: None })
            .collect();
        assert_eq!(super::list_offered(&known[1..], "own"), names[1..13]);
        assert_eq!(super::list_offered(&known, "own"), ["PACKAGE"]);
    }
}
