//! What a build took and what is in the image: times, sizes, the biggest packages. One file beside the image for
//! programs, a few lines for people.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use debian::archive::fetch::megabytes;
use debian::archive::package::Package;
use disk::tree::{Kind, Tree};
use serde::Serialize;

/// How many packages and folders a person gets to see.
const SHOWN: usize = 12;

/// An account of one build.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The image, without the ends of its files' names.
    pub image: String,
    /// The board.
    pub board: String,
    /// What is known of it beyond its files.
    #[serde(flatten)]
    pub about: About,
    /// What took how many seconds, in order; the base's steps only when it was made in this run.
    pub steps: Vec<Step>,
    /// Seconds in all.
    pub seconds: f64,
    /// Files that were made, and their bytes.
    pub files: BTreeMap<String, u64>,
    /// Bytes of everything in the root file system.
    pub content_bytes: u64,
    /// Folders of the second level by what is in them, the biggest first.
    pub folders: Vec<Share>,
}

/// What is known of an image that was made from packages; of somebody else's image, nothing of this is.
#[derive(Debug, Clone, Default, Serialize)]
pub struct About {
    /// The suite.
    pub suite: String,
    /// Whether the base root was there.
    pub base_cached: bool,
    /// What had to be fetched.
    pub fetched_bytes: u64,
    /// Packages by what they say that they install, the biggest first.
    pub packages: Vec<Share>,
    /// The kernel's version.
    pub kernel: String,
    /// Modules that the initramfs was asked to have.
    pub modules: Vec<String>,
}

/// A part of a build.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// What it was.
    pub what: String,
    /// How long it took.
    pub seconds: f64,
}

/// A part of an image.
#[derive(Debug, Clone, Serialize)]
pub struct Share {
    /// What it is.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
}

/// Every package with the bytes that it says it installs.
pub fn packages(packages: &[Package]) -> Vec<Share> {
    let bytes = |package: &Package| package.field("Installed-Size").and_then(|size| size.parse::<u64>().ok());
    sorted(packages.iter().map(|p| (p.name.clone(), bytes(p).unwrap_or_default() * 1024)).collect())
}

/// Every folder of the second level with the bytes below it; a file with two names counts once.
pub fn folders(tree: &Tree) -> Vec<Share> {
    let mut shares: BTreeMap<String, u64> = BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    for (path, id, node) in tree.iter() {
        if let Kind::File(content) = &node.kind
            && seen.insert(id)
        {
            let parts: Vec<&str> = path.split('/').take(4).collect();
            let folder = parts[..parts.len() - 1].join("/");
            *shares.entry(folder).or_default() += content.size();
        }
    }
    sorted(shares)
}

fn sorted(shares: BTreeMap<String, u64>) -> Vec<Share> {
    let mut shares: Vec<Share> = shares.into_iter().map(|(name, bytes)| Share { name, bytes }).collect();
    shares.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    shares
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = &self.about;
        let base = match (about.suite.is_empty(), about.base_cached) {
            (true, _) => "into another image".to_owned(),
            (false, true) => "base from the cache".to_owned(),
            (false, false) => format!("base made, {} fetched", megabytes(about.fetched_bytes)),
        };
        writeln!(f, "{} in {:.1} s ({base})", self.image, self.seconds)?;
        let mut line = String::new();
        for step in &self.steps {
            let _ = write!(line, "  {} {:.1}", step.what, step.seconds);
        }
        writeln!(f, "{line}")?;
        for (name, bytes) in &self.files {
            writeln!(f, "  {name}: {}", megabytes(*bytes))?;
        }
        writeln!(
            f,
            "  {} in the root{}",
            megabytes(self.content_bytes),
            match about.kernel.as_str() {
                "" => String::new(),
                kernel => format!(", kernel {kernel}"),
            }
        )?;
        for (what, shares) in [("packages", &about.packages), ("folders", &self.folders)] {
            if shares.is_empty() {
                continue;
            }
            let shown = shares.iter().take(SHOWN).map(|s| format!("{} {}", s.name, megabytes(s.bytes)));
            writeln!(f, "  biggest {what}: {}", shown.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}
