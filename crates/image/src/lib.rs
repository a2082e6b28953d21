//! Images of memory cards: takes packages and a board, makes a file that a machine boots from.
//!
//! Two layers: the base root of locked packages of the distribution, kept by a key of its content, and our own
//! packages on it, which take a second.

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

/// Another number makes every base root anew: one more with each change of the code that changes what is in a root.
const RECIPE: u32 = 2;
/// The folder of the cache for what was fetched.
const FILES: &str = "files";

/// What images are of, from `image/image.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// The product, when none is named.
    pub product: String,
    /// Products in every image.
    pub beside: Vec<String>,
}

/// The base root of an image.
#[derive(Debug, Clone)]
pub struct Base {
    /// The system as a tar.
    pub tar: PathBuf,
    /// The number in the partition table by which the system names its partitions: `PARTUUID={disk:08x}-02`.
    pub disk: u32,
    /// Nothing in it is younger.
    pub epoch: u64,
    /// What it is made of.
    pub packages: Vec<Package>,
    /// How it was made, now or at some other time.
    pub made: Made,
    /// Whether it was there.
    pub cached: bool,
    /// How many bytes had to be fetched.
    pub fetched: u64,
}

/// What a base is made from.
#[derive(Debug)]
pub struct Recipe<'a> {
    /// The board.
    pub board: &'a Board,
    /// The suite.
    pub suite: &'a Suite,
    /// What the products need of the distribution.
    pub needs: Vec<Vec<Relation>>,
    /// The folder of the lock files.
    pub locks: PathBuf,
    /// Whether the lock files are written anew: then what else they must have.
    pub update: Option<Vec<Vec<Relation>>>,
}

impl Defaults {
    /// Reads them.
    pub fn read(workspace: &Workspace) -> Result<Defaults> {
        let path = workspace.path("image/image.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("`{}`", path.display()))?;
        toml::from_str(&text).with_context(|| format!("`{}`", path.display()))
    }
}

/// What products need of the distribution: not what they are to each other.
pub fn needs(products: &[Product]) -> Vec<Vec<Relation>> {
    let depends = products.iter().flat_map(|product| manifest::depends(product, true));
    let groups = depends.flat_map(|field| groups(&field));
    groups.filter(|group| !group.iter().any(|r| products.iter().any(|p| p.package == r.name))).collect()
}

/// The base root of a recipe, made now if it is not in the cache.
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
    let disk = u32::from_str_radix(&key[..8], 16).context("a key is hexadecimal")?;
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
        "making the root of {} with {} packages, once for this state of them",
        board.name,
        chosen.len()
    );
    let made = root::make(&plan, &draft);
    if made.is_err() {
        place.forget()?;
    }
    let mut made = made?;
    made.steps.insert(0, ("fetch".to_owned(), fetching));
    place.keep(&made)?;
    Ok(Base { tar, disk, epoch: lock.date, packages, made, cached: false, fetched })
}

/// Puts the first boot's file where a person would copy it to.
pub fn first_boot(tree: &mut Tree, path: &str, text: &str, epoch: u64) -> Result<()> {
    let modified = Time { seconds: i64::try_from(epoch)?, nanoseconds: 0 };
    let kind = Kind::File(Content::bytes(text.as_bytes()));
    let node = Node { kind, mode: 0o600, uid: 0, gid: 0, modified, past: None, xattrs: BTreeMap::new() };
    tree.insert(path, node)?;
    Ok(())
}

/// Where packages and roots are kept.
pub fn cache() -> Result<PathBuf> {
    Ok(tool::cache()?.join("image"))
}

/// Changes with everything that the root depends on.
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

/// Packages that are there only because others need them; apt may remove those one day.
fn automatic(recipe: &Recipe<'_>, chosen: &[&Package]) -> Vec<String> {
    let named: Vec<&String> = recipe.suite.system.packages.iter().chain(&recipe.board.packages).collect();
    let others = chosen.iter().filter(|p| !p.essential && !named.iter().any(|name| **name == p.name));
    let mut names: Vec<String> = others.map(|p| p.name.clone()).collect();
    names.sort();
    names
}

/// A program that runs another processor's programs and needs nothing else to do it.
fn emulator(target: Processor) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]).collect();
    let names = [format!("qemu-{}-static", target.machine), format!("qemu-{}", target.machine)];
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| is_static(path))
}

/// Whether a program needs no loader: inside of a root, there is none for it.
fn is_static(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| {
        let head = &bytes[..bytes.len().min(4096)];
        head.starts_with(b"\x7fELF") && !head.windows(8).any(|w| w == b"/ld-linu")
    })
}

/// What the host must have beside this program, in one error.
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
        bail!("programs are missing: run `apt-get install {}` as root, or its equivalent", missing.join(" "));
    }
    Ok(())
}
