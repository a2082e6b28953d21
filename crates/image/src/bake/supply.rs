//! Adds distribution packages that a system lacks: chooses them from the lock of the system's suite, and
//! installs them with the system's own dpkg inside the system.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use debian::archive::relation::{Relation, describe};
use disk::tree::Tree;
use workspace::Workspace;

use super::install::{Inside, Kind, run};
use super::needs::Needs;
use crate::board::Suite;
use crate::lock::{self, Lock};

/// Files that identify the release; the second is usually a link to the first.
const RELEASE: [&str; 2] = ["/usr/lib/os-release", "/etc/os-release"];

/// Source of the packages that an image lacks.
#[derive(Debug)]
pub struct Stock<'a> {
    /// Releases with a known archive.
    pub suites: Vec<Suite>,
    /// The folder of the lock files.
    pub locks: PathBuf,
    /// Whether to rewrite the lock files; then the workspace whose boards they are for, and the packages they
    /// must also contain.
    pub update: Option<(&'a Workspace, &'a [Vec<Relation>])>,
    /// The download cache.
    pub cache: PathBuf,
}

/// Installs what is missing; changed files get the time `epoch`.
pub(super) fn add(
    tree: &mut Tree,
    needs: Needs,
    architecture: &str,
    stock: &Stock<'_>,
    epoch: i64,
) -> Result<()> {
    let missing: Vec<String> = needs.missing.iter().map(|group| describe(group)).collect();
    let (inside, debs) = choose(tree, needs, architecture, stock).map_err(|why| {
        anyhow!(
            "lacks required packages: {}: {why:#}: install them in the image first, or build without --base",
            missing.join(", ")
        )
    })?;
    run(tree, &debs, architecture, epoch, &Kind::Inside(inside))
        .with_context(|| format!("lacks required packages: {}: cannot install them", missing.join(", ")))
}

/// Chooses the missing packages and their dependencies, and how to install them.
fn choose(
    tree: &Tree,
    needs: Needs,
    architecture: &str,
    stock: &Stock<'_>,
) -> Result<(Inside, Vec<PathBuf>)> {
    let suite = suite(tree, stock)?;
    let lock = match stock.update {
        Some((workspace, needs)) => {
            Lock::update(workspace, &stock.locks, suite, architecture, needs, &stock.cache)?
        }
        None => Lock::read(&stock.locks, suite, architecture)?,
    };
    let packages = lock.solve(&suite.wish(needs.missing, needs.there))?;
    let (files, _) = lock::files(suite, &packages, &stock.cache)?;
    let names: Vec<String> = packages.iter().map(|p| format!("{} {}", p.name, p.version)).collect();
    eprintln!("installing packages the image lacks, from {}: {}", suite.name, names.join(", "));
    let first = packages.iter().map(|package| !package.pre_depends.is_empty()).collect();
    Ok((Inside::new(architecture, first, &suite.system.remove)?, files))
}

/// Returns the suite that matches the system's os-release.
pub(super) fn suite<'a>(tree: &Tree, stock: &'a Stock<'_>) -> Result<&'a Suite> {
    let text = RELEASE.iter().find_map(|path| String::from_utf8(tree.read(path).ok()?).ok());
    let text = text.context("it has no os-release")?;
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default().trim_matches(['"', '\''])
    };
    let (distribution, codename) = (field("ID"), field("VERSION_CODENAME"));
    let suite = stock.suites.iter().find(|s| s.distribution == distribution && s.name == codename);
    suite.with_context(|| {
        let known = stock.suites.iter().map(|suite| format!("{} {}", suite.distribution, suite.name));
        format!(
            "its release `{distribution} {codename}` is unknown: expected one of {}",
            known.collect::<Vec<_>>().join(", ")
        )
    })
}
