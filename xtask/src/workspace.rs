//! The repository that this program was built from: where its catalogs, programs and pages are.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::collision;
use crate::extra::{Extra, Kind};
use crate::finding::Faults;
use crate::model::Product;
use crate::setting::Setting;

/// Longest catalog that is read: a hundred times the largest one there is.
const LONGEST: u64 = 1 << 20;

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
        let xtask = manifest.join("src/model.rs").exists();
        let root = if xtask { manifest.parent().unwrap_or(&manifest).to_owned() } else { manifest };
        Workspace { root }
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

    /// Names of the programs that can be packed.
    pub fn programs(&self) -> Result<Vec<String>> {
        self.stems("src/bin", "rs")
    }

    /// Man page and completions of each program that has them.
    pub fn extras(&self) -> Result<Vec<Extra>> {
        let mut extras = Vec::new();
        for program in self.stems("src/bin", "1")? {
            let text = read(&self.path(&format!("src/bin/{program}.1")))?;
            extras.extend(Extra::completions(&self.path(&format!("src/{program}/completions")), &program));
            extras.push(Extra { program, kind: Kind::Page, text });
        }
        Ok(extras)
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

/// Which products a verb is about.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Selection {
    /// Products, by the name of their file in catalog/ [default: all]
    #[arg(value_name = "PRODUCT")]
    pub products: Vec<String>,
    /// A catalog anywhere; may be given several times
    #[arg(long, value_name = "FILE")]
    pub catalog: Vec<PathBuf>,
}

impl Selection {
    /// Whether it names exactly one product.
    pub fn is_one(&self) -> bool {
        self.products.len() + self.catalog.len() == 1
    }

    /// Reads and validates every selected catalog, and what they are together.
    pub fn read(&self, workspace: &Workspace) -> Result<Vec<Product>> {
        self.read_with(workspace, &[])
    }

    /// The same, with what a site has otherwise.
    pub fn read_with(&self, workspace: &Workspace, settings: &[Setting]) -> Result<Vec<Product>> {
        let known = workspace.products()?;
        let mut files: Vec<(String, PathBuf)> = Vec::new();
        let all = self.products.is_empty() && self.catalog.is_empty();
        for name in if all { &known } else { &self.products } {
            if !known.contains(name) {
                bail!(
                    "`{name}` is no product here: known: {}; for a catalog elsewhere use --catalog FILE",
                    known.join(", ")
                );
            }
            let shown = format!("catalog/{name}.toml");
            files.push((shown.clone(), workspace.path(&shown)));
        }
        files.extend(self.catalog.iter().map(|path| (path.display().to_string(), path.clone())));
        let programs = workspace.programs()?;
        let (mut products, mut faults) = (Vec::new(), Vec::new());
        for (shown, path) in &files {
            match Product::read_with(shown, &read(path)?, &programs, settings) {
                Ok(product) => products.push(product),
                Err(found) => faults.push(found),
            }
        }
        if !faults.is_empty() {
            return Err(Faults(faults).into());
        }
        let shown: Vec<&str> = files.iter().map(|(shown, _)| shown.as_str()).collect();
        collision::check(&shown, &products, &workspace.extras()?)?;
        Ok(products)
    }
}

/// Text of a file that a person named.
fn read(path: &Path) -> Result<String> {
    let shown = path.display();
    let meta = fs::metadata(path).with_context(|| format!("`{shown}`: cannot be read"))?;
    if meta.is_dir() {
        bail!("`{shown}`: is a directory: name the file in it");
    }
    if meta.len() > LONGEST {
        bail!("`{shown}`: is longer than {LONGEST} bytes, which no catalog is: name the right file");
    }
    let bytes = fs::read(path).with_context(|| format!("`{shown}`: cannot be read"))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            bail!("`{shown}`: is not UTF-8 at byte {}: save it as UTF-8", error.utf8_error().valid_up_to())
        }
    }
}
