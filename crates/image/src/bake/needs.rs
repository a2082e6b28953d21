//! What packages need of a system before they are installed into it: their processor, and other packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use debian::archive::package::Package;
use debian::archive::relation::{Relation, describe};
use debian::deb;
use debian::stanza::Stanza;
use disk::tree::Tree;

const STATUS: &str = "/var/lib/dpkg/status";

/// What a system has of what packages need.
pub(super) struct Needs {
    /// Its packages, and those that are installed into it.
    pub(super) there: Vec<Package>,
    /// What is not among them; of each, one alternative is enough.
    pub(super) missing: Vec<Vec<Relation>>,
}

/// The processor that a system is for.
pub(super) fn architecture(tree: &Tree) -> Result<String> {
    let status = status(tree)?;
    let dpkg = paragraphs(&status).find(|paragraph| paragraph.field("Package") == Some("dpkg"));
    let architecture = dpkg.and_then(|dpkg| dpkg.field("Architecture"));
    Ok(architecture
        .context("has no dpkg among its packages, so nothing can be installed into it")?
        .to_owned())
}

impl Needs {
    /// Refuses packages of another processor.
    pub(super) fn read(tree: &Tree, debs: &[PathBuf], architecture: &str) -> Result<Needs> {
        let status = status(tree)?;
        let installed = paragraphs(&status).filter(|paragraph| is_installed(*paragraph));
        // Whatever somebody has put into the list by hand, nothing can be installed beside it by name.
        let mut there: Vec<Package> = installed.filter_map(|p| Package::described(p, STATUS).ok()).collect();
        let before = there.len();
        for deb in debs {
            let shown = deb.display();
            let package = Package::described(Stanza(&control(deb)?), STATUS);
            let package = package.with_context(|| format!("`{shown}`"))?;
            let own = &package.architecture;
            ensure!(
                own == architecture || own == "all",
                "is a system for {architecture}, and `{shown}` is for {own}: take the package for {architecture}"
            );
            there.push(package);
        }
        let mut missing: Vec<Vec<Relation>> = Vec::new();
        for group in there[before..].iter().flat_map(Package::needs) {
            let found = group.iter().any(|relation| there.iter().any(|package| package.satisfies(relation)));
            if !found && !missing.contains(group) {
                missing.push(group.clone());
            }
        }
        missing.sort_by_key(|group| describe(group));
        Ok(Needs { there, missing })
    }
}

fn status(tree: &Tree) -> Result<String> {
    ensure!(
        tree.get(STATUS).is_some(),
        "has no Debian system in its root partition: `{STATUS}` is not there"
    );
    String::from_utf8(tree.read(STATUS)?).with_context(|| format!("`{STATUS}` in it is not UTF-8"))
}

fn control(deb: &Path) -> Result<String> {
    let shown = deb.display();
    let bytes = fs::read(deb).with_context(|| format!("`{shown}`: cannot be read"))?;
    deb::control(&bytes).with_context(|| format!("`{shown}`"))
}

fn paragraphs(status: &str) -> impl Iterator<Item = Stanza<'_>> {
    status.split("\n\n").filter(|text| !text.trim().is_empty()).map(Stanza)
}

fn is_installed(paragraph: Stanza<'_>) -> bool {
    paragraph
        .field("Status")
        .is_some_and(|status| status.ends_with(" installed") || status.contains(" triggers-"))
}
