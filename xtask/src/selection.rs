//! Reads and validates the catalogs that a subcommand works on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use catalog::Given;
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
    /// Programs or files of a payload, instead of those that the catalog names; may be repeated
    #[arg(long, value_name = "NAME=PATH", value_parser = parse_payload)]
    pub payload: Vec<(String, PathBuf)>,
}

/// Parses `NAME=PATH`.
fn parse_payload(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
        _ => Err("expected NAME=PATH, such as app=../my-app".to_owned()),
    }
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
        let given = self.read_payloads()?;
        let (mut products, mut faults) = (Vec::new(), Vec::new());
        for (display_path, path) in &files {
            match catalog::read(display_path, &read(path)?, &programs, settings, &given) {
                Ok(mut product) => {
                    let folder = path.parent().unwrap_or(Path::new("."));
                    product.payloads.iter_mut().for_each(|payload| payload.resolve(folder));
                    products.push(product);
                }
                Err(product_faults) => faults.push(product_faults),
            }
        }
        if !faults.is_empty() {
            return Err(Faults(faults).into());
        }
        let names: Vec<&String> =
            products.iter().flat_map(|product: &Product| &product.payloads).map(|p| &p.name).collect();
        if let Some(unknown) = given.keys().find(|name| !names.contains(name)) {
            bail!(
                "--payload {unknown}: no selected product has a payload of this name: see [payload] in its catalog"
            );
        }
        let display_path: Vec<&str> = files.iter().map(|(display_path, _)| display_path.as_str()).collect();
        collision::check(&display_path, &products, &extras(workspace)?)?;
        Ok(products)
    }

    /// Returns the paths of `--payload` by name. They are relative to the working directory, not to a catalog.
    fn read_payloads(&self) -> Result<Given> {
        let mut given = Given::new();
        for (name, path) in &self.payload {
            let path = std::path::absolute(path)?;
            let Some(text) = path.to_str() else { bail!("--payload {name}: its path is not UTF-8") };
            if !path.exists() {
                bail!("--payload {name}: `{text}` does not exist: correct the path");
            }
            if given.insert(name.clone(), text.to_owned()).is_some() {
                bail!("--payload {name}: given twice: keep one");
            }
        }
        Ok(given)
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
