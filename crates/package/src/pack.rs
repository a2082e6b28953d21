//! Native packages: takes a [`Product`] and its programs for one [`Target`], and makes [`Package`]s.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use catalog::model::Product;
use common::parallel::processors;
use workspace::output;
use workspace::target::Target;

use crate::effort::{Compression, Effort};
use crate::entry::Entry;
use crate::extra::Extra;
pub use crate::format::{Format, Package};
use crate::payload::{Needs, Part};
use crate::program::Program;
use crate::render::render;
use crate::stage::{Stage, compress};
use crate::tree::Tree;
use crate::{cache, copyright, deb, manifest, rpm};

/// Part of the cache key. Increment it with every change to this file, `deb` or `rpm` that changes the bytes of a
/// package, and with every new version of the libraries that write archives.
const RECIPE: u32 = 3;

/// What a package is made of.
#[derive(Debug, Clone)]
pub struct Contents {
    stage: Stage,
    /// The scripts, and the files that only one format has.
    tree: Tree,
    /// What every format installs.
    entries: Vec<Entry>,
    /// Packages that the entries need.
    needs: Needs,
}

/// Collects the files of a product, its programs, and what its payloads bring, in a form that serves every format.
pub fn collect(
    product: &Product,
    extras: &[Extra],
    programs: &[Program],
    brought: &Part,
    dir: &Path,
) -> Result<Contents> {
    let mut tree = compress(render(product, extras))?;
    for program in programs.iter().filter(|p| product.programs.contains(&p.name)) {
        tree.add(format!("root{}/{}", product.program_dir, program.name), 0o755, program.bytes.clone());
    }
    let notices = copyright::paragraphs(&brought.notices, &product.license);
    if let Some(file) = tree.0.get_mut("deb/copyright") {
        file.bytes.extend_from_slice(notices.as_bytes());
    }
    let mut contents = collect_with(product, tree, &brought.needs, dir)?;
    contents.entries.extend_from_slice(&brought.entries);
    Ok(contents)
}

/// Collects a tree that is already rendered and compressed. `dir` is for what cargo-deb reads.
pub fn collect_tree(product: &Product, tree: Tree, dir: &Path) -> Result<Contents> {
    collect_with(product, tree, &Needs::default(), dir)
}

fn collect_with(product: &Product, mut tree: Tree, needs: &Needs, dir: &Path) -> Result<Contents> {
    let manifest = manifest::manifest(product, &tree, needs);
    let (mut installed, mut rest) = (Vec::new(), Tree::default());
    for (path, file) in std::mem::take(&mut tree.0) {
        match path.strip_prefix("root") {
            Some(path) => installed.push(Entry::bytes(path.to_owned(), file.bytes, file.mode)),
            None => rest.add(path, file.mode, file.bytes),
        }
    }
    let mut control = rest.clone();
    control.0.retain(|path, _| path.starts_with("deb/"));
    control.add("Cargo.toml".to_owned(), 0o644, manifest);
    control.add("nothing.rs".to_owned(), 0o644, "");
    let stage = Stage::write(&control, epoch(product)?, dir)?;
    Ok(Contents { stage, tree: rest, entries: installed, needs: needs.clone() })
}

impl Contents {
    /// Returns the entries of a package, with the documents that its format needs, in the order of the paths.
    fn entries(&self, product: &Product, format: Format) -> Vec<Entry> {
        let package = &product.package;
        let documents: &[(&str, String)] = &match format {
            Format::Deb => vec![
                ("deb/copyright", format!("/usr/share/doc/{package}/copyright")),
                ("deb/changelog.gz", format!("/usr/share/doc/{package}/changelog.gz")),
                ("deb/lintian-overrides", format!("/usr/share/lintian/overrides/{package}")),
            ],
            Format::Rpm => vec![("deb/copyright", format!("/usr/share/licenses/{package}/copyright"))],
        };
        let document = |(from, to): &(&str, String)| {
            Some(Entry::bytes(to.clone(), self.tree.0.get(*from)?.bytes.clone(), 0o644))
        };
        let mut entries = self.entries.clone();
        entries.extend(documents.iter().filter_map(document));
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        entries
    }

    /// Returns the size of the installed files in bytes.
    pub fn size(&self) -> u64 {
        self.entries.iter().map(Entry::size).sum()
    }
}

/// Packs contents in one format and writes the package to `dist`.
pub fn pack(
    product: &Product,
    target: Target,
    format: Format,
    contents: &Contents,
    dist: &Path,
) -> Result<Package> {
    let entries = contents.entries(product, format);
    let file = manifest::file_name(product, target, format == Format::Deb);
    let epoch = epoch(product)?;
    let effort = Effort { compression: Compression::choose()?, threads: count_threads() };
    let key = serde_json::json!({
        "compression": effort.compression,
        "recipe": RECIPE,
        "format": format,
        "target": target.triple,
        "epoch": epoch,
        "scripts": contents.tree.digest(),
        "entries": entries.iter().map(Entry::fingerprint).collect::<Vec<_>>(),
        "needs": [&contents.needs.deb, &contents.needs.rpm],
        "product": product,
    });
    let dir = &contents.stage.dir;
    let packed = cache::find_or_make(&dir.with_file_name("packed"), &key.to_string(), |out| match format {
        Format::Deb => deb::write(&contents.stage, target, &entries, epoch, effort, out),
        Format::Rpm => rpm::write::write(
            &rpm::write::Described {
                product,
                scripts: &contents.tree,
                needs: &contents.needs,
                target,
                epoch,
            },
            &entries,
            effort,
            out,
        ),
    })?;
    output::copy(&packed.path, &dist.join(&file))?;
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
        size: packed.size,
        sha256: packed.sha256,
    })
}

/// Returns how many threads compress one package. Each needs up to 130 MB, and a quarter of the memory is enough.
fn count_threads() -> u32 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = meminfo.lines().find_map(|line| {
        line.strip_prefix("MemAvailable:")?.trim().trim_end_matches(" kB").parse::<usize>().ok()
    });
    let affordable = available.unwrap_or_default() / (4 * 130_000);
    u32::try_from(processors().min(affordable).max(1)).unwrap_or(1)
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
