//! Compares `cargo xtask image` with mmdebstrap and mkosi under an emulator: the same locked packages into a
//! root for a board. Packages are downloaded in advance, as far as the other tools allow.

mod mkosi;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use catalog::model::Product;
use debian::archive::package::Package;
use image::board::{Board, Suite};
use image::build::{self, Order};
use image::{Base, Recipe};
use package::dist::make_debs;
use testbed::host;
use workspace::Workspace;

use self::mkosi::Mkosi;
use crate::bench::{Report, Row};
use crate::selection::Selection;

const MMDEBSTRAP: &str = include_str!("mmdebstrap.sh");
/// A board with a foreign processor; otherwise no emulation would be compared.
const BOARD: &str = "pi4";
/// Promised maximum in seconds, with a warm cache and for an existing image.
const WARM: f64 = 3.0;
const BAKE: f64 = 2.0;

/// The inputs of both sides.
#[derive(Debug)]
pub struct Pair {
    /// The board.
    pub board: Board,
    /// Its suite.
    pub suite: Suite,
    /// The products in the image.
    pub products: Vec<Product>,
    /// Folder of its lock files.
    locks: PathBuf,
}

impl Pair {
    /// Reads the inputs for the measured board.
    pub fn read(workspace: &Workspace) -> Result<Pair> {
        host::need(&[
            ("mmdebstrap", "mmdebstrap"),
            ("curl", "curl"),
            ("gpgv", "gpgv"),
            ("arch-test", "arch-test"),
            ("qemu-aarch64-static", "qemu-user-static"),
            ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
        ])?;
        let board = Board::read(workspace, BOARD)?;
        let suite = Suite::read(workspace, &board.suite)?;
        let products = Selection::default().of_image(workspace)?;
        ensure!(
            board.is_foreign()?,
            "this machine runs the board's programs natively: run this on a machine with another processor"
        );
        let locks = workspace.target_dir().join("bench-locks");
        fs::create_dir_all(&locks)?;
        Ok(Pair { board, suite, products, locks })
    }

    /// Builds the base root file system from today's packages. The other tools only take those, and would
    /// install two kernels with an older lock.
    pub fn base(&self, workspace: &Workspace) -> Result<Base> {
        let update = Some(image::needs(&self.products));
        image::base(workspace, &Recipe { update, ..self.recipe() })
    }

    /// Returns the recipe for both sides.
    pub fn recipe(&self) -> Recipe<'_> {
        let needs = image::needs(&self.products);
        Recipe { board: &self.board, suite: &self.suite, needs, locks: self.locks.clone(), update: None }
    }

    /// Returns the archive's sources in apt's format.
    fn sources(&self) -> impl Iterator<Item = String> {
        let archive = &self.suite.archive;
        let keyring = archive.keyring.display();
        let components = archive.components.join(" ");
        let pockets = archive.pocket.iter().filter(|pocket| !pocket.on_request);
        pockets.map(move |p| format!("deb [signed-by={keyring}] {} {} {components}", p.mirror, p.suite))
    }

    /// Builds a root with mmdebstrap; returns the seconds it took.
    pub fn theirs(&self, packages: &[Package], epoch: u64, out: &Path) -> Result<f64> {
        let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
        let (suite, board) = (&self.suite, &self.board);
        let exclude =
            suite.system.leave_out.iter().chain(&board.leave_out).map(|p| format!("path-exclude={p}"));
        let include = suite.system.keep.iter().chain(&board.keep).map(|p| format!("path-include={p}"));
        let options: Vec<String> = exclude.chain(include).collect();
        let begun = Instant::now();
        let ended = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", MMDEBSTRAP, "mmdebstrap.sh"])
            .arg(out)
            .args([suite.name.as_str(), &board.architecture, "qemu-aarch64", &names.join(",")])
            .args(self.sources())
            .env("DPKG_OPTIONS", options.join("\n"))
            .env("SOURCE_DATE_EPOCH", epoch.to_string())
            .env("TMPDIR", out.parent().context("the output file has no folder")?)
            .output()?;
        if !ended.status.success() {
            bail!("mmdebstrap: {}", end(&String::from_utf8_lossy(&ended.stderr)));
        }
        Ok(begun.elapsed().as_secs_f64())
    }
}

/// Returns the last lines of a tool's output, which explain a failure.
fn end(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}

/// Measures each side once, because mmdebstrap takes minutes.
pub fn run(workspace: &Workspace, _rounds: u32) -> Result<Report> {
    let pair = Pair::read(workspace)?;
    let debs = make_debs(workspace, &pair.board.architecture, &pair.products)?;
    let dir = workspace.target_dir().join("bench-image");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir)?;
    let order = |debs: &[std::path::PathBuf], out: &str| Order {
        recipe: pair.recipe(),
        products: &pair.products,
        debs: debs.to_vec(),
        size: None,
        formats: vec!["img".to_owned()],
        configuration: None,
        out: dir.join(out),
    };
    // Downloads all packages. The cached root is then rebuilt.
    let known = pair.base(workspace)?;
    let kept = known.tar.with_extension("kept");
    fs::rename(&known.tar, &kept)?;
    let begun = Instant::now();
    let result = build::build(workspace, &order(&debs, "ours"));
    let cold = begun.elapsed().as_secs_f64();
    if result.is_err() {
        fs::rename(&kept, &known.tar)?;
    }
    let result = result?;
    fs::remove_file(&kept)?;
    let begun = Instant::now();
    build::build(workspace, &order(&debs, "ours"))?;
    let warm = begun.elapsed().as_secs_f64();
    let raw = result.paths.first().context("no image was built")?;
    let begun = Instant::now();
    build::bake(workspace, raw, &order(&debs, "baked"))?;
    let bake = begun.elapsed().as_secs_f64();
    let mkosi = Mkosi::new(&pair, &known.packages, &debs, &dir.join("mkosi"))?;
    mkosi.build()?;
    let again = mkosi.build()?;
    let theirs = pair.theirs(&known.packages, known.epoch, &dir.join("theirs.tar"))?;
    fs::remove_dir_all(&dir)?;
    Ok(Report {
        ours: "ours".to_owned(),
        theirs: "theirs".to_owned(),
        how: format!("{} packages for {BOARD}", known.packages.len()),
        rows: vec![
            Row::new("a bootable image | mmdebstrap, a root alone", "s", cold, theirs),
            Row::new("only our package changed | mkosi -i, a tar", "s", warm, again),
            Row::new("only our package changed | promised", "s", warm, WARM),
            Row::new("into an image that there is | promised", "s", bake, BAKE),
        ],
        notes: vec![
            "mmdebstrap downloads the packages meanwhile, a few seconds; ours had them".to_owned(),
            "ours makes a bootable image each time, theirs the tar of a root".to_owned(),
            "each was measured once, with the block map and checksums of a raw image".to_owned(),
            format!("load of this machine: {:.1} times what it can do", host::busy()),
        ],
    })
}
