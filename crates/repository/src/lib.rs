//! Signed repositories: takes packages, and writes a folder that any web server or CDN can serve to apt and dnf. Every
//! published version stays in it until it is withdrawn.
//!
//! Publishing is atomic. New packages are written first, then indices under new names, and last the file that refers to
//! these indices. A run that is killed leaves the previous state published, and the next run completes its work.

mod apt;
mod armor;
mod description;
mod dnf;
mod generate;
mod key;
mod keyring;
mod moment;
mod packet;
mod page;
mod publication;
mod repodata;
mod signature;
mod site;
mod state;
mod version;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::{fs, thread};

use anyhow::{Context, Result, anyhow, bail, ensure};
use base::plain::Plain;
use catalog::rule::name;
use common::checksum::sha256;
use common::parallel;
use package::dist::Manifest;
use package::pack::{Format, Package};
use workspace::Workspace;

use apt::Apt;
pub use description::Description;
use dnf::Dnf;
pub use generate::generate_key;
pub use key::Key;
use keyring::Sources;
pub use moment::Moment;
use publication::Publication;
use site::Site;
use state::State;
pub use version::Version;

/// The default suite.
pub const SUITE: &str = "stable";

/// A publication to make.
#[derive(Debug)]
pub struct Plan {
    /// Name and address of the repository.
    pub description: Description,
    /// Signing keys; only the first one signs where a format has a single signature.
    pub keys: Vec<Key>,
    /// Name of the suite in apt's and dnf's sources.
    pub suite: String,
    /// Whether to keep this state forever as a separate suite.
    pub snapshot: bool,
    /// Folder with packages and their `manifest.json`.
    pub dist: PathBuf,
    /// Products to publish; empty means all.
    pub products: Vec<String>,
    /// Folder that the web server serves.
    pub out: PathBuf,
    /// Versions to withdraw.
    pub withdraw: Vec<Version>,
    /// Versions to offer to a percentage of machines.
    pub phase: Vec<(Version, u8)>,
    /// Time of the publication.
    pub moment: Moment,
}

/// Publishes a plan; returns the paths of the web page and of the signed indices.
pub fn publish(workspace: &Workspace, plan: &Plan) -> Result<Vec<PathBuf>> {
    try_publish(workspace, plan).map_err(|error| {
        let is_full =
            |cause: &io::Error| matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        if error.chain().filter_map(|cause| cause.downcast_ref()).any(is_full) {
            anyhow!("{error:#}: the published state is unchanged: make room and run it again")
        } else {
            error
        }
    })
}

