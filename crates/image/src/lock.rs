//! Lock files: which version of which package, with its hash, images are made of. One for each suite and processor, for
//! all boards and products, so that it changes only when somebody asks for it.

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

/// What is written down of an archive.
#[derive(Debug, Clone)]
pub struct Lock {
    /// The file, as a person knows it.
    pub shown: String,
    /// When the newest of its indices was signed: the time of everything that is made from it.
    pub date: u64,
    /// When each of them was signed, by pocket; earlier locks say nothing of that.
    pub indices: BTreeMap<String, u64>,
    /// The packages.
    pub packages: Vec<Package>,
}

impl Lock {
    /// Reads that of a suite and a processor, in a folder of lock files.
    pub fn read(locks: &Path, suite: &Suite, architecture: &str) -> Result<Lock> {
        let path = file(locks, suite, architecture);
        let shown = describe(&path);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(_) => bail!("`{shown}`: there is none yet: run again with --update"),
        };
        Lock::parse(&shown, &text)
    }

    fn parse(shown: &str, text: &str) -> Result<Lock> {
        let damaged = || format!("`{shown}`: damaged: run again with --update");
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
        Ok(Lock { shown: shown.to_owned(), date, indices, packages: packages.with_context(damaged)? })
    }

    /// Writes it anew from what the archive has now: all that boards of this processor need, for any of the products,
    /// and the stand-ins.
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
                "`{}`: is of {}, and the archive has nothing since {}: use another mirror, or remove the lock to go back",
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
        fs::create_dir_all(locks).with_context(|| format!("`{}`: cannot be made", locks.display()))?;
        let path = file(locks, suite, architecture);
        output::replace(&path, text.as_bytes())?;
        Lock::parse(&describe(&path), &text)
    }

    /// The closure of a wish.
    pub fn solve(&self, wish: &Wish) -> Result<Vec<&Package>> {
        let of = format!("`{}`", self.shown);
        solve(&self.packages, wish, &of)
            .map_err(|fault| fault.context("packages cannot be chosen (run again with --update)"))
    }
}

/// Brings packages into the cache; gives their files, in the same order, and how many bytes had to come.
pub fn files(suite: &Suite, packages: &[&Package], cache: &Path) -> Result<(Vec<PathBuf>, u64)> {
    let mut wanted = Vec::new();
    for package in packages {
        let pocket = suite.archive.pocket.iter().find(|pocket| pocket.suite == package.pocket);
        let pocket = pocket.with_context(|| {
            format!(
                "{}: is from {}, which the suite does not have: run again with --update",
                package.name, package.pocket
            )
        })?;
        wanted.push(Wanted {
            url: format!("{}/{}", pocket.mirror, package.filename),
            sha256: package.sha256.clone(),
            size: package.size,
            name: format!("{} {}", package.name, package.version),
        });
    }
    let gone = "packages cannot be had: a mirror keeps only the newest version of each: run again with --update to take those";
    let bytes = fetch(&wanted, cache)
        .map_err(|error| if error.is::<Missing>() { error.context(gone) } else { error })?;
    Ok((wanted.iter().map(|w| fetch::cached(cache, &w.sha256)).collect(), bytes))
}

fn file(locks: &Path, suite: &Suite, architecture: &str) -> PathBuf {
    locks.join(format!("{}-{architecture}.lock", suite.name))
}

/// As a person knows it: the last folder says enough.
fn describe(path: &Path) -> String {
    let mut parts: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
    parts.reverse();
    parts.join("/")
}
