//! What a system lacks of its own distribution: takes what packages need, chooses it from the lock of the system's suite,
//! and has the system's own dpkg install it, in the system itself.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use debian::archive::relation::{Relation, describe};
use disk::tree::Tree;
use workspace::Workspace;

use super::install::{Inside, Kind, run};
use super::needs::Needs;
use crate::board::Suite;
use crate::lock::{self, Lock};

/// What a system says that it is; the second one is a link to the first in most.
const RELEASE: [&str; 2] = ["/usr/lib/os-release", "/etc/os-release"];

/// Where packages come from that an image lacks.
#[derive(Debug)]
pub struct Stock<'a> {
    /// Releases whose archives are known.
    pub suites: Vec<Suite>,
    /// The folder of the lock files.
    pub locks: PathBuf,
    /// Whether the lock files are written anew: then for whose boards, and what else they must have.
    pub update: Option<(&'a Workspace, &'a [Vec<Relation>])>,
    /// The folder of what was fetched before.
    pub cache: PathBuf,
}

/// Installs what is missing; what changes becomes as old as `epoch`.
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
            "lacks what the packages need: {}: {why:#}: install that in the image first, or make one without --base",
            missing.join(", ")
        )
    })?;
    run(tree, &debs, architecture, epoch, &Kind::Inside(inside)).with_context(|| {
        format!("lacks what the packages need: {}: it cannot be installed in it", missing.join(", "))
    })
}

/// The files of what is missing and of all that it needs in turn, and how they are installed.
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
    eprintln!("installing from {}, which the image lacks: {}", suite.name, names.join(", "));
    let first = packages.iter().map(|package| !package.pre_depends.is_empty()).collect();
    Ok((Inside::new(architecture, first, &suite.system.remove)?, files))
}

/// The release that a system says it is of.
pub(super) fn suite<'a>(tree: &Tree, stock: &'a Stock<'_>) -> Result<&'a Suite> {
    let text = RELEASE.iter().find_map(|path| String::from_utf8(tree.read(path).ok()?).ok());
    let text = text.context("it does not say of which distribution it is")?;
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default().trim_matches(['"', '\''])
    };
    let (distribution, codename) = (field("ID"), field("VERSION_CODENAME"));
    let suite = stock.suites.iter().find(|s| s.distribution == distribution && s.name == codename);
    suite.with_context(|| {
        let known = stock.suites.iter().map(|suite| format!("{} {}", suite.distribution, suite.name));
        format!(
            "no archive is known of `{distribution} {codename}`, which it is (known: {})",
            known.collect::<Vec<_>>().join(", ")
        )
    })
}
