//! An image from packages: takes a board, products and their packages, makes the files that are published.

use std::collections::BTreeMap;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::bill::{self, Own};
use super::disk::{self, Layout};
use super::report::{self, Report, Step};
use super::tree::Tree;
use super::{Base, Recipe, bake, bmap, pack};
use crate::model::Product;
use crate::repo::stanza::Stanza;
use crate::workspace::Workspace;
use crate::{deb, output};

/// The kinds of file that an image is published as.
pub const FORMATS: [&str; 3] = ["img", "img.xz", "img.zst"];

/// Where the boot partition is in the tree.
pub const BOOT: &str = "/boot/firmware";
/// The file of the first boot, on that partition.
const CONFIGURATION: &str = "custom.toml";
/// Two kernels and their initramfs have room, as during an upgrade.
const BOOT_SIZE: u64 = 256 << 20;
/// What a small card still has, and what the first boot needs before it grows.
const FREE: u64 = 96 << 20;

/// What to make.
#[derive(Debug)]
pub struct Order<'a> {
    /// The base.
    pub recipe: Recipe<'a>,
    /// What is in it; the first one gives it its name.
    pub products: &'a [Product],
    /// Their packages.
    pub debs: Vec<PathBuf>,
    /// Bytes of the whole image; what is needed if there is no number.
    pub size: Option<u64>,
    /// Kinds of file.
    pub formats: Vec<String>,
    /// The text of the first boot's file.
    pub configuration: Option<String>,
    /// The folder that they are put into.
    pub out: PathBuf,
}

/// An image that was made.
#[derive(Debug)]
pub struct Image {
    /// Its files.
    pub paths: Vec<PathBuf>,
    /// How.
    pub report: Report,
}

/// Makes it.
pub fn build(workspace: &Workspace, order: &Order<'_>) -> Result<Image> {
    let product = order.products.first().context("an image needs a product")?;
    let board = order.recipe.board;
    let name = format!("{}-{}-{}", product.name, board.name, product.release().version);
    fs::create_dir_all(&order.out).with_context(|| format!("`{}`: cannot be made", order.out.display()))?;
    let mut clock = Clock::new();
    let own: Vec<Own> = order.debs.iter().map(|deb| own(deb, &board.architecture)).collect::<Result<_>>()?;
    let base = super::base(workspace, &order.recipe)?;
    if !base.cached {
        clock.steps.extend(base.made.steps.iter().map(|(what, s)| Step { what: what.clone(), seconds: *s }));
    }
    clock.restart();
    let mut tree = Tree::from_tar(&base.tar)?;
    clock.lap("read");
    bake::install(&mut tree, &order.debs, &board.architecture)?;
    if let Some(text) = &order.configuration {
        super::first_boot(&mut tree, &format!("{BOOT}/{CONFIGURATION}"), text, base.epoch)?;
    }
    clock.lap("install");
    let raw = order.out.join(format!("{name}.img"));
    let disk = disk::write(&tree, &layout(&base, &own, order), &raw)?;
    clock.lap("disk");
    let mut files = BTreeMap::from([(format!("{name}.img"), disk.size)]);
    let map = order.out.join(format!("{name}.img.bmap"));
    bmap::write(&raw, &map)?;
    clock.lap("block map");
    let mut paths = Vec::new();
    for format in &order.formats {
        let path = order.out.join(format!("{name}.{format}"));
        match format.as_str() {
            "img" => {}
            "img.xz" => pack::write_xz(&raw, &path)?,
            "img.zst" => pack::write_zst(&raw, &path)?,
            other => bail!("`{other}`: is no kind of image: known: {}", FORMATS.join(", ")),
        }
        if format != "img" {
            files.insert(format!("{name}.{format}"), fs::metadata(&path)?.len());
            clock.lap(format);
        }
        paths.push(path);
    }
    if !order.formats.iter().any(|format| format == "img") {
        fs::remove_file(&raw)?;
        files.remove(&format!("{name}.img"));
    }
    let suite = &order.recipe.suite.name;
    let bill_path = order.out.join(format!("{name}.cdx.json"));
    output::replace(&bill_path, bill::bill(&name, suite, base.epoch, &base.packages, &own).as_bytes())?;
    paths.extend([map, bill_path]);
    let sums = order.out.join(format!("{name}.sha256"));
    output::replace(&sums, checksums(&paths)?.as_bytes())?;
    clock.lap("checksums");
    let folders = report::folders(&tree);
    let report = Report {
        image: name.clone(),
        board: board.name.clone(),
        suite: suite.clone(),
        base_cached: base.cached,
        fetched_bytes: base.fetched,
        seconds: clock.begun.elapsed().as_secs_f64(),
        steps: clock.steps,
        files,
        content_bytes: folders.iter().map(|share| share.bytes).sum(),
        packages: report::packages(&base.packages),
        folders,
        kernel: base.made.kernel.clone(),
        modules: base.made.modules.clone(),
    };
    let report_path = order.out.join(format!("{name}.report.json"));
    let mut text = serde_json::to_string_pretty(&report)?;
    text.push('\n');
    output::replace(&report_path, text.as_bytes())?;
    paths.extend([sums, report_path]);
    Ok(Image { paths, report })
}

