//! The repository that this program was built from: where its catalogs, programs and pages are.

pub mod output;
pub mod target;
pub mod tool;

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The checkout.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The checkout that cargo runs this program from.
    pub fn find() -> Workspace {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        // A crate of the checkout, or the checkout itself.
        let root = manifest.ancestors().find(|folder| folder.join("programs").is_dir()).unwrap_or(&manifest);
        Workspace { root: root.to_owned() }
    }

    /// A path in it.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Where cargo builds, and where stages and other intermediate files go.
    pub fn target_dir(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), PathBuf::from)
    }

    /// The right to write intermediate files, until the guard is dropped: two runs at once would mix theirs.
    pub fn turn(&self) -> Result<File> {
        let path = self.target_dir().join("xtask.lock");
        fs::create_dir_all(self.target_dir())?;
        let lock = File::create(&path).with_context(|| format!("`{}`: cannot be made", path.display()))?;
        if lock.try_lock().is_err() {
            eprintln!("waiting for another run in `{}`", self.target_dir().display());
            lock.lock()?;
        }
        Ok(lock)
    }

    /// Names of the programs that can be packed: each is a crate of its own, in a folder of that name.
    pub fn programs(&self) -> Result<Vec<String>> {
        let path = self.path("programs");
        let entries = fs::read_dir(&path).with_context(|| format!("`{}`", path.display()))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.path().join("src/main.rs").exists() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Names of the products that have a catalog here.
    pub fn products(&self) -> Result<Vec<String>> {
        self.stems("catalog", "toml")
    }

    fn stems(&self, directory: &str, extension: &str) -> Result<Vec<String>> {
        let path = self.path(directory);
        let entries = fs::read_dir(&path).with_context(|| format!("`{}`", path.display()))?;
        let mut stems = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == extension) {
                stems.extend(path.file_stem().and_then(|s| s.to_str()).map(str::to_owned));
            }
        }
        stems.sort();
        Ok(stems)
    }
}
