//! Which products a verb is about: takes names and files, reads and validates their catalogs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use catalog::finding::Faults;
use catalog::model::Product;
use catalog::setting::Setting;
use package::collision;
use package::extra::extras;
use workspace::Workspace;

/// Longest catalog that is read: a hundred times the largest one there is.
const LONGEST: u64 = 1 << 20;

/// Which products a verb is about.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Selection {
    /// Products, by the name of their file in catalog/ [default: all]
    #[arg(value_name = "PRODUCT")]
    pub products: Vec<String>,
    /// Another catalog file; may be repeated
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

    /// The products of an image: those that were asked for, first, and those of every image.
    pub fn of_image(&self, workspace: &Workspace) -> Result<Vec<Product>> {
        let defaults = image::Defaults::read(workspace)?;
        let mut selection = self.clone();
        if selection.products.is_empty() && selection.catalog.is_empty() {
            selection.products.push(defaults.product);
        }
        let named = selection.products.clone();
        selection.products.extend(defaults.beside.into_iter().filter(|name| !named.contains(name)));
        selection.read(workspace)
    }

    /// As [`Selection::read`], with what a site has otherwise.
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
            match catalog::read(shown, &read(path)?, &programs, settings) {
                Ok(product) => products.push(product),
                Err(found) => faults.push(found),
            }
        }
        if !faults.is_empty() {
            return Err(Faults(faults).into());
        }
        let shown: Vec<&str> = files.iter().map(|(shown, _)| shown.as_str()).collect();
        collision::check(&shown, &products, &extras(workspace)?)?;
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
