//! Builds disk images for memory cards: takes packages and a board, and writes an image that the machine
//! boots from.
//!
//! An image has two layers: a base root file system of locked distribution packages, cached by a hash of its
//! inputs, and our own packages, which install in a second.

pub mod bake;
pub mod bill;
pub mod board;
pub mod build;
mod cache;
pub mod files;
pub mod lock;
mod pattern;
pub mod report;
pub mod root;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use catalog::model::Product;
use common::checksum::sha256;
use debian::archive::package::Package;
use debian::archive::relation::{Relation, groups};
use disk::tree::{Content, Kind, Node, Time, Tree};
use package::manifest;
use serde::Deserialize;
use workspace::{Workspace, tool};

use self::board::{Board, Suite};
use self::cache::Place;
use self::lock::Lock;
use self::root::processor::Processor;
use self::root::{Made, Plan};

/// Part of the cache key. Increase it with every code change that changes the contents of a root file system.
const RECIPE: u32 = 2;
/// Cache folder for downloads.
const FILES: &str = "files";

/// Defaults for images, read from `image/image.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// The product to build if none is named.
    pub product: String,
    /// Products that every image contains.
    pub beside: Vec<String>,
}

/// A base root file system.
#[derive(Debug, Clone)]
pub struct Base {
    /// Path of the system's tar.
    pub tar: PathBuf,
    /// Disk identifier in the partition table; the system names its partitions by it:
    /// `PARTUUID={disk:08x}-02`.
    pub disk: u32,
    /// Newest modification time in the tar.
    pub epoch: u64,
    /// The packages it contains.
    pub packages: Vec<Package>,
    /// Details of the build that created it.
    pub made: Made,
    /// Whether it came from the cache.
    pub cached: bool,
    /// Number of bytes fetched for it.
    pub fetched: u64,
}

/// Inputs of a base root file system.
#[derive(Debug)]
pub struct Recipe<'a> {
    /// The board.
    pub board: &'a Board,
    /// The suite.
    pub suite: &'a Suite,
    /// Distribution packages that the products depend on.
    pub needs: Vec<Vec<Relation>>,
    /// The folder of the lock files.
    pub locks: PathBuf,
    /// Whether to rewrite the lock files, and which packages they must then also contain.
    pub update: Option<Vec<Vec<Relation>>>,
}

