//! Checks what packages need from a system before they are installed: its processor and other packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use debian::archive::package::Package;
use debian::archive::relation::{Relation, describe};
use debian::deb;
use debian::stanza::Stanza;
use disk::tree::Tree;

const STATUS: &str = "/var/lib/dpkg/status";

/// Packages a system has, and dependencies it lacks.
pub(super) struct Needs {
    /// Its packages and those to be installed.
    pub(super) there: Vec<Package>,
    /// Missing dependencies; each group lists the alternatives.
    pub(super) missing: Vec<Vec<Relation>>,
}

/// Returns the processor a system is built for.
pub(super) fn architecture(tree: &Tree) -> Result<String> {
    let status = status(tree)?;
    let dpkg = paragraphs(&status).find(|paragraph| paragraph.field("Package") == Some("dpkg"));
    let architecture = dpkg.and_then(|dpkg| dpkg.field("Architecture"));
    Ok(architecture.context("the image has no dpkg, so packages cannot be installed")?.to_owned())
}

impl Needs {
    /// Compares packages with the system. A package for another processor is an error.
    pub(super) fn read(tree: &Tree, debs: &[PathBuf], architecture: &str) -> Result<Needs> {
        let status = status(tree)?;
        let installed = paragraphs(&status).filter(|paragraph| is_installed(*paragraph));
        // Malformed entries are skipped: no package can depend on them by name.
        let mut there: Vec<Package> = installed.filter_map(|p| Package::described(p, STATUS).ok()).collect();
        let before = there.len();
        for deb in debs {
            let file = deb.display();
            let package = Package::described(Stanza(&control(deb)?), STATUS);
            let package = package.with_context(|| format!("`{file}`"))?;
            let own = &package.architecture;
            ensure!(
                own == architecture || own == "all",
                "the system is for {architecture}, but `{file}` is for {own}: use the package for {architecture}"
            );
            there.push(package);
        }
        let mut missing: Vec<Vec<Relation>> = Vec::new();
        for group in there[before..].iter().flat_map(Package::needs) {
            let is_satisfied =
                group.iter().any(|relation| there.iter().any(|package| package.satisfies(relation)));
            if !is_satisfied && !missing.contains(group) {
                missing.push(group.clone());
            }
        }
        missing.sort_by_key(|group| describe(group));
        Ok(Needs { there, missing })
    }
}

fn status(tree: &Tree) -> Result<String> {
    ensure!(tree.get(STATUS).is_some(), "no Debian system in its root partition: `{STATUS}` does not exist");
    String::from_utf8(tree.read(STATUS)?).with_context(|| format!("its `{STATUS}` is not UTF-8"))
}

fn control(deb: &Path) -> Result<String> {
    let file = deb.display();
    let bytes = fs::read(deb).with_context(|| format!("cannot read `{file}`"))?;
    deb::control(&bytes).with_context(|| format!("`{file}`"))
}

fn paragraphs(status: &str) -> impl Iterator<Item = Stanza<'_>> {
    status.split("\n\n").filter(|text| !text.trim().is_empty()).map(Stanza)
}

fn is_installed(paragraph: Stanza<'_>) -> bool {
    paragraph
        .field("Status")
        .is_some_and(|status| status.ends_with(" installed") || status.contains(" triggers-"))
}
