//! The lock (`pylock.toml`, PEP 751): which wheel of each package a machine gets.

mod make;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use base::failure::reason;
use catalog::finding::quote;
use catalog::model::Payload;
use common::checksum::is_sha256;
use debian::archive::fetch::{self, Wanted};
use pep440_rs::{Version, VersionSpecifiers};
use serde::Deserialize;
use toml::Spanned;

pub(in crate::payload) use self::make::make;
pub use self::make::{Made, Upgrade};
use super::marker::Marker;
use super::tag::Machine;
use crate::payload::Faults;

/// The version of the format that this module reads.
const VERSION: &str = "1.";
/// Limit for a wheel whose size the lock does not have.
const UNKNOWN_SIZE: u64 = 256 << 20;
/// Limit for the lock itself.
const LARGEST_LOCK: u64 = 32 << 20;

/// The lock of one environment.
#[derive(Debug)]
pub(super) struct Lock {
    /// Its path, for messages.
    shown: String,
    requires_python: Option<VersionSpecifiers>,
    environments: Vec<Marker>,
    packages: Vec<Package>,
}

/// A package, and its wheels.
#[derive(Debug)]
struct Package {
    line: usize,
    name: String,
    version: String,
    marker: Option<Marker>,
    requires_python: Option<VersionSpecifiers>,
    wheels: Vec<Locked>,
    /// Its source.
    source: Option<Wanted>,
    /// The kind of entry that the lock has instead of wheels.
    instead: Option<&'static str>,
}

