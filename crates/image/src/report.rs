//! The build report: times, sizes and the largest packages. It is written as JSON beside the image and
//! printed as a summary.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use debian::archive::fetch::megabytes;
use debian::archive::package::Package;
use disk::tree::{Kind, Tree};
use serde::Serialize;

/// Number of packages and folders in the summary.
const SHOWN: usize = 12;

/// A report on one build.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the image without a file extension.
    pub image: String,
    /// Name of the board.
    pub board: String,
    /// Details that only a build from packages knows.
    #[serde(flatten)]
    pub about: About,
    /// Build steps in order; the steps of the base only if this run built it.
    pub steps: Vec<Step>,
    /// Total build time in seconds.
    pub seconds: f64,
    /// Output files and their sizes in bytes.
    pub files: BTreeMap<String, u64>,
    /// Total size of the files in the root file system.
    pub content_bytes: u64,
    /// Folders of the second level by size, largest first.
    pub folders: Vec<Share>,
}

/// Details of an image built from packages; empty for an image built with `--base`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct About {
    /// Name of the suite.
    pub suite: String,
    /// Whether the base root file system came from the cache.
    pub base_cached: bool,
    /// Number of bytes fetched.
    pub fetched_bytes: u64,
    /// Packages by installed size, largest first.
    pub packages: Vec<Share>,
    /// Kernel version.
    pub kernel: String,
    /// Kernel modules requested for the initramfs.
    pub modules: Vec<String>,
}

/// A build step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Name of the step.
    pub what: String,
    /// Duration in seconds.
    pub seconds: f64,
}

/// The share of a package or a folder in an image.
#[derive(Debug, Clone, Serialize)]
pub struct Share {
    /// Name of the package or folder.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
}

/// Returns every package with its `Installed-Size` in bytes.
pub fn packages(packages: &[Package]) -> Vec<Share> {
    let bytes = |package: &Package| package.field("Installed-Size").and_then(|size| size.parse::<u64>().ok());
    sorted(packages.iter().map(|p| (p.name.clone(), bytes(p).unwrap_or_default() * 1024)).collect())
}

/// Returns every folder of the second level with its total size. A file with several names counts once.
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
            (true, _) => "into an existing image".to_owned(),
            (false, true) => "base from the cache".to_owned(),
            (false, false) => format!("base built, {} fetched", megabytes(about.fetched_bytes)),
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
            "  {} in the root file system{}",
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
            let largest = shares.iter().take(SHOWN).map(|s| format!("{} {}", s.name, megabytes(s.bytes)));
            writeln!(f, "  largest {what}: {}", largest.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}