impl Defaults {
    /// Reads `image/image.toml`.
    pub fn read(workspace: &Workspace) -> Result<Defaults> {
        let path = workspace.path("image/image.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("`{}`", path.display()))?;
        toml::from_str(&text).with_context(|| format!("`{}`", path.display()))
    }
}

/// Returns the distribution packages that products depend on, without dependencies among the products.
pub fn needs(products: &[Product]) -> Vec<Vec<Relation>> {
    let depends = products.iter().flat_map(|product| manifest::depends(product, true));
    let groups = depends.flat_map(|field| groups(&field));
    groups.filter(|group| !group.iter().any(|r| products.iter().any(|p| p.package == r.name))).collect()
}

/// Returns the base root file system of a recipe from the cache, or builds it.
pub fn base(workspace: &Workspace, recipe: &Recipe<'_>) -> Result<Base> {
    let (board, suite) = (recipe.board, recipe.suite);
    let cache = cache()?;
    let indices = cache.join(FILES);
    let here = Processor::find_host()?;
    let target = Processor::find(&board.architecture)?;
    let read = |processor: Processor| match &recipe.update {
        Some(all) => Lock::update(workspace, &recipe.locks, suite, processor.deb, all, &indices),
        None => Lock::read(&recipe.locks, suite, processor.deb),
    };
    let lock = read(target)?;
    let chosen = lock.solve(&board.wish(suite, &recipe.needs))?;
    let other = if target == here { None } else { Some(read(here)?) };
    let stand_ins =
        other.as_ref().map(|lock| lock.solve(&suite.stand_in_wish())).transpose()?.unwrap_or_default();
    let key = key(workspace, recipe, &lock, &chosen, &stand_ins)?;
    let disk = u32::from_str_radix(&key[..8], 16).context("invalid cache key")?;
    let place = Place::take(&cache.join("roots"), &format!("{}-{}-{}", board.name, suite.name, &key[..16]))?;
    let tar = place.tar.clone();
    let packages: Vec<Package> = chosen.iter().copied().cloned().collect();
    if let Some(made) = place.made()? {
        return Ok(Base { tar, disk, epoch: lock.date, packages, made, cached: true, fetched: 0 });
    }
    let begun = Instant::now();
    let both: Vec<&Package> = chosen.iter().chain(&stand_ins).copied().collect();
    let (mut files, fetched) = lock::files(suite, &both, &indices)?;
    let fetching = begun.elapsed().as_secs_f64();
    let draft = place.draft();
    let plan = Plan {
        architecture: target.deb.to_owned(),
        epoch: lock.date,
        stand_ins: files.split_off(chosen.len()),
        packages: files,
        interpreters: suite.stand_ins.interpreters.clone(),
        never: suite.stand_ins.never.clone(),
        answer_yes: suite.stand_ins.answer_yes.clone(),
        for_initramfs: suite.stand_ins.for_initramfs.clone(),
        emulator: emulator(target),
        files: files::files(workspace, board, suite, &format!("{disk:08x}"))?,
        leave_out: [suite.system.leave_out.clone(), board.leave_out.clone()].concat(),
        keep: [suite.system.keep.clone(), board.keep.clone()].concat(),
        enable: suite.system.enable.clone(),
        remove: suite.system.remove.clone(),
        automatic: automatic(recipe, &chosen),
        initramfs: board.initramfs.clone(),
    };
    eprintln!(
        "building the root file system of {} with {} packages; it is cached until they change",
        board.name,
        chosen.len()
    );
    let result = root::make(&plan, &draft);
    if result.is_err() {
        place.forget()?;
    }
    let mut made = result?;
    made.steps.insert(0, ("fetch".to_owned(), fetching));
    place.keep(&made)?;
    Ok(Base { tar, disk, epoch: lock.date, packages, made, cached: false, fetched })
}

/// Adds the first-boot file at `path`, readable by root only.
pub fn first_boot(tree: &mut Tree, path: &str, text: &str, epoch: u64) -> Result<()> {
    let modified = Time { seconds: i64::try_from(epoch)?, nanoseconds: 0 };
    let kind = Kind::File(Content::bytes(text.as_bytes()));
    let node = Node { kind, mode: 0o600, uid: 0, gid: 0, modified, past: None, xattrs: BTreeMap::new() };
    tree.insert(path, node)?;
    Ok(())
}

/// Returns the cache folder for packages and root file systems.
pub fn cache() -> Result<PathBuf> {
    Ok(tool::cache()?.join("image"))
}

/// Hashes everything the root file system depends on.
fn key(
    workspace: &Workspace,
    recipe: &Recipe<'_>,
    lock: &Lock,
    chosen: &[&Package],
    stand_ins: &[&Package],
) -> Result<String> {
    let sums = |packages: &[&Package]| packages.iter().map(|p| p.sha256.clone()).collect::<Vec<_>>();
    let suite = recipe.suite;
    let parts = serde_json::json!({
        "recipe": RECIPE,
        "initramfs": root::initramfs::CONFIGURATION,
        "date": lock.date,
        "board": recipe.board,
        "system": suite.system,
        "stand-ins": suite.stand_ins,
        "packages": sums(chosen),
        "stand-in packages": sums(stand_ins),
        "automatic": automatic(recipe, chosen),
        "files": files::files(workspace, recipe.board, suite, "")?,
    });
    Ok(sha256(parts.to_string().as_bytes()))
}

/// Packages installed only as dependencies; apt may remove them later.
fn automatic(recipe: &Recipe<'_>, chosen: &[&Package]) -> Vec<String> {
    let named: Vec<&String> = recipe.suite.system.packages.iter().chain(&recipe.board.packages).collect();
    let others = chosen.iter().filter(|p| !p.essential && !named.iter().any(|name| **name == p.name));
    let mut names: Vec<String> = others.map(|p| p.name.clone()).collect();
    names.sort();
    names
}

/// Finds a statically linked emulator for another processor.
fn emulator(target: Processor) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]).collect();
    let names = [format!("qemu-{}-static", target.machine), format!("qemu-{}", target.machine)];
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| is_static(path))
}

/// Returns whether a program needs no loader; the root file system has none for the host's processor.
fn is_static(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| {
        let head = &bytes[..bytes.len().min(4096)];
        head.starts_with(b"\x7fELF") && !head.windows(8).any(|w| w == b"/ld-linu")
    })
}

/// Checks that the host has the required programs and lists all missing packages in one error.
pub fn prepare(foreign: Option<&str>) -> Result<()> {
    let mut missing = Vec::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |name: &str| {
        std::env::split_paths(&path)
            .chain(["/usr/sbin".into(), "/sbin".into()])
            .any(|f: PathBuf| f.join(name).is_file())
    };
    let mut needed = vec![
        ("curl", "curl"),
        ("gpgv", "gpgv"),
        ("unshare", "util-linux"),
        ("setpriv", "util-linux"),
        ("keyctl", "keyutils"),
        ("bash", "bash"),
        ("dpkg", "dpkg"),
    ];
    if !rustix::process::geteuid().is_root() {
        needed.extend([("newuidmap", "uidmap"), ("newgidmap", "uidmap")]);
    }
    for (program, package) in needed {
        if !there(program) && !missing.contains(&package.to_owned()) {
            missing.push(package.to_owned());
        }
    }
    if let Some(architecture) = foreign
        && emulator(Processor::find(architecture)?).is_none()
    {
        missing.push("qemu-user-static".to_owned());
    }
    if !missing.is_empty() {
        bail!(
            "required programs are missing: as root run `apt-get install {}`, or the equivalent",
            missing.join(" ")
        );
    }
    Ok(())
}
