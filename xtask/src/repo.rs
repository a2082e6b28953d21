//! Signed repositories: takes packages, makes a folder that any web server or CDN can serve to apt and dnf, and keeps
//! every version that was ever in it until it is withdrawn.
//!
//! Publishing is atomic: new files come first, indices under names of their own next, the one file that says which
//! indices count last. A run that is killed leaves the state of before, and the next one completes what it began.

mod apt;
mod armor;
mod description;
mod dnf;
mod key;
mod keyring;
mod pack;
mod packet;
mod page;
mod publication;
mod repodata;
mod signature;
mod site;
pub(crate) mod stanza;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use crate::dist::Manifest;
use crate::package::{Format, Package};
use crate::workspace::Workspace;
use apt::Apt;
pub use description::Description;
use dnf::Dnf;
pub use key::Key;
use keyring::Sources;
use publication::Publication;
pub use publication::{Moment, Version};
use site::Site;
use state::State;

/// The suite that is meant when none is said.
pub const SUITE: &str = "stable";

/// What is published.
#[derive(Debug)]
pub struct Plan {
    /// Name and address of the repository.
    pub description: Description,
    /// Who signs; the first one alone where there is room for one signature.
    pub keys: Vec<Key>,
    /// Under which name apt and dnf ask for it.
    pub suite: String,
    /// Whether this state is kept for ever as a suite of its own.
    pub snapshot: bool,
    /// Folder with packages and their `manifest.json`.
    pub dist: PathBuf,
    /// Of which products; of all when none is named.
    pub products: Vec<String>,
    /// The folder that is served.
    pub out: PathBuf,
    /// What is taken back.
    pub withdraw: Vec<Version>,
    /// To how many of a hundred machines a version is offered.
    pub phase: Vec<(Version, u8)>,
    /// When.
    pub moment: Moment,
}

/// Publishes; returns the paths of what a person looks at first.
pub fn publish(workspace: &Workspace, plan: &Plan) -> Result<Vec<PathBuf>> {
    let manifest = Manifest::read(&plan.dist)?;
    let chosen = chosen(plan, &manifest)?;
    let (site, _turn) = Site::open(&plan.out)?;
    let mut state = State::read(&plan.out, &plan.suite)?;
    let moment = plan.moment.after(state.published)?;
    let publication = Publication { site: &site, description: &plan.description, keys: &plan.keys, moment };
    let mut suite = Suite::read(&publication, &plan.suite)?;
    let before = suite.files();

    let earlier = state.withdrawn.clone();
    state.withdrawn.extend(plan.withdraw.iter().map(Version::to_string));
    for package in &chosen {
        if state.withdrawn.contains(&Version::of(package).to_string()) {
            eprintln!("{} was withdrawn and is not published again", package.file);
        } else {
            suite.add(&publication, &plan.dist, package)?;
        }
    }
    for version in &plan.withdraw {
        let listed = suite.apt.withdraw(version) | suite.dnf.withdraw(version);
        // A run that was killed may have done it already.
        let again = earlier.contains(&version.to_string())
            || chosen.iter().any(|package| Version::of(package) == *version);
        ensure!(listed || again, "`{version}`: is not published: known: {}", suite.known());
    }
    for (version, percent) in &plan.phase {
        let phased = suite.apt.phase(version, *percent);
        ensure!(phased, "`{version}`: is not published for apt: known: {}", suite.known());
    }

    let sources = Sources::of(&plan.description, &plan.suite, &plan.keys, &suite.names(&plan.description));
    state.keyring = sources.version(&state.keyring, moment.now);
    state.published = moment.now;
    // Before anything that follows from it: a run that is killed is repeated with the same words.
    state.write(&plan.out, &plan.suite)?;
    if !suite.has(&keyring::version(&plan.description, &state.keyring)) {
        let (dist, packages) = sources.packages(workspace, &plan.description, &state.keyring)?;
        for package in &packages {
            suite.add(&publication, &dist, package)?;
        }
    }

    suite.publish(&publication, &plan.suite)?;
    if plan.snapshot {
        let snapshot = format!("{}-{}", plan.suite, moment.now);
        suite.dnf.link(&site, &plan.suite, &snapshot)?;
        suite.publish(&publication, &snapshot)?;
    }
    suite.apt.prune(&site, &plan.suite, &before.0)?;
    suite.dnf.prune(&site, &plan.suite, &before.1)?;
    let page = page::write(&publication, &plan.suite, &sources, &suite, &state)?;
    let newest = [
        page,
        format!("apt/dists/{}/InRelease", plan.suite),
        format!("rpm/{}/repodata/repomd.xml", plan.suite),
    ];
    Ok(newest.map(|path| site.path(&path)).to_vec())
}

/// The packages of a suite, of both kinds.
struct Suite {
    name: String,
    apt: Apt,
    dnf: Dnf,
}

impl Suite {
    fn read(publication: &Publication<'_>, name: &str) -> Result<Suite> {
        let site = publication.site;
        Ok(Suite { name: name.to_owned(), apt: Apt::read(site, name)?, dnf: Dnf::read(site, name)? })
    }

    fn add(&mut self, publication: &Publication<'_>, dist: &Path, package: &Package) -> Result<()> {
        match package.format {
            Format::Deb => self.apt.add(publication.site, &self.name, dist, package),
            Format::Rpm => self.dnf.add(publication, &self.name, dist, package),
        }
    }

    fn publish(&self, publication: &Publication<'_>, name: &str) -> Result<()> {
        self.apt.publish(publication, name)?;
        self.dnf.publish(publication, name)
    }

    fn files(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        (self.apt.files(), self.dnf.files())
    }

    /// Every version, with the processors that it is for, and its phase.
    fn versions(&self) -> BTreeMap<Version, (BTreeSet<String>, Option<String>)> {
        let mut versions = self.apt.versions();
        for (version, mut processors) in self.dnf.versions() {
            versions.entry(version).or_default().0.append(&mut processors);
        }
        versions
    }

    /// Whether a version is there in both kinds.
    fn has(&self, version: &Version) -> bool {
        self.apt.has(version) && self.dnf.has(version)
    }

    fn known(&self) -> String {
        self.versions().keys().map(Version::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Names of the packages, that of keys and sources last.
    fn names(&self, description: &Description) -> Vec<String> {
        let own = keyring::name(description);
        let mut names: BTreeSet<String> = self.apt.names();
        names.append(&mut self.dnf.names());
        names.remove(&own);
        names.into_iter().chain([own]).collect()
    }
}

/// The packages of the products that are meant.
fn chosen(plan: &Plan, manifest: &Manifest) -> Result<Vec<Package>> {
    let mut known: Vec<&str> = manifest.packages.iter().map(|p| p.product.as_str()).collect();
    known.dedup();
    if let Some(name) = plan.products.iter().find(|name| !known.contains(&name.as_str())) {
        bail!(
            "`{name}`: there are no packages of it in `{}`: known: {}: run `cargo xtask dist {name}`",
            plan.dist.display(),
            known.join(", ")
        );
    }
    let is_meant = |p: &&Package| plan.products.is_empty() || plan.products.contains(&p.product);
    Ok(manifest.packages.iter().filter(is_meant).cloned().collect())
}
