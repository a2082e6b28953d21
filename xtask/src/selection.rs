//! Reads and validates the catalogs that a subcommand works on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use catalog::finding::Faults;
use catalog::model::Product;
use catalog::setting::Setting;
use package::collision;
use package::extra::extras;
use workspace::Workspace;

/// Maximum size of a catalog: a hundred times the largest one.
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
    /// Returns whether exactly one product is selected.
    pub fn is_one(&self) -> bool {
        self.products.len() + self.catalog.len() == 1
    }

    /// Reads and validates every selected catalog, individually and together.
    pub fn read(&self, workspace: &Workspace) -> Result<Vec<Product>> {
        self.read_with(workspace, &[])
    }

    /// Returns the products of an image: the selected ones first, then those in every image.
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

    /// Like [`Selection::read`], with a site's settings applied.
    pub fn read_with(&self, workspace: &Workspace, settings: &[Setting]) -> Result<Vec<Product>> {
        let known = workspace.products()?;
        let mut files: Vec<(String, PathBuf)> = Vec::new();
        let all = self.products.is_empty() && self.catalog.is_empty();
        for name in if all { &known } else { &self.products } {
            if !known.contains(name) {
                bail!(
                    "unknown product `{name}`: expected one of {}; for a catalog elsewhere use --catalog FILE",
                    known.join(", ")
                );
            }
            let display_path = format!("catalog/{name}.toml");
            files.push((display_path.clone(), workspace.path(&display_path)));
        }
        files.extend(self.catalog.iter().map(|path| (path.display().to_string(), path.clone())));
        let programs = workspace.programs()?;
        let (mut products, mut faults) = (Vec::new(), Vec::new());
        for (display_path, path) in &files {
            match catalog::read(display_path, &read(path)?, &programs, settings) {
                Ok(product) => products.push(product),
                Err(product_faults) => faults.push(product_faults),
            }
        }
        if !faults.is_empty() {
            return Err(Faults(faults).into());
        }
        let display_path: Vec<&str> = files.iter().map(|(display_path, _)| display_path.as_str()).collect();
        collision::check(&display_path, &products, &extras(workspace)?)?;
        Ok(products)
    }
}

/// Reads a file that a person named.
fn read(path: &Path) -> Result<String> {
    let display = path.display();
    let meta = fs::metadata(path).with_context(|| format!("cannot read `{display}`"))?;
    if meta.is_dir() {
        bail!("`{display}`: is a directory: name the file in it");
    }
    if meta.len() > LONGEST {
        bail!("`{display}`: larger than {LONGEST} bytes, the limit for a catalog: name the right file");
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read `{display}`"))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            bail!("`{display}`: invalid UTF-8 at byte {}: save it as UTF-8", error.utf8_error().valid_up_to())
        }
    }
}
