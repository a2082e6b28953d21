//! Fills `dist/`: takes validated products, and makes packages, checksums, bills of materials and `manifest.json`.

use std::path::{Path, PathBuf};
use std::{fs, thread};

use anyhow::{Context, Result, anyhow};
use catalog::finding::Faults;
use catalog::model::Product;
use common::checksum::sha256;
use serde::{Deserialize, Serialize};
use workspace::target::{self, EVERY, Target};
use workspace::{Workspace, output};

use crate::extra::{Extra, extras};
use crate::format::{Format, Package};
use crate::manifest;
use crate::pack::{self, Contents};
use crate::payload::{self, Brought, Part};
use crate::program::{self, Program};
use crate::render::render;
use crate::sbom::{self, Crates};

/// Size of the files of a package that has several parts to compress.
const LARGE: u64 = 16 << 20;

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
    let _turn = workspace.turn()?;
    let extras = extras(workspace)?;
    let payloads = collect_payloads(workspace, plan, &extras)?;
    fs::create_dir_all(&plan.dist)
        .with_context(|| format!("`{}`: cannot be created", plan.dist.display()))?;
    let is_bound =
        |product: &Product, brought: &Brought| !product.programs.is_empty() || brought.has_programs;
    let mut packages = Vec::new();
    let mut make =
        |product: &Product, target: Target, brought: &Part, programs: &[Program], crates: &Crates| {
            let dir = pack::stage_dir(&workspace.target_dir(), product, target);
            let contents = pack::collect(product, &extras, programs, brought, &dir)?;
            packages.extend(make_packages(plan, target, product, &contents, crates, brought)?);
            anyhow::Ok(())
        };
    for (product, brought) in plan.products.iter().zip(&payloads) {
        if let (false, Some(part)) = (is_bound(product, brought), brought.by_target.first()) {
            make(product, EVERY, part, &[], &Crates::none())?;
        }
    }
    if plan.products.iter().zip(&payloads).any(|(product, brought)| is_bound(product, brought)) {
        // A product can have programs of its payloads only.
        let has_ours = plan.products.iter().any(|product| !product.programs.is_empty());
        let programs = match has_ours {
            true => program::build(workspace, &plan.targets)?,
            false => vec![Vec::new(); plan.targets.len()],
        };
        for (i, (target, programs)) in plan.targets.iter().zip(&programs).enumerate() {
            let crates = if has_ours { Crates::list(workspace, *target)? } else { Crates::none() };
            for (product, brought) in plan.products.iter().zip(&payloads) {
                if is_bound(product, brought) {
                    make(product, *target, &brought.by_target[i], programs, &crates)?;
                }
            }
        }
    }
    packages.sort();
    write_manifest(&plan.dist, &packages)?;
    Ok(packages.iter().map(|p| plan.dist.join(&p.file)).collect())
}

/// Collects the payloads of every product, and reports the faults of all of them.
fn collect_payloads(workspace: &Workspace, plan: &Plan, extras: &[Extra]) -> Result<Vec<Brought>> {
    let (mut payloads, mut faults) = (Vec::new(), Vec::new());
    for product in &plan.products {
        let programs = product.programs.iter().map(|name| format!("{}/{name}", product.program_dir));
        let rendered: Vec<String> = match product.payloads.is_empty() {
            true => Vec::new(),
            false => {
                render(product, extras).installed().map(|(path, _)| path.to_owned()).chain(programs).collect()
            }
        };
        match payload::collect(workspace, product, &rendered, &plan.targets) {
            Ok(brought) => payloads.push(brought),
            Err(error) => match error.downcast::<Faults>() {
                Ok(Faults(more)) => faults.extend(more),
                Err(error) => return Err(error),
            },
        }
    }
    if faults.is_empty() { Ok(payloads) } else { Err(Faults(faults).into()) }
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
    let files = |product: &Product| [target, EVERY].map(|target| manifest::file_name(product, target, true));
    let find = |product: &Product| {
        let files = files(product);
        paths.iter().find(|path| files.iter().any(|file| path.ends_with(file))).cloned()
    };
    products.iter().map(|p| find(p).with_context(|| format!("{}: was not packed", p.package))).collect()
}

/// Makes the packages of one product for one processor; small ones in parallel. A large one uses all processors alone,
/// and two would need twice the memory.
fn make_packages(
    plan: &Plan,
    target: Target,
    product: &Product,
    contents: &Contents,
    crates: &Crates,
    brought: &Part,
) -> Result<Vec<Package>> {
    let (package, version) = (&product.package, &product.release().version);
    match target == EVERY {
        true => eprintln!("packing {package} {version} for every processor"),
        false => eprintln!("packing {package} {version} for {target}"),
    }
    let make = |format: Format| {
        let package = pack::pack(product, target, format, contents, &plan.dist)?;
        let bill = plan.dist.join(format!("{}.cdx.json", package.file));
        output::replace(&bill, sbom::bill(product, &package, crates, &brought.components).as_bytes())?;
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
