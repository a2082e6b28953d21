//! What packages need of a system before they are installed into it: their processor, and other packages. What is
//! missing is said at once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::deb;
use crate::image::archive::relation::{Relation, groups};
use crate::image::tree::Tree;
use crate::repo::stanza::Stanza;

const STATUS: &str = "/var/lib/dpkg/status";

/// A package that a system has.
struct Installed<'a> {
    name: &'a str,
    version: &'a str,
    provides: Vec<Relation>,
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

/// Refuses packages of another processor, and packages that need what is not there.
pub(super) fn check(tree: &Tree, debs: &[PathBuf], architecture: &str) -> Result<()> {
    let controls = debs.iter().map(|deb| control(deb)).collect::<Result<Vec<_>>>()?;
    let status = status(tree)?;
    let mut there: Vec<Installed<'_>> =
        paragraphs(&status).filter(|p| is_installed(*p)).filter_map(installed).collect();
    there.extend(controls.iter().filter_map(|control| installed(Stanza(control))));
    let mut missing = BTreeSet::new();
    for (deb, control) in debs.iter().zip(&controls) {
        let control = Stanza(control);
        let own = control.field("Architecture").unwrap_or_default();
        ensure!(
            own == architecture || own == "all",
            "is a system for {architecture}, and `{}` is for {own}: take the package for {architecture}",
            deb.display()
        );
        for group in ["Pre-Depends", "Depends"].iter().filter_map(|name| control.field(name)).flat_map(groups)
        {
            if !group.iter().any(|relation| there.iter().any(|package| package.is(relation))) {
                missing.insert(group.iter().map(shown).collect::<Vec<_>>().join(" or "));
            }
        }
    }
    if !missing.is_empty() {
        let missing: Vec<String> = missing.into_iter().collect();
        bail!(
            "lacks what the packages need: {}: install that in the image first, or make one without --base",
            missing.join(", ")
        );
    }
    Ok(())
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

fn installed(paragraph: Stanza<'_>) -> Option<Installed<'_>> {
    Some(Installed {
        name: paragraph.field("Package")?,
        version: paragraph.field("Version")?,
        provides: groups(paragraph.field("Provides").unwrap_or_default()).into_iter().flatten().collect(),
    })
}

impl Installed<'_> {
    fn is(&self, relation: &Relation) -> bool {
        (self.name == relation.name && relation.allows(self.version))
            || self.provides.iter().any(|provided| {
                let version = provided.bound.as_ref().map(|(_, version)| version.as_str());
                provided.name == relation.name
                    && (relation.bound.is_none() || version.is_some_and(|version| relation.allows(version)))
            })
    }
}

fn shown(relation: &Relation) -> String {
    match &relation.bound {
        Some((sign, version)) => format!("{} ({sign} {version})", relation.name),
        None => relation.name.clone(),
    }
}