/// A wheel of the lock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Locked {
    /// Name of the package, in lower case and with `-`.
    pub name: String,
    /// Version of the package.
    pub version: String,
    /// Name of the file.
    pub file: String,
    /// Where to download it, unless it is a file beside the lock.
    pub url: Option<String>,
    /// File beside the lock.
    pub path: Option<PathBuf>,
    /// SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// Size in bytes, or a limit for it.
    pub size: u64,
    /// The lock and the line that names it, for messages.
    pub at: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawLock {
    lock_version: Spanned<String>,
    requires_python: Option<Spanned<String>>,
    #[serde(default)]
    environments: Vec<Spanned<String>>,
    #[serde(default)]
    packages: Vec<Spanned<RawPackage>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawPackage {
    name: Spanned<String>,
    version: Option<Spanned<String>>,
    marker: Option<Spanned<String>>,
    requires_python: Option<Spanned<String>>,
    #[serde(default)]
    wheels: Vec<Spanned<RawFile>>,
    sdist: Option<RawFile>,
    vcs: Option<toml::Value>,
    directory: Option<toml::Value>,
    archive: Option<toml::Value>,
}

#[derive(Debug, Deserialize)]
struct RawFile {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

impl Locked {
    /// Returns the line of the lock, the package and its version, for a message.
    pub(super) fn describe(&self) -> String {
        format!("{}: `{}` {}", self.at, self.name, self.version)
    }

    /// Returns where the wheel is once it is fetched.
    pub(super) fn place(&self, downloads: &Path) -> PathBuf {
        self.path.clone().unwrap_or_else(|| fetch::cached(downloads, &self.sha256))
    }
}

impl Lock {
    /// Reads a lock; `None` after a fault.
    pub(super) fn read(payload: &Payload, path: &Path, report: Faults<'_>) -> Option<Lock> {
        let faults = match read_text(path) {
            Ok(text) => match Lock::parse(&text, path, false) {
                Ok(lock) => return Some(lock),
                Err(faults) => faults,
            },
            Err(why) => vec![format!("`{}`: {why}: make it with `cargo xtask lock`", path.display())],
        };
        faults.into_iter().for_each(|fault| report(payload, fault));
        None
    }

    /// Parses a lock. The error has all faults.
    fn parse(text: &str, path: &Path, is_draft: bool) -> Result<Lock, Vec<String>> {
        let shown = path.display().to_string();
        let line = |position: usize| text[..position.min(text.len())].matches('\n').count() + 1;
        let mut reader = Reader { shown: &shown, line: &line, is_draft, faults: Vec::new() };
        match toml::from_str(text) {
            Ok(raw) => {
                let lock = reader.read(raw, path.parent().unwrap_or(Path::new(".")));
                if reader.faults.is_empty() { Ok(lock) } else { Err(reader.faults) }
            }
            Err(error) => {
                let why = error.message().replace('\n', " ");
                let position = error.span().map_or(0, |span| span.start);
                reader.refuse(position, format!("{why}: make it again with `cargo xtask lock`"));
                Err(reader.faults)
            }
        }
    }

    /// Chooses a wheel of every package for each machine; `None` after a fault.
    pub(super) fn choose(
        &self,
        payload: &Payload,
        machines: &[Machine],
        report: Faults<'_>,
    ) -> Option<Vec<Vec<&Locked>>> {
        let mut chosen: Vec<BTreeMap<&str, &Locked>> = vec![BTreeMap::new(); machines.len()];
        let mut is_whole = true;
        let mut refuse = |text: String| {
            is_whole = false;
            report(payload, text);
        };
        for machine in machines {
            let is_for = |range: &VersionSpecifiers| machine.is_in(range);
            let is_known =
                self.environments.is_empty() || self.environments.iter().any(|one| one.holds(machine));
            if !self.requires_python.as_ref().is_none_or(is_for) || !is_known {
                let todo = "make it again with `cargo xtask lock`, or choose other `versions`";
                refuse(format!("`{}` was not made for {machine}: {todo}", self.shown));
            }
        }
        for package in &self.packages {
            let mut missing = Vec::new();
            let mut old = Vec::new();
            for (machine, chosen) in machines.iter().zip(&mut chosen) {
                if package.marker.as_ref().is_some_and(|marker| !marker.holds(machine)) {
                    continue;
                }
                let ranked =
                    package.wheels.iter().filter_map(|wheel| Some((machine.rank(&wheel.file)?, wheel)));
                match ranked.max() {
                    _ if !package.requires_python.as_ref().is_none_or(|range| machine.is_in(range)) => {
                        old.push(machine.to_string());
                    }
                    None => missing.push(machine.to_string()),
                    Some((_, wheel)) => {
                        if let Some(other) = chosen.insert(&package.name, wheel) {
                            refuse(format!(
                                "{} is there twice for {machine}, here and in version {}: make the lock again",
                                wheel.describe(),
                                other.version
                            ));
                        }
                    }
                }
            }
            let of =
                format!("`{}`, line {}: `{}` {}", self.shown, package.line, package.name, package.version);
            if !old.is_empty() {
                let todo = "lock another version of it, or choose other `versions`";
                refuse(format!("{of} does not run with {}: {todo}", old.join(", ")));
            }
            match package.instead {
                _ if missing.is_empty() => {}
                Some(instead) => {
                    let todo = "make the lock with `cargo xtask lock`, which builds wheels of pure Python";
                    refuse(format!("{of} is locked as {instead}, and only wheels can be installed: {todo}"));
                }
                None => {
                    let todo = "lock another version of it, or choose other `versions`";
                    let whom = match missing.len() == machines.len() {
                        true => "any of `versions` and processors".to_owned(),
                        false => missing.join(", "),
                    };
                    refuse(format!("{of} has no wheel for {whom}: {todo}"));
                }
            }
        }
        is_whole.then(|| chosen.into_iter().map(|wheels| wheels.into_values().collect()).collect())
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| reason(&error))?.len();
    if size > LARGEST_LOCK {
        return Err(format!("has {} MB, too much for a lock", size / 1_000_000));
    }
    fs::read_to_string(path).map_err(|error| reason(&error))
}

/// Fetches the wheels that are not there yet.
pub(super) fn fetch(wheels: &BTreeSet<&Locked>, downloads: &Path) -> Result<()> {
    let wanted = wheels.iter().filter_map(|wheel| {
        Some(Wanted {
            url: wheel.url.clone()?,
            sha256: wheel.sha256.clone(),
            size: wheel.size,
            name: format!("{} {}", wheel.name, wheel.version),
        })
    });
    let wanted: Vec<Wanted> = wanted.collect();
    fetch::fetch(&wanted, downloads).map(|_| ()).context("cannot fetch the wheels of the lock")
}

/// Reads the parts of a lock, and collects all faults.
struct Reader<'a> {
    shown: &'a str,
    line: &'a dyn Fn(usize) -> usize,
    /// Whether uv wrote it, with files of this machine.
    is_draft: bool,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn refuse(&mut self, position: usize, text: String) {
        self.faults.push(format!("`{}`, line {}: {text}", self.shown, (self.line)(position)));
    }

    fn read(&mut self, raw: RawLock, folder: &Path) -> Lock {
        if !raw.lock_version.as_ref().starts_with(VERSION) {
            let text = format!("lock-version {}: expected \"1.0\"", quote(raw.lock_version.as_ref()));
            self.refuse(raw.lock_version.span().start, text);
        }
        let requires_python = self.read_range(raw.requires_python.as_ref());
        let environments = raw.environments.iter().filter_map(|marker| self.read_marker(marker)).collect();
        let packages =
            raw.packages.into_iter().filter_map(|package| self.read_package(package, folder)).collect();
        Lock { shown: self.shown.to_owned(), requires_python, environments, packages }
    }

    fn read_marker(&mut self, text: &Spanned<String>) -> Option<Marker> {
        match Marker::parse(text.as_ref()) {
            Ok(marker) => Some(marker),
            Err(why) => {
                self.refuse(text.span().start, format!("marker {}: {why}", quote(text.as_ref())));
                None
            }
        }
    }

    fn read_range(&mut self, text: Option<&Spanned<String>>) -> Option<VersionSpecifiers> {
        let text = text?;
        match text.as_ref().parse() {
            Ok(range) => Some(range),
            Err(_) => {
                let fault =
                    format!("requires-python {}: expected a range, such as \">=3.11\"", quote(text.as_ref()));
                self.refuse(text.span().start, fault);
                None
            }
        }
    }

    fn read_package(&mut self, raw: Spanned<RawPackage>, folder: &Path) -> Option<Package> {
        let raw = raw.into_inner();
        let position = raw.name.span().start;
        let name = raw.name.as_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty()
            || !name.chars().all(plain)
            || !name.starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            self.refuse(position, format!("{} is not the name of a package", quote(name)));
            return None;
        }
        let name = normalize(name);
        if let Some(version) =
            raw.version.as_ref().filter(|version| version.as_ref().parse::<Version>().is_err())
        {
            self.refuse(
                version.span().start,
                format!("`{name}`: invalid version {}", quote(version.as_ref())),
            );
            return None;
        }
        let version = raw.version.map(Spanned::into_inner).unwrap_or_default();
        let marker = raw.marker.as_ref().and_then(|text| self.read_marker(text));
        let requires_python = self.read_range(raw.requires_python.as_ref());
        let instead = match () {
            () if raw.vcs.is_some() => Some("a repository"),
            () if raw.directory.is_some() => Some("a folder"),
            () if raw.archive.is_some() => Some("an archive"),
            () if raw.sdist.is_some() && raw.wheels.is_empty() => Some("source"),
            () => None,
        };
        let source = raw.sdist.and_then(|sdist| {
            Some(Wanted {
                name: format!("{name} {version}"),
                url: sdist.url?,
                sha256: sdist.hashes.get("sha256")?.clone(),
                size: sdist.size.unwrap_or(UNKNOWN_SIZE),
            })
        });
        let mut wheels = Vec::new();
        for wheel in raw.wheels {
            if self.is_draft && wheel.as_ref().url.as_deref().is_some_and(|url| url.starts_with("file:")) {
                continue;
            }
            let position = wheel.span().start;
            let at = format!("`{}`, line {}", self.shown, (self.line)(position));
            match read_wheel(&name, &version, wheel.into_inner(), folder, at) {
                Ok(wheel) => wheels.push(wheel),
                Err(fault) => self.refuse(position, format!("`{name}`: {fault}")),
            }
        }
        Some(Package {
            line: (self.line)(position),
            name,
            version,
            marker,
            requires_python,
            wheels,
            source,
            instead,
        })
    }
}

