//! The checkout that this program was built from: its catalogs, programs and pages.

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
    /// Finds the checkout that cargo runs this program from.
    pub fn find() -> Workspace {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        // The manifest is that of a crate, or of the checkout itself.
        let root = manifest.ancestors().find(|folder| folder.join("programs").is_dir()).unwrap_or(&manifest);
        Workspace { root: root.to_owned() }
    }

    /// Returns a path in the checkout.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Returns cargo's target folder, which also holds staged and other intermediate files.
    pub fn target_dir(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), PathBuf::from)
    }

    /// Locks the intermediate files until the guard is dropped, because two runs at once would mix theirs.
    pub fn turn(&self) -> Result<File> {
        let path = self.target_dir().join("xtask.lock");
        fs::create_dir_all(self.target_dir())?;
        let lock = File::create(&path).with_context(|| format!("cannot create `{}`", path.display()))?;
        if lock.try_lock().is_err() {
            eprintln!("waiting for another run in `{}`", self.target_dir().display());
            lock.lock()?;
        }
        Ok(lock)
    }

    /// Returns the names of the programs that can be packaged: each is a crate in the folder of that name.
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

    /// Returns the names of the products that have a catalog here.
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
