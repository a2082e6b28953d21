//! The folder that is published: takes validated products, makes packages, checksums, bills of materials and
//! `manifest.json` in `dist/`.

use std::path::{Path, PathBuf};
use std::{fs, thread};

use anyhow::{Context, Result, anyhow};
use catalog::model::Product;
use common::checksum::sha256;
use serde::{Deserialize, Serialize};
use workspace::target::{self, Target};
use workspace::{Workspace, output};

use crate::extra::extras;
use crate::manifest;
use crate::pack::{self, Format, Package};
use crate::program::{self, Program};
use crate::sbom::{self, Crates};

/// What is made.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Of which products.
    pub products: Vec<Product>,
    /// For which processors.
    pub targets: Vec<Target>,
    /// In which formats.
    pub formats: Vec<Format>,
    /// Where.
    pub dist: PathBuf,
}

/// `manifest.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// What was made, and is still there.
    pub packages: Vec<Package>,
}

impl Manifest {
    /// Reads that of a folder; an empty one when nothing was made there.
    pub fn read(dist: &Path) -> Result<Manifest> {
        let path = dist.join("manifest.json");
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("`{}`: invalid manifest: remove it", path.display())),
            Err(_) => Ok(Manifest::default()),
        }
    }
}

/// Makes everything of the plan; returns the paths of the packages.
pub fn dist(workspace: &Workspace, plan: &Plan) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(&plan.dist)
        .with_context(|| format!("`{}`: cannot be created", plan.dist.display()))?;
    let _turn = workspace.turn()?;
    let programs = prepare(workspace, plan)?;
    let mut packages = Vec::new();
    for (target, programs) in plan.targets.iter().zip(&programs) {
        let crates = Crates::list(workspace, *target)?;
        for product in &plan.products {
            packages.extend(product_packages(workspace, plan, *target, product, programs, &crates)?);
        }
    }
    packages.sort();
    record(&plan.dist, &packages)?;
    Ok(packages.iter().map(|p| plan.dist.join(&p.file)).collect())
}

/// Builds the programs for every target and, beside them, the packagers that are not there yet: on a fresh machine both
/// take a minute, and neither keeps all processors busy.
fn prepare(workspace: &Workspace, plan: &Plan) -> Result<Vec<Vec<Program>>> {
    thread::scope(|scope| {
        let packagers: Vec<_> =
            plan.formats.iter().map(|format| scope.spawn(|| pack::packager(*format).path())).collect();
        let programs = program::build_all(workspace, &plan.targets);
        for packager in packagers {
            packager.join().map_err(|_| anyhow!("a packager's thread died"))??;
        }
        programs
    })
}

/// Makes the products' Debian packages for a processor, in Debian's words, in a folder of their own below `target/`.
pub fn make_debs(workspace: &Workspace, architecture: &str, products: &[Product]) -> Result<Vec<PathBuf>> {
    let target = target::ALL.into_iter().find(|target| target.deb == architecture);
    let target = target.with_context(|| format!("no packages are made for {architecture}"))?;
    let plan = Plan {
        products: products.to_vec(),
        targets: vec![target],
        formats: vec![Format::Deb],
        dist: workspace.target_dir().join("image"),
    };
    let made = dist(workspace, &plan)?;
    // In the order of the products: the image has the first one's name.
    let file = |product: &Product| manifest::file_name(product, target, true);
    let find = |product: &Product| made.iter().find(|path| path.ends_with(file(product))).cloned();
    products.iter().map(|p| find(p).with_context(|| format!("{}: was not packed", p.package))).collect()
}

/// The packages of one product for one processor, side by side.
fn product_packages(
    workspace: &Workspace,
    plan: &Plan,
    target: Target,
    product: &Product,
    programs: &[Program],
    crates: &Crates,
) -> Result<Vec<Package>> {
    let dir = pack::stage_dir(&workspace.target_dir(), product, target);
    let stage = pack::stage(product, &extras(workspace)?, programs, &dir)?;
    eprintln!("packing {} {} for {target}", product.package, product.release().version);
    thread::scope(|scope| {
        let stage = &stage;
        let jobs: Vec<_> = plan
            .formats
            .iter()
            .map(|format| {
                scope.spawn(move || {
                    let package = pack::pack(product, target, *format, stage, &plan.dist)?;
                    let bill = plan.dist.join(format!("{}.cdx.json", package.file));
                    output::replace(&bill, sbom::bill(product, &package, crates).as_bytes())?;
                    Ok(package)
                })
            })
            .collect();
        jobs.into_iter().map(|job| job.join().map_err(|_| anyhow!("a packaging thread panicked"))?).collect()
    })
}

/// Brings `manifest.json` and `SHA256SUMS` up to date: what was made earlier and is still there stays listed.
fn record(dist: &Path, made: &[Package]) -> Result<()> {
    let path = dist.join("manifest.json");
    let earlier = Manifest::read(dist)?;
    let is_made = |p: &Package| made.iter().any(|m| m.file == p.file);
    let kept = earlier.packages.into_iter().filter(|p| !is_made(p) && dist.join(&p.file).exists());
    let mut packages: Vec<Package> = kept.chain(made.iter().cloned()).collect();
    packages.sort();
    let mut sums = String::new();
    for package in &packages {
        let bill = format!("{}.cdx.json", package.file);
        let bytes = fs::read(dist.join(&bill)).with_context(|| format!("`{bill}`"))?;
        sums.push_str(&format!("{}  {}\n{}  {bill}\n", package.sha256, package.file, sha256(&bytes)));
    }
    output::replace(&dist.join("SHA256SUMS"), sums.as_bytes())?;
    let mut text = serde_json::to_string_pretty(&Manifest { packages })?;
    text.push('\n');
    output::replace(&path, text.as_bytes())
}