/// What everything in the image that has to be unique is derived from: what it is made of.
fn layout(base: &Base, own: &[Own], order: &Order<'_>) -> Layout {
    let mut seed = Sha256::new().chain_update(base.disk.to_be_bytes());
    for own in own {
        seed.update(&own.sha256);
    }
    seed.update(order.configuration.as_deref().unwrap_or_default());
    Layout {
        disk: base.disk,
        seed: seed.finalize().into(),
        epoch: i64::try_from(base.epoch).unwrap_or(i64::MAX),
        boot: BOOT.to_owned(),
        boot_label: "BOOT".to_owned(),
        boot_size: Some(BOOT_SIZE),
        root_label: "root".to_owned(),
        size: order.size,
        free: FREE,
    }
}

/// What a .deb says that it is; it must be for the board.
fn own(path: &Path, architecture: &str) -> Result<Own> {
    let shown = path.display();
    let bytes = fs::read(path).with_context(|| format!("`{shown}`: cannot be read"))?;
    let control = deb::control(&bytes).with_context(|| format!("`{shown}`"))?;
    let of = |field: &str| {
        Stanza(&control).field(field).map(str::to_owned).with_context(|| format!("`{shown}`: has no `{field}:`"))
    };
    let own = Own {
        name: of("Package")?,
        version: of("Version")?,
        architecture: of("Architecture")?,
        sha256: crate::package::sha256(&bytes),
    };
    ensure!(
        own.architecture == architecture || own.architecture == "all",
        "`{shown}`: is for {}, the board is {architecture}: name the package for that one",
        own.architecture
    );
    Ok(own)
}

/// `sha256sum`'s lines.
fn checksums(paths: &[PathBuf]) -> Result<String> {
    let mut text = String::new();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        text.push_str(&format!("{}  {name}\n", pack::sha256(path)?));
    }
    Ok(text)
}

/// Where the time went; a person at a terminal sees it as it goes.
struct Clock {
    begun: Instant,
    last: Instant,
    steps: Vec<Step>,
}

impl Clock {
    fn new() -> Clock {
        Clock { begun: Instant::now(), last: Instant::now(), steps: Vec::new() }
    }

    fn restart(&mut self) {
        self.last = Instant::now();
    }

    fn lap(&mut self, what: &str) {
        let seconds = self.last.elapsed().as_secs_f64();
        if std::io::stderr().is_terminal() {
            eprintln!("{what}: {seconds:.1} s");
        }
        self.steps.push(Step { what: what.to_owned(), seconds });
        self.restart();
    }
}
