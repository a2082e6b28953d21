//! Builds images: takes a board, products and their packages, or an existing image, and writes the files to
//! publish.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, thread};

use anyhow::{Context, Result, bail, ensure};
use catalog::model::Product;
use debian::deb;
use debian::stanza::Stanza;
use disk::bmap;
use disk::layout::{self, BOOT, Layout};
use disk::pack::{self, Sum};
use disk::tree::Tree;
use sha2::{Digest, Sha256};
use workspace::{Workspace, output};

use super::bake::Stock;
use super::bill::{self, Own};
use super::board::Suite;
use super::report::{self, Report, Share, Step};
use crate::{Base, FILES, Recipe, bake};

/// File formats an image can be published in.
pub const FORMATS: [&str; 3] = ["img", "img.xz", "img.zst"];

/// Name of the first-boot file on the boot partition.
const CONFIGURATION: &str = "custom.toml";
/// Holds two kernels with their initramfs, as during an upgrade.
const BOOT_SIZE: u64 = 256 << 20;
/// Free space for a small card and for first boot, before the root file system grows.
const FREE: u64 = 96 << 20;

/// The image to build.
#[derive(Debug)]
pub struct Order<'a> {
    /// The base root file system.
    pub recipe: Recipe<'a>,
    /// Products to install; the first one names the image.
    pub products: &'a [Product],
    /// Packages of the products.
    pub debs: Vec<PathBuf>,
    /// Size of the whole image in bytes; `None` means as small as possible.
    pub size: Option<u64>,
    /// Formats to write, from [`FORMATS`].
    pub formats: Vec<String>,
    /// Text of the first-boot file.
    pub configuration: Option<String>,
    /// The output folder.
    pub out: PathBuf,
}

/// A finished image.
#[derive(Debug)]
pub struct Image {
    /// Paths of its files.
    pub paths: Vec<PathBuf>,
    /// Build times and sizes.
    pub report: Report,
}

/// Builds an image from packages.
pub fn build(workspace: &Workspace, order: &Order<'_>) -> Result<Image> {
    let board = order.recipe.board;
    let mut work = Work::new(order)?;
    let base = super::base(workspace, &order.recipe)?;
    if !base.cached {
        work.steps.extend(base.made.steps.iter().map(|(what, s)| Step { what: what.clone(), seconds: *s }));
    }
    work.last = Instant::now();
    let mut tree = Tree::from_tar(&base.tar)?;
    work.lap("read");
    let epoch = i64::try_from(base.epoch)?;
    let remove = &order.recipe.suite.system.remove;
    bake::install(&mut tree, &order.debs, &board.architecture, remove, epoch)?;
    if let Some(text) = &order.configuration {
        super::first_boot(&mut tree, &format!("{BOOT}/{CONFIGURATION}"), text, base.epoch)?;
    }
    work.lap("install");
    layout::write(&tree, &layout(&base, &work.own, order), &work.raw())?;
    work.lap("disk");
    let folders = report::folders(&tree);
    let about = report::About {
        suite: order.recipe.suite.name.clone(),
        base_cached: base.cached,
        fetched_bytes: base.fetched,
        packages: report::packages(&base.packages),
        kernel: base.made.kernel.clone(),
        modules: base.made.modules.clone(),
    };
    let bill = bill::bill(&work.name, &order.recipe.suite.name, base.epoch, &base.packages, &work.own);
    work.finish(folders, about, Some(bill), Sum::default())
}

/// Installs packages into an existing image.
pub fn bake(workspace: &Workspace, image: &Path, order: &Order<'_>) -> Result<Image> {
    ensure!(
        order.configuration.is_none(),
        "--base: cannot be combined with --config or --role: copy custom.toml onto the card instead"
    );
    let mut work = Work::new(order)?;
    let recipe = &order.recipe;
    let stock = Stock {
        suites: Suite::all(workspace)?,
        locks: recipe.locks.clone(),
        update: recipe.update.as_deref().map(|needs| (workspace, needs)),
        cache: super::cache()?.join(FILES),
    };
    let baked = bake::bake(image, &order.debs, &stock, order.size, &work.raw())?;
    work.lap("bake");
    work.finish(report::folders(&baked.tree), report::About::default(), None, baked.sum)
}

struct Work<'a> {
    order: &'a Order<'a>,
    name: String,
    own: Vec<Own>,
    begun: Instant,
    last: Instant,
    steps: Vec<Step>,
}

impl<'a> Work<'a> {
    fn new(order: &'a Order<'a>) -> Result<Self> {
        let product = order.products.first().context("no product: an image needs at least one")?;
        let board = order.recipe.board;
        let name = format!("{}-{}-{}", product.name, board.name, product.release().version);
        fs::create_dir_all(&order.out).with_context(|| format!("cannot create `{}`", order.out.display()))?;
        let own = order.debs.iter().map(|deb| read_own(deb, &board.architecture)).collect::<Result<_>>()?;
        Ok(Work { order, name, own, begun: Instant::now(), last: Instant::now(), steps: Vec::new() })
    }

