//! A package as an index describes it: takes a paragraph, gives what is needed to choose, fetch and name it.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};

use super::relation::{Relation, groups};
use crate::stanza::Stanza;

/// A package of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `all`, or the processor.
    pub architecture: String,
    /// The suite that it is from: `trixie`, `trixie-security`, …
    pub pocket: String,
    /// Whether every system has it.
    pub essential: bool,
    /// `required`, `important`, …
    pub priority: String,
    /// What it needs: each group, by any of its alternatives.
    pub depends: Vec<Vec<Relation>>,
    /// What must be configured before it is unpacked.
    pub pre_depends: Vec<Vec<Relation>>,
    /// What it stands for.
    pub provides: Vec<Relation>,
    /// What must not be there beside it.
    pub conflicts: Vec<Relation>,
    /// Where it lies below the mirror.
    pub filename: String,
    /// Its size in bytes.
    pub size: u64,
    /// The hash of its file.
    pub sha256: String,
    /// The fields as a lock keeps them.
    text: String,
}

/// What a lock keeps of a paragraph.
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
    /// Reads a paragraph of an index, or of a lock, which says the pocket itself.
    pub fn read(stanza: Stanza<'_>, pocket: Option<&str>) -> Result<Package> {
        let name = stanza.field("Package").context("a paragraph without `Package:`")?;
        let of = |field: &str| {
            let value = stanza.field(field).filter(|value| !value.is_empty());
            value.with_context(|| format!("package {name}: has no `{field}:`"))
        };
        let pocket = match pocket {
            Some(pocket) => pocket,
            None => of("Pocket")?,
        };
        let sha256 = of("SHA256")?;
        ensure!(
            sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit()),
            "package {name}: `SHA256: {sha256}` is no hash"
        );
        let filename = of("Filename")?;
        ensure!(
            !filename.starts_with('/') && !filename.split('/').any(|part| part == ".."),
            "package {name}: `Filename: {filename}` leads out of the archive"
        );
        let size = of("Size")?.parse().with_context(|| format!("package {name}: size"))?;
        let (filename, sha256) = (filename.to_owned(), sha256.to_ascii_lowercase());
        Ok(Package { filename, size, sha256, ..Package::described(stanza, pocket)? })
    }

    /// Reads what a package, or a system's list, says of itself: nothing of where its file lies.
    pub fn described(stanza: Stanza<'_>, pocket: &str) -> Result<Package> {
        let name = stanza.field("Package").context("a paragraph without `Package:`")?;
        let of = |field: &str| {
            let value = stanza.field(field).filter(|value| !value.is_empty());
            value.with_context(|| format!("package {name}: has no `{field}:`"))
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

    /// Its paragraph in a lock.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A field that only few ask for.
    pub fn field(&self, name: &str) -> Option<&str> {
        Stanza(&self.text).field(name)
    }

    /// Everything that it needs.
    pub fn needs(&self) -> impl Iterator<Item = &Vec<Relation>> {
        self.pre_depends.iter().chain(&self.depends)
    }

    /// Whether it is, or stands for, what a relation asks for.
    pub fn satisfies(&self, relation: &Relation) -> bool {
        (self.name == relation.name && relation.allows(&self.version)) || self.stands_for(relation)
    }

    /// Whether it says that it cannot be beside another one.
    pub fn is_against(&self, other: &Package) -> bool {
        self.name != other.name && self.conflicts.iter().any(|relation| other.satisfies(relation))
    }

    /// Whether it provides what a relation asks for; a bound is met only by a versioned provision.
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