fn normalize(name: &str) -> String {
    let mut normal = String::new();
    for c in name.to_ascii_lowercase().replace(['_', '.'], "-").chars() {
        if c != '-' || !normal.ends_with('-') {
            normal.push(c);
        }
    }
    normal
}

fn read_wheel(name: &str, version: &str, raw: RawFile, folder: &Path, at: String) -> Result<Locked, String> {
    let of_path = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    let file = raw.name.clone().or_else(|| raw.url.as_deref().or(raw.path.as_deref()).map(of_path));
    let file = file.unwrap_or_default().replace("%2B", "+").replace("%21", "!");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.+!".contains(c);
    if !file.ends_with(".whl") || !file.chars().all(is_plain) {
        return Err(format!("{} is not the name of a wheel", quote(&file)));
    }
    if normalize(file.split('-').next().unwrap_or_default()) != name {
        return Err(format!("the wheel {} is of another package", quote(&file)));
    }
    let sha256 = raw.hashes.get("sha256").map(|sum| sum.to_ascii_lowercase()).unwrap_or_default();
    if !is_sha256(&sha256) {
        return Err(format!("the wheel {} has no SHA-256 of 64 digits", quote(&file)));
    }
    let is_url = |url: &str| {
        url.starts_with("https://") && url.chars().all(|c| c.is_ascii_graphic() && !"\"\\".contains(c))
    };
    let is_inside = |path: &str| {
        Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    };
    let path = match (raw.url.as_deref(), raw.path.as_deref()) {
        (Some(url), None) if is_url(url) => None,
        (None, Some(path)) if is_inside(path) => Some(folder.join(path)),
        (None, Some(path)) => {
            return Err(format!("the wheel {} is not below the folder of the lock", quote(path)));
        }
        _ => return Err(format!("the wheel {} needs either an https `url` or a `path`", quote(&file))),
    };
    Ok(Locked {
        name: name.to_owned(),
        version: version.to_owned(),
        file,
        url: raw.url,
        path,
        sha256,
        size: raw.size.unwrap_or(UNKNOWN_SIZE),
        at,
    })
}