    /// The uncompressed image. If it was not requested, its hidden name marks it as temporary.
    fn raw(&self) -> PathBuf {
        let hidden = if self.order.formats.iter().any(|format| format == "img") { "" } else { "." };
        self.order.out.join(format!("{hidden}{}.img", self.name))
    }

    fn finish(
        mut self,
        folders: Vec<Share>,
        about: report::About,
        bill: Option<String>,
        sum: Sum,
    ) -> Result<Image> {
        let (raw, out, name) = (self.raw(), self.order.out.clone(), self.name.clone());
        let result = self.publish(&raw, bill, sum);
        if !self.order.formats.iter().any(|format| format == "img") {
            let _ = fs::remove_file(&raw);
        }
        let mut paths = result?;
        let mut files = BTreeMap::new();
        for path in &paths {
            let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            files.insert(file, fs::metadata(path)?.len());
        }
        let report = Report {
            image: name.clone(),
            board: self.order.recipe.board.name.clone(),
            about,
            seconds: self.begun.elapsed().as_secs_f64(),
            steps: self.steps,
            files,
            content_bytes: folders.iter().map(|share| share.bytes).sum(),
            folders,
        };
        let path = out.join(format!("{name}.report.json"));
        output::replace(&path, format!("{}\n", serde_json::to_string_pretty(&report)?).as_bytes())?;
        paths.push(path);
        Ok(Image { paths, report })
    }

    fn publish(&mut self, raw: &Path, bill: Option<String>, sum: Sum) -> Result<Vec<PathBuf>> {
        let place = |end: &str| self.order.out.join(format!("{}.{end}", self.name));
        let map = place("img.bmap");
        let mut paths: Vec<PathBuf> = self.order.formats.iter().map(|format| place(format)).collect();
        let (formats, bill_path, sums) = (&self.order.formats, place("cdx.json"), place("sha256"));
        let text = thread::scope(|scope| {
            // Checksumming the raw image takes longest, so it runs in parallel.
            let whole = formats.iter().any(|f| f == "img").then(|| scope.spawn(|| sum.finish(raw)));
            bmap::write(raw, &map)?;
            self.lap("block map");
            for (format, path) in formats.iter().zip(&paths) {
                match format.as_str() {
                    "img" => continue,
                    "img.xz" => pack::write_xz(raw, path)?,
                    _ => pack::write_zst(raw, path)?,
                }
                self.lap(format);
            }
            paths.push(map);
            if let Some(bill) = bill {
                output::replace(&bill_path, bill.as_bytes())?;
                paths.push(bill_path);
            }
            let whole = whole
                .map(|job| job.join().unwrap_or_else(|_| bail!("the checksum thread panicked")))
                .transpose()?;
            checksums(&paths, raw, whole)
        })?;
        output::replace(&sums, text.as_bytes())?;
        paths.push(sums);
        self.lap("checksums");
        Ok(paths)
    }

    fn lap(&mut self, what: &str) {
        let seconds = self.last.elapsed().as_secs_f64();
        if std::io::stderr().is_terminal() {
            eprintln!("{what}: {seconds:.1} s");
        }
        self.steps.push(Step { what: what.to_owned(), seconds });
        self.last = Instant::now();
    }
}

/// Derives everything that must be unique in the image from its contents.
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
        boot_size: Some(BOOT_SIZE),
        size: order.size,
        free: FREE,
    }
}

/// Reads the identity of a .deb, which must match the board's processor.
fn read_own(path: &Path, architecture: &str) -> Result<Own> {
    let file = path.display();
    let bytes = fs::read(path).with_context(|| format!("cannot read `{file}`"))?;
    let control = deb::control(&bytes).with_context(|| format!("`{file}`"))?;
    let of = |field: &str| {
        Stanza(&control)
            .field(field)
            .map(str::to_owned)
            .with_context(|| format!("`{file}`: has no `{field}:`"))
    };
    let own = Own {
        name: of("Package")?,
        version: of("Version")?,
        architecture: of("Architecture")?,
        sha256: common::checksum::sha256(&bytes),
    };
    ensure!(
        own.architecture == architecture || own.architecture == "all",
        "`{file}`: built for {}, but the board is {architecture}: use the {architecture} package",
        own.architecture
    );
    Ok(own)
}

/// Returns lines in the format of `sha256sum`. The checksum of `known` may already be computed.
fn checksums(paths: &[PathBuf], known: &Path, sum: Option<String>) -> Result<String> {
    let mut text = String::new();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let sum = match &sum {
            Some(sum) if path == known => sum.clone(),
            _ => pack::sha256(path)?,
        };
        text.push_str(&format!("{sum}  {name}\n"));
    }
    Ok(text)
}
