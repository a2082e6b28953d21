//! Native packages: takes a [`Product`] and its programs for one [`Target`], and makes [`Package`]s. cargo-deb and
//! cargo-generate-rpm only write the archives; every script and every field comes from this crate.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use catalog::model::Product;
use common::checksum::sha256;
use debian::deb;
use serde::{Deserialize, Serialize};
use workspace::output;
use workspace::target::Target;
use workspace::tool::{self, Tool};
use xshell::{Shell, cmd};

use crate::extra::Extra;
use crate::program::Program;
use crate::render::render;
use crate::stage::{Stage, compress};
use crate::tree::Tree;
use crate::{cache, manifest, rpm};

/// Part of the cache key. Increment it with every change to this file, `debian::deb` or `rpm` that changes the bytes of
/// a package.
const RECIPE: u32 = 1;

/// A package format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Format of Debian, Ubuntu and Raspberry Pi OS.
    Deb,
    /// Format of Fedora, RHEL and openSUSE.
    Rpm,
}

/// A finished package, as `manifest.json` lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// File name.
    pub file: String,
    /// Name of the product.
    pub product: String,
    /// Name of the package.
    pub package: String,
    /// Version as the package writes it.
    pub version: String,
    /// Package format.
    pub format: Format,
    /// Name of the processor in this format, such as `amd64` or `x86_64`.
    pub architecture: String,
    /// Rust's target triple.
    pub target: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// Writes the files of a product and its programs to a stage, which serves every format.
pub fn stage(product: &Product, extras: &[Extra], programs: &[Program], dir: &Path) -> Result<Stage> {
    let mut tree = compress(render(product, extras))?;
    for program in programs.iter().filter(|p| product.programs.contains(&p.name)) {
        tree.add(format!("root{}/{}", product.program_dir, program.name), 0o755, program.bytes.clone());
    }
    stage_tree(product, tree, dir)
}

/// Writes a tree that is already rendered and compressed to a stage, with the packagers' manifest.
pub fn stage_tree(product: &Product, mut tree: Tree, dir: &Path) -> Result<Stage> {
    let manifest = manifest::manifest(product, &tree);
    tree.add("Cargo.toml".to_owned(), 0o644, manifest);
    tree.add("nothing.rs".to_owned(), 0o644, "");
    Stage::write(&tree, epoch(product)?, dir)
}

/// Packs a stage in one format and writes the package to `dist`.
pub fn pack(
    product: &Product,
    target: Target,
    format: Format,
    stage: &Stage,
    dist: &Path,
) -> Result<Package> {
    let file = manifest::file_name(product, target, format == Format::Deb);
    let packager = packager(format);
    let key = serde_json::json!({
        "recipe": RECIPE,
        "packager": [packager.name, packager.version],
        "target": target.triple,
        "epoch": epoch(product)?,
        "stage": stage.digest,
        "product": product,
    });
    let bytes = cache::find_or_make(&stage.dir.with_file_name("packed"), &key.to_string(), || {
        run_packager(product, target, format, stage)
    })?;
    output::replace(&dist.join(&file), &bytes)?;
    Ok(Package {
        file,
        product: product.name.clone(),
        package: product.package.clone(),
        version: product.release().package_version(),
        format,
        architecture: match format {
            Format::Deb => target.deb,
            Format::Rpm => target.rpm,
        }
        .to_owned(),
        target: target.triple.to_owned(),
        size: bytes.len() as u64,
        sha256: sha256(&bytes),
    })
}

pub(crate) fn packager(format: Format) -> &'static Tool {
    match format {
        Format::Deb => &tool::CARGO_DEB,
        Format::Rpm => &tool::CARGO_GENERATE_RPM,
    }
}

/// Runs the packager of a format, completes its package, and returns the bytes.
fn run_packager(product: &Product, target: Target, format: Format, stage: &Stage) -> Result<Vec<u8>> {
    let path = stage.dir.with_extension(match format {
        Format::Deb => "deb",
        Format::Rpm => "rpm",
    });
    let sh = Shell::new()?;
    sh.change_dir(&stage.dir);
    let epoch = epoch(product)?.to_string();
    sh.set_var("SOURCE_DATE_EPOCH", &epoch);
    let (triple, arch) = (target.triple, target.rpm);
    let tool = packager(format).path()?;
    match format {
        Format::Deb => {
            cmd!(sh, "{tool} --quiet --no-build --no-strip --target {triple} --output {path}")
                .quiet()
                .ignore_stdout()
                .run()?;
        }
        Format::Rpm => {
            cmd!(sh, "{tool} --target {triple} --arch {arch} --source-date {epoch} --auto-req disabled --output {path}")
                .quiet()
                .run()?;
        }
    }
    let packed = fs::read(&path).with_context(|| format!("`{}`", path.display()))?;
    fs::remove_file(&path)?;
    match format {
        Format::Deb => deb::complete(&packed, target.deb),
        Format::Rpm => rpm::with_head(&packed, &rpm::head(product)),
    }
}

/// Returns the time stamp of everything in a package: `SOURCE_DATE_EPOCH` if set, otherwise the day of the release.
fn epoch(product: &Product) -> Result<u64> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text
            .parse()
            .with_context(|| format!("invalid SOURCE_DATE_EPOCH \"{text}\": expected seconds since 1970")),
        Err(_) => Ok(product.release().epoch),
    }
}

/// Returns the directory of a product's stage for a target.
pub fn stage_dir(target_dir: &Path, product: &Product, target: Target) -> PathBuf {
    target_dir.join("stage").join(&product.name).join(target.deb)
}