fn try_publish(workspace: &Workspace, plan: &Plan) -> Result<Vec<PathBuf>> {
    let manifest = Manifest::read(&plan.dist)?;
    let chosen = choose(plan, &manifest)?;
    let (site, mut turn) = Site::open(&plan.out)?;
    let mut state = State::read(&plan.out, &plan.suite)?;
    let moment = plan.moment.after(state.published)?;
    let publication = Publication { site: &site, description: &plan.description, keys: &plan.keys, moment };
    let mut suite = Suite::read(&publication, &plan.suite)?;
    // Everything is checked before the first file is written.
    let fresh = find_new(plan, &publication, &suite, &state, &chosen)?;

    let is_repair = turn.is_unfinished(&plan.suite);
    turn.begin(&plan.suite)?;
    state.withdrawn.extend(plan.withdraw.iter().map(Version::to_string));
    suite.add(&publication, &plan.dist, &fresh)?;
    for version in &plan.withdraw {
        suite.apt.withdraw(version);
        suite.dnf.withdraw(version);
    }
    for (version, percent) in &plan.phase {
        suite.apt.phase(version, *percent);
    }

    let mut known = suite.versions();
    let own = keyring::name(&plan.description);
    let names =
        list_names(&known, &own).into_iter().chain([own.as_str()]).map(str::to_owned).collect::<Vec<_>>();
    let sources = Sources::new(&plan.description, &plan.suite, &plan.keys, &names);
    state.keyring = sources.version(&state.keyring, moment.now);
    state.published = moment.now;
    // The state is written first, so that a repeated run after a kill makes the same package.
    state.write(&plan.out, &plan.suite)?;
    if !suite.has(&keyring::version(&plan.description, &state.keyring)) {
        let (dist, packages) = sources.packages(workspace, &plan.description, &state.keyring)?;
        suite.add(&publication, &dist, &packages.iter().collect::<Vec<_>>())?;
        known = suite.versions();
    }

    suite.publish(&publication, &plan.suite)?;
    if plan.snapshot {
        let snapshot = format!("{}-{}", plan.suite, moment.now);
        suite.dnf.link(&site, &plan.suite, &snapshot)?;
        suite.publish(&publication, &snapshot)?;
    }
    let page = page::write(&publication, &plan.suite, &sources, &known, &state)?;
    // Unreferenced files come from withdrawn versions, or from a run that was killed.
    if is_repair || !state.withdrawn.is_empty() {
        let names = state.withdrawn.iter().filter_map(|version| Some(version.split_once('=')?.0.to_owned()));
        suite.apt.prune(&site, &plan.suite, (!is_repair).then(|| names.collect()).as_ref())?;
        suite.dnf.prune(&site, &plan.suite)?;
    }
    turn.end(&plan.suite)?;
    let newest = [
        page,
        format!("apt/dists/{}/InRelease", plan.suite),
        format!("rpm/{}/repodata/repomd.xml", plan.suite),
    ];
    Ok(newest.map(|path| site.path(&path)).to_vec())
}

/// Returns the packages that are not published yet, or an error if a part of the plan is impossible.
fn find_new<'a>(
    plan: &Plan,
    publication: &Publication<'_>,
    suite: &Suite,
    state: &State,
    chosen: &'a [Package],
) -> Result<Vec<&'a Package>> {
    let mut offered = Vec::new();
    for package in chosen {
        let version = Version::from_package(package);
        if state.withdrawn.contains(&version.to_string()) || plan.withdraw.contains(&version) {
            eprintln!("{} was withdrawn and is not published again", Plain(&package.file));
        } else {
            offered.push(package);
        }
    }
    let is_new = parallel::each(&offered, |package| suite.vet(publication, &plan.dist, package))?;
    let fresh: Vec<&Package> =
        offered.iter().zip(is_new).filter(|(_, is_new)| *is_new).map(|(package, _)| *package).collect();
    let known = || {
        let mut known: BTreeSet<String> =
            fresh.iter().map(|package| Version::from_package(package).to_string()).collect();
        known.extend(suite.versions().iter().map(|v| format!("{}={}", v.name, v.version)));
        Vec::from_iter(known).join(", ")
    };
    for version in &plan.withdraw {
        // A run that was killed may have withdrawn it already.
        let is_withdrawn = state.withdrawn.contains(&version.to_string());
        let is_chosen = chosen.iter().any(|package| Version::from_package(package) == *version);
        let listed = is_withdrawn || is_chosen || suite.apt.has(version) || suite.dnf.has(version);
        ensure!(listed, "`{version}`: not published: expected one of {}", known());
    }
    for (version, _) in &plan.phase {
        let matches = |p: &&Package| p.format == Format::Deb && Version::from_package(p) == *version;
        let listed = !plan.withdraw.contains(version)
            && (suite.apt.has(version) || fresh.iter().copied().any(|p| matches(&p)));
        ensure!(listed, "`{version}`: not published for apt: expected one of {}", known());
    }
    Ok(fresh)
}

/// The packages of a suite in both formats.
struct Suite {
    name: String,
    apt: Apt,
    dnf: Dnf,
}

impl Suite {
    fn read(publication: &Publication<'_>, name: &str) -> Result<Suite> {
        let site = publication.site;
        let (apt, dnf) = thread::scope(|scope| {
            let dnf = scope.spawn(|| Dnf::read(site, name));
            (Apt::read(site, name), dnf.join().unwrap_or_else(|_| Err(anyhow!("a reading thread panicked"))))
        });
        Ok(Suite { name: name.to_owned(), apt: apt?, dnf: dnf? })
    }

