//! A package as an index describes it, with the fields needed to choose and fetch it.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use common::checksum::is_sha256;

use super::relation::{Relation, groups};
use crate::stanza::Stanza;

/// A package of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// The processor, or `all`.
    pub architecture: String,
    /// The suite it comes from, such as `trixie-security`.
    pub pocket: String,
    /// Whether it is essential, so every system has it.
    pub essential: bool,
    /// Priority, such as `required`.
    pub priority: String,
    /// Dependencies; each group lists alternatives.
    pub depends: Vec<Vec<Relation>>,
    /// Dependencies that must be configured before it is unpacked.
    pub pre_depends: Vec<Vec<Relation>>,
    /// Virtual packages it provides.
    pub provides: Vec<Relation>,
    /// Packages it conflicts with or breaks.
    pub conflicts: Vec<Relation>,
    /// Path on the mirror.
    pub filename: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Its paragraph in a lock.
    text: String,
}

/// Fields that a lock keeps.
const KEPT: [&str; 16] = [
    "Package",
    "Version",
    "Architecture",
    "Pocket",
    "Source",
    "Essential",
    "Priority",
    "Pre-Depends",
    "Depends",
    "Provides",
    "Conflicts",
    "Breaks",
    "Installed-Size",
    "Filename",
    "Size",
    "SHA256",
];

impl Package {
    /// Reads a paragraph of an index; `pocket` is `None` for a lock, whose paragraphs contain it.
    pub fn read(stanza: Stanza<'_>, pocket: Option<&str>) -> Result<Package> {
        let name = stanza.field("Package").context("paragraph without `Package:`")?;
        let of = |field: &str| {
            let value = stanza.field(field).filter(|value| !value.is_empty());
            value.with_context(|| format!("package {name}: no `{field}:`"))
        };
        let pocket = match pocket {
            Some(pocket) => pocket,
            None => of("Pocket")?,
        };
        let sha256 = of("SHA256")?;
        ensure!(is_sha256(sha256), "package {name}: invalid `SHA256: {sha256}`");
        let filename = of("Filename")?;
        ensure!(
            !filename.starts_with('/') && !filename.split('/').any(|part| part == ".."),
            "package {name}: `Filename: {filename}` leads out of the archive"
        );
        let size = of("Size")?.parse().with_context(|| format!("package {name}: invalid `Size:`"))?;
        let (filename, sha256) = (filename.to_owned(), sha256.to_ascii_lowercase());
        Ok(Package { filename, size, sha256, ..Package::described(stanza, pocket)? })
    }

    /// Reads a package's own control file, or a paragraph of a dpkg status file, which do not name a file to
    /// fetch.
    pub fn described(stanza: Stanza<'_>, pocket: &str) -> Result<Package> {
        let name = stanza.field("Package").context("paragraph without `Package:`")?;
        let of = |field: &str| {
            let value = stanza.field(field).filter(|value| !value.is_empty());
            value.with_context(|| format!("package {name}: no `{field}:`"))
        };
        let optional = |field: &str| stanza.field(field).unwrap_or_default();
        let mut text = String::new();
        for field in KEPT {
            let value = if field == "Pocket" { Some(pocket) } else { stanza.field(field) };
            if let Some(value) = value {
                let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
                let _ = writeln!(text, "{field}: {value}");
            }
        }
        let flat = |field: &str| groups(optional(field)).into_iter().flatten().collect::<Vec<_>>();
        Ok(Package {
            name: name.to_owned(),
            version: of("Version")?.to_owned(),
            architecture: of("Architecture")?.to_owned(),
            pocket: pocket.to_owned(),
            essential: optional("Essential") == "yes",
            priority: optional("Priority").to_owned(),
            depends: groups(optional("Depends")),
            pre_depends: groups(optional("Pre-Depends")),
            provides: flat("Provides"),
            conflicts: [flat("Conflicts"), flat("Breaks")].concat(),
            filename: String::new(),
            size: 0,
            sha256: String::new(),
            text,
        })
    }

    /// Returns its paragraph for a lock.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns a field by name.
    pub fn field(&self, name: &str) -> Option<&str> {
        Stanza(&self.text).field(name)
    }

    /// Returns all dependencies.
    pub fn needs(&self) -> impl Iterator<Item = &Vec<Relation>> {
        self.pre_depends.iter().chain(&self.depends)
    }

    /// Returns whether it satisfies a relation, by name or by `Provides:`.
    pub fn satisfies(&self, relation: &Relation) -> bool {
        (self.name == relation.name && relation.allows(&self.version)) || self.stands_for(relation)
    }

    /// Returns whether it conflicts with another package.
    pub fn is_against(&self, other: &Package) -> bool {
        self.name != other.name && self.conflicts.iter().any(|relation| other.satisfies(relation))
    }

    /// Returns whether it provides what a relation asks for; only a versioned `Provides:` satisfies a version
    /// bound.
    pub fn stands_for(&self, relation: &Relation) -> bool {
        self.provides.iter().any(|provided| {
            provided.name == relation.name
                && match (&relation.bound, &provided.bound) {
                    (None, _) => true,
                    (Some(_), Some((_, version))) => relation.allows(version),
                    (Some(_), None) => false,
                }
        })
    }
}
