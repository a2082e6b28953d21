//! Fills `dist/`: takes validated products, and makes packages, checksums, bills of materials and `manifest.json`.

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

/// Size of the files of a package that has several parts to compress.
const LARGE: u64 = 48 << 20;

/// The packages to make: every product for every target in every format.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Products to pack.
    pub products: Vec<Product>,
    /// Processors to build for.
    pub targets: Vec<Target>,
    /// Package formats.
    pub formats: Vec<Format>,
    /// Output folder.
    pub dist: PathBuf,
}

/// Content of `manifest.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// The packages in the folder.
    pub packages: Vec<Package>,
}

impl Manifest {
    /// Reads the manifest of a folder, or returns an empty one if there is none.
    pub fn read(dist: &Path) -> Result<Manifest> {
        let path = dist.join("manifest.json");
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("`{}`: invalid manifest: remove it", path.display())),
            Err(_) => Ok(Manifest::default()),
        }
    }
}

/// Makes the packages of the plan and returns their paths.
pub fn dist(workspace: &Workspace, plan: &Plan) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(&plan.dist)
        .with_context(|| format!("`{}`: cannot be created", plan.dist.display()))?;
    let _turn = workspace.turn()?;
    let programs = program::build(workspace, &plan.targets)?;
    let mut packages = Vec::new();
    for (target, programs) in plan.targets.iter().zip(&programs) {
        let crates = Crates::list(workspace, *target)?;
        for product in &plan.products {
            packages.extend(make_packages(workspace, plan, *target, product, programs, &crates)?);
        }
    }
    packages.sort();
    write_manifest(&plan.dist, &packages)?;
    Ok(packages.iter().map(|p| plan.dist.join(&p.file)).collect())
}

/// Makes the products' Debian packages for a processor, named as Debian does, in a separate folder below `target/`.
/// Returns their paths in the order of the products.
pub fn make_debs(workspace: &Workspace, architecture: &str, products: &[Product]) -> Result<Vec<PathBuf>> {
    let target = target::ALL.into_iter().find(|target| target.deb == architecture);
    let target = target.with_context(|| format!("{architecture}: unsupported architecture"))?;
    let plan = Plan {
        products: products.to_vec(),
        targets: vec![target],
        formats: vec![Format::Deb],
        dist: workspace.target_dir().join("image"),
    };
    let paths = dist(workspace, &plan)?;
    // The first path names the image.
    let file = |product: &Product| manifest::file_name(product, target, true);
    let find = |product: &Product| paths.iter().find(|path| path.ends_with(file(product))).cloned();
    products.iter().map(|p| find(p).with_context(|| format!("{}: was not packed", p.package))).collect()
}

/// Makes the packages of one product for one processor; small ones in parallel. A large one uses all processors alone,
/// and two would need twice the memory.
fn make_packages(
    workspace: &Workspace,
    plan: &Plan,
    target: Target,
    product: &Product,
    programs: &[Program],
    crates: &Crates,
) -> Result<Vec<Package>> {
    let dir = pack::stage_dir(&workspace.target_dir(), product, target);
    let contents = pack::collect(product, &extras(workspace)?, programs, &dir)?;
    eprintln!("packing {} {} for {target}", product.package, product.release().version);
    let make = |format: Format| {
        let package = pack::pack(product, target, format, &contents, &plan.dist)?;
        let bill = plan.dist.join(format!("{}.cdx.json", package.file));
        output::replace(&bill, sbom::bill(product, &package, crates).as_bytes())?;
        Ok(package)
    };
    if contents.size() > LARGE {
        return plan.formats.iter().map(|format| make(*format)).collect();
    }
    thread::scope(|scope| {
        let make = &make;
        let jobs: Vec<_> = plan.formats.iter().map(|format| scope.spawn(move || make(*format))).collect();
        jobs.into_iter().map(|job| job.join().map_err(|_| anyhow!("a packaging thread panicked"))?).collect()
    })
}

/// Updates `manifest.json` and `SHA256SUMS`. Packages of earlier runs stay listed while their files exist.
fn write_manifest(dist: &Path, new: &[Package]) -> Result<()> {
    let path = dist.join("manifest.json");
    let earlier = Manifest::read(dist)?;
    let is_new = |p: &Package| new.iter().any(|n| n.file == p.file);
    let kept = earlier.packages.into_iter().filter(|p| !is_new(p) && dist.join(&p.file).exists());
    let mut packages: Vec<Package> = kept.chain(new.iter().cloned()).collect();
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
