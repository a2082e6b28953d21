//! Native packages: takes a [`Product`] and its programs for one [`Target`], makes [`Package`]s by cargo-deb and
//! cargo-generate-rpm, which only pack: every script and every field comes from us.

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

/// Another number packs everything again: one more with each change of the code below, of `debian::deb` or of `rpm` that
/// changes the bytes of a package.
const RECIPE: u32 = 1;

/// A kind of package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Debian, Ubuntu, Raspberry Pi OS.
    Deb,
    /// Fedora, RHEL, openSUSE.
    Rpm,
}

/// A finished package, as `manifest.json` lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Name of the file.
    pub file: String,
    /// Product.
    pub product: String,
    /// Name of the package.
    pub package: String,
    /// Version of the product.
    pub version: String,
    /// Kind.
    pub format: Format,
    /// Processor, in the words of the format.
    pub architecture: String,
    /// Rust's name of the processor.
    pub target: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// Packs a product once: the same stage for every format.
pub fn stage(product: &Product, extras: &[Extra], programs: &[Program], dir: &Path) -> Result<Stage> {
    let mut tree = compress(render(product, extras))?;
    for program in programs.iter().filter(|p| product.programs.contains(&p.name)) {
        tree.add(format!("root{}/{}", product.program_dir, program.name), 0o755, program.bytes.clone());
    }
    stage_tree(product, tree, dir)
}

/// Stages a product whose files are made already, compressed where they have to be.
pub fn stage_tree(product: &Product, mut tree: Tree, dir: &Path) -> Result<Stage> {
    let manifest = manifest::manifest(product, &tree);
    tree.add("Cargo.toml".to_owned(), 0o644, manifest);
    tree.add("nothing.rs".to_owned(), 0o644, "");
    Stage::write(&tree, epoch(product)?, dir)
}

/// Makes one package of a stage and puts it into `dist`.
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
        make(product, target, format, stage)
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

/// The program that packs a format.
pub(crate) fn packager(format: Format) -> &'static Tool {
    match format {
        Format::Deb => &tool::CARGO_DEB,
        Format::Rpm => &tool::CARGO_GENERATE_RPM,
    }
}

/// The bytes of a package, by the packager of its format and a last touch.
fn make(product: &Product, target: Target, format: Format, stage: &Stage) -> Result<Vec<u8>> {
    let made = stage.dir.with_extension(match format {
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
            cmd!(sh, "{tool} --quiet --no-build --no-strip --target {triple} --output {made}")
                .quiet()
                .ignore_stdout()
                .run()?;
        }
        Format::Rpm => {
            cmd!(sh, "{tool} --target {triple} --arch {arch} --source-date {epoch} --auto-req disabled --output {made}")
                .quiet()
                .run()?;
        }
    }
    let packed = fs::read(&made).with_context(|| format!("`{}`", made.display()))?;
    fs::remove_file(&made)?;
    match format {
        Format::Deb => deb::complete(&packed, target.deb),
        Format::Rpm => rpm::with_head(&packed, &rpm::head(product)),
    }
}

/// The time stamp of everything in a package: the day of the release, or what the environment asks for.
fn epoch(product: &Product) -> Result<u64> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text
            .parse()
            .with_context(|| format!("invalid SOURCE_DATE_EPOCH \"{text}\": expected seconds since 1970")),
        Err(_) => Ok(product.release().epoch),
    }
}

/// Where a product is staged for a target.
pub fn stage_dir(target_dir: &Path, product: &Product, target: Target) -> PathBuf {
    target_dir.join("stage").join(&product.name).join(target.deb)
}
