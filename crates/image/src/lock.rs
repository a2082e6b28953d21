//! Lock files: the packages an image is built from, with version and hash. There is one per suite and
//! processor, for all boards and products, and only `--update` changes it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base::date::format_timestamp;
use debian::archive::fetch::{self, Missing, Wanted, fetch};
use debian::archive::index::{Index, Pocket};
use debian::archive::package::Package;
use debian::archive::relation::Relation;
use debian::archive::solve::{Wish, solve};
use debian::stanza::stanzas;
use workspace::{Workspace, output};

use super::board::{Board, Suite};

/// The locked state of an archive.
#[derive(Debug, Clone)]
pub struct Lock {
    /// Path of the file as messages show it.
    pub shown: String,
    /// When the newest index was signed; used as the time of everything built from the lock.
    pub date: u64,
    /// When each pocket's index was signed. Older lock files do not record it.
    pub indices: BTreeMap<String, u64>,
    /// The locked packages.
    pub packages: Vec<Package>,
}

impl Lock {
    /// Reads the lock of a suite and a processor from a folder of lock files.
    pub fn read(locks: &Path, suite: &Suite, architecture: &str) -> Result<Lock> {
        let path = file(locks, suite, architecture);
        let name = describe(&path);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(_) => bail!("`{name}`: no such lock file: run again with --update"),
        };
        Lock::parse(&name, &text)
    }

    fn parse(name: &str, text: &str) -> Result<Lock> {
        let damaged = || format!("`{name}`: damaged: run again with --update");
        let mut paragraphs = stanzas(text);
        let head = paragraphs.next().with_context(damaged)?;
        let date = head.field("Date").and_then(|date| date.parse().ok()).with_context(damaged)?;
        let entry = |line: &str| {
            let (pocket, date) = line.trim().split_once(' ')?;
            Some((pocket.to_owned(), date.parse().ok()?))
        };
        let indices: Option<BTreeMap<String, u64>> =
            head.field("Indices").unwrap_or_default().lines().map(entry).collect();
        let indices = indices.with_context(damaged)?;
        let packages: Result<Vec<Package>> = paragraphs.map(|s| Package::read(s, None)).collect();
        Ok(Lock { shown: name.to_owned(), date, indices, packages: packages.with_context(damaged)? })
    }

    /// Rewrites the lock from the archive's current state: everything the boards of this processor need, for
    /// all products, and the stand-ins.
    pub fn update(
        workspace: &Workspace,
        locks: &Path,
        suite: &Suite,
        architecture: &str,
        needs: &[Vec<Relation>],
        cache: &Path,
    ) -> Result<Lock> {
        let before = Lock::read(locks, suite, architecture).ok();
        let (mut packages, mut indices) = (Vec::new(), BTreeMap::new());
        for pocket in &suite.archive.pocket {
            let pocket = Pocket {
                mirror: &pocket.mirror,
                suite: &pocket.suite,
                components: &suite.archive.components,
                keyring: &suite.archive.keyring,
                known: before.as_ref().and_then(|lock| lock.indices.get(&pocket.suite).copied()),
            };
            let index = Index::fetch(&pocket, architecture, cache)?;
            packages.extend(index.packages);
            indices.insert(pocket.suite.to_owned(), index.date);
        }
        let date = indices.values().copied().max().unwrap_or_default();
        if let Some(lock) = before.filter(|lock| date < lock.date) {
            bail!(
                "`{}`: dated {}, but the archive's newest index is of {}: use another mirror, or remove the lock to go back",
                lock.shown,
                format_timestamp(lock.date),
                format_timestamp(date)
            );
        }
        let mut wishes: Vec<Wish> = vec![suite.stand_in_wish()];
        for board in Board::all(workspace)? {
            if board.architecture == architecture && board.suite == suite.name {
                wishes.push(board.wish(suite, needs));
            }
        }
        let of = format!("{}'s archive", suite.name);
        let mut kept: BTreeMap<(String, String), &Package> = BTreeMap::new();
        for wish in &wishes {
            for package in solve(&packages, wish, &of)? {
                kept.insert((package.name.clone(), package.version.clone()), package);
            }
        }
        let mut text =
            format!("Suite: {}\nArchitecture: {architecture}\nDate: {date}\nIndices:\n", suite.name);
        for (pocket, date) in &indices {
            let _ = writeln!(text, " {pocket} {date}");
        }
        for package in kept.values() {
            let _ = write!(text, "\n{}", package.text());
        }
        fs::create_dir_all(locks).with_context(|| format!("cannot create `{}`", locks.display()))?;
        let path = file(locks, suite, architecture);
        output::replace(&path, text.as_bytes())?;
        Lock::parse(&describe(&path), &text)
    }

    /// Returns the requested packages and all their dependencies.
    pub fn solve(&self, wish: &Wish) -> Result<Vec<&Package>> {
        let of = format!("`{}`", self.shown);
        solve(&self.packages, wish, &of)
            .map_err(|fault| fault.context("cannot resolve the packages (run again with --update)"))
    }
}

/// Fetches packages into the cache. Returns their paths in the same order, and the number of bytes fetched.
pub fn files(suite: &Suite, packages: &[&Package], cache: &Path) -> Result<(Vec<PathBuf>, u64)> {
    let mut downloads = Vec::new();
    for package in packages {
        let pocket = suite.archive.pocket.iter().find(|pocket| pocket.suite == package.pocket);
        let pocket = pocket.with_context(|| {
            format!(
                "{}: from pocket {}, which the suite does not have: run again with --update",
                package.name, package.pocket
            )
        })?;
        downloads.push(Wanted {
            url: format!("{}/{}", pocket.mirror, package.filename),
            sha256: package.sha256.clone(),
            size: package.size,
            name: format!("{} {}", package.name, package.version),
        });
    }
    let gone = "cannot fetch the locked packages: a mirror keeps only the newest version of each: run again with --update to lock those";
    let bytes = fetch(&downloads, cache)
        .map_err(|error| if error.is::<Missing>() { error.context(gone) } else { error })?;
    Ok((downloads.iter().map(|w| fetch::cached(cache, &w.sha256)).collect(), bytes))
}

fn file(locks: &Path, suite: &Suite, architecture: &str) -> PathBuf {
    locks.join(format!("{}-{architecture}.lock", suite.name))
}

/// The last folder and the file name, as messages show it.
fn describe(path: &Path) -> String {
    let mut parts: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
    parts.reverse();
    parts.join("/")
}