    /// Returns whether a package is new, or an error if it cannot be published.
    fn vet(&self, publication: &Publication<'_>, dist: &Path, package: &Package) -> Result<bool> {
        match package.format {
            Format::Deb => self.apt.vet(&self.name, dist, package),
            Format::Rpm => self.dnf.vet(publication.site, &self.name, dist, package),
        }
    }

    /// Writes and lists new packages. It works in parallel, because signing each .rpm is slow.
    fn add(&mut self, publication: &Publication<'_>, dist: &Path, packages: &[&Package]) -> Result<()> {
        enum Ready {
            Deb(apt::Ready),
            Rpm(dnf::Ready),
        }
        let ready = parallel::each(packages, |package| match package.format {
            Format::Deb => Apt::place(publication.site, &self.name, dist, package).map(Ready::Deb),
            Format::Rpm => Dnf::place(publication, &self.name, dist, package).map(Ready::Rpm),
        })?;
        for ready in ready {
            match ready {
                Ready::Deb(ready) => self.apt.add(ready),
                Ready::Rpm(ready) => self.dnf.add(ready),
            }
        }
        Ok(())
    }

    /// Publishes both repositories in parallel, because no client reads both.
    fn publish(&self, publication: &Publication<'_>, name: &str) -> Result<()> {
        let (apt, dnf) = thread::scope(|scope| {
            let dnf = scope.spawn(|| self.dnf.publish(publication, name));
            let apt = self.apt.publish(publication, name);
            (apt, dnf.join().unwrap_or_else(|_| Err(anyhow!("a publishing thread panicked"))))
        });
        apt.and(dnf)
    }

    /// Returns every version with its processors and its phase.
    fn versions(&self) -> Vec<repo_index::Version<'_>> {
        repo_index::versions(self.apt.lists().chain([self.dnf.list()]))
    }

    /// Returns whether a version is listed in both formats.
    fn has(&self, version: &Version) -> bool {
        self.apt.has(version) && self.dnf.has(version)
    }
}

/// Returns the names of the packages without `own`, the keyring package.
fn list_names<'a>(versions: &[repo_index::Version<'a>], own: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> =
        versions.iter().map(|version| version.name).filter(|name| *name != own).collect();
    names.dedup();
    names
}

/// Reads a package's file and compares it with the manifest.
fn read_package(path: &Path, package: &Package) -> Result<Vec<u8>> {
    let bytes = fs::read(path).with_context(|| format!("`{}`: cannot be read", path.display()))?;
    ensure!(
        sha256(&bytes) == package.sha256,
        "`{}`: does not match manifest.json: run `cargo xtask dist` again",
        path.display()
    );
    Ok(bytes)
}

/// Returns the packages of the plan's products.
fn choose(plan: &Plan, manifest: &Manifest) -> Result<Vec<Package>> {
    let mut known: Vec<&str> = manifest.packages.iter().map(|p| p.product.as_str()).collect();
    known.dedup();
    if let Some(name) = plan.products.iter().find(|name| !known.contains(&name.as_str())) {
        bail!(
            "`{name}`: no packages in `{}`, which has those of {}: run `cargo xtask dist {name}`",
            plan.dist.display(),
            known.join(", ")
        );
    }
    let is_chosen = |p: &&Package| plan.products.is_empty() || plan.products.contains(&p.product);
    let chosen: Vec<Package> = manifest.packages.iter().filter(is_chosen).cloned().collect();
    for Package { file, package, .. } in &chosen {
        // Both become parts of paths.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._+~-".contains(&b);
        ensure!(
            name::check_package(package).is_ok() && !file.starts_with('.') && file.bytes().all(plain),
            "`{}`: lists {file:?} of {package:?}, an invalid name: run `cargo xtask dist` again",
            plan.dist.join("manifest.json").display()
        );
    }
    Ok(chosen)
}
