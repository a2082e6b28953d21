//! Programs and files that the package brings.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// Programs or files that the package brings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Payload {
    /// Name of the payload.
    pub name: String,
    /// Name of the catalog and line of the table in it, for messages.
    #[serde(skip)]
    pub at: (String, usize),
    /// Directory that it is installed in.
    pub dir: String,
    /// Where it comes from.
    pub kind: Kind,
    /// Debian packages by the name of a shared library.
    pub libraries: Vec<(String, String)>,
    /// Owner of the files.
    pub user: Option<String>,
    /// Mode of the files in four digits, if it does not follow from the files.
    pub mode: Option<String>,
}

/// Where a payload comes from. Paths are relative to the catalog until [`Payload::resolve`]. They decide no byte of a
/// package, so they are not part of a serialized product.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Files and directories.
    Files {
        /// File or directory.
        #[serde(skip)]
        from: PathBuf,
        /// Patterns of paths to leave out.
        exclude: Vec<String>,
    },
    /// A program for each processor.
    Binary(Vec<Binary>),
    /// A program of a Rust crate.
    Cargo {
        /// Path of `Cargo.toml`.
        #[serde(skip)]
        manifest: PathBuf,
        /// Name of the program, if it is not that of the crate.
        bin: Option<String>,
        /// Features to enable.
        features: Vec<String>,
    },
    /// Python packages from a lock.
    Python(Python),
}

/// Python packages from a lock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Python {
    /// Path of the lock.
    #[serde(skip)]
    pub lock: PathBuf,
    /// Versions of Python, the oldest first.
    pub versions: Vec<(u32, u32)>,
    /// Requirements that the lock is made from.
    #[serde(skip)]
    pub requirements: Vec<String>,
    /// Requirements that replace those of other packages.
    #[serde(skip)]
    pub overrides: Vec<String>,
    /// Patterns of files in wheels to leave out.
    pub exclude: Vec<String>,
    /// Licenses of packages that do not say theirs.
    pub licenses: Vec<(String, String)>,
}

/// A program for one processor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Binary {
    /// Processor in Debian's spelling.
    pub processor: String,
    /// Path of the program.
    #[serde(skip)]
    pub from: PathBuf,
    /// SHA-256 in hexadecimal digits.
    pub sha256: String,
}

impl Payload {
    /// Returns the Python packages that it brings, if it is of that kind.
    pub fn python(&self) -> Option<&Python> {
        match &self.kind {
            Kind::Python(python) => Some(python),
            _ => None,
        }
    }

    /// Tells whether a path is inside the directory of the payload.
    pub fn contains(&self, path: &str) -> bool {
        path.strip_prefix(&self.dir).is_some_and(|below| below.starts_with('/'))
    }

    /// Makes its paths independent of the working directory. `catalog` is the directory of the catalog.
    pub fn resolve(&mut self, catalog: &Path) {
        match &mut self.kind {
            Kind::Files { from: path, .. }
            | Kind::Cargo { manifest: path, .. }
            | Kind::Python(Python { lock: path, .. }) => *path = catalog.join(&path),
            Kind::Binary(binaries) => {
                for binary in binaries {
                    binary.from = catalog.join(&binary.from);
                }
            }
        }
    }
}
