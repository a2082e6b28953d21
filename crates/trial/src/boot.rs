//! Boot test of a finished image: checks the image (`check.rs`) and boots a copy of it in a virtual machine
//! with its own kernel and initramfs, until all probes have been answered. The image is only read.

pub mod bundle;
pub mod copy;
pub mod data;
pub mod emulator;
mod inject;
pub mod report;
mod unpack;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use workspace::Workspace;

use self::bundle::Bundle;
pub use self::bundle::Phase;
use self::copy::Copy;
use self::data::{Board, Model};
use self::emulator::{Emulator, Event, Place};
use self::report::{Answer, Report};
use super::card::Card;
use super::card::start::Start;
use super::card::volume::Volume;
use super::check;

/// Time limit from power-on to the last answer. An idle host needs a tenth of it. A busy host, or a board
/// that is emulated with its card slot, needs several times as much.
const BOUND: Duration = Duration::from_secs(600);

/// First version of systemd that takes units from the kernel command line.
const OLDEST_MANAGER: u32 = 256;

/// A card ready to boot, with its probes.
#[derive(Debug)]
pub struct Trial {
    board: Board,
    model: Model,
    copy: Copy,
    /// Kernel parameters for the test.
    words: String,
    command_line: String,
    bundle: Bundle,
    folder: PathBuf,
}

/// Options of a boot test.
#[derive(Debug)]
pub struct Options {
    /// Name of the board; by default taken from the name of the image.
    pub board: Option<String>,
    /// Products in the image whose probes to run.
    pub products: Vec<String>,
    /// A package to upgrade to.
    pub next: Option<PathBuf>,
    /// Whether to boot the emulator's model of the board instead of the fastest machine.
    pub on_board: bool,
}

/// Checks and boots an image; the report contains the failures.
pub fn test(workspace: &Workspace, image: &Path, options: &Options) -> Result<Report> {
    Trial::prepare(workspace, image, options)?.run(Phase::Boot)
}

impl Trial {
    /// Checks an image and creates a card with the probes.
    pub fn prepare(workspace: &Workspace, image: &Path, options: &Options) -> Result<Trial> {
        let products = data::products(workspace, image, &options.products)?;
        let board = Board::read(workspace, &data::board_name(workspace, image, options.board.as_deref())?)?;
        let model = board.model(workspace, options.on_board)?;
        model.is_there()?;
        let raw = unpack::raw(&workspace.target_dir().join("boot-test"), image)?;
        let card = Card::open(&raw.path())?;
        check::check(&card, &board.needs()?)?;
        has_extra_units(&card)?;
        let bundle = Bundle::read(workspace, &products, &model)?;
        let copy = Copy::make(&card, &workspace.target_dir().join("boot-test"))?;
        let mut files = bundle.custom.iter().map(|text| ("custom.toml", text.clone())).collect::<Vec<_>>();
        files.push(("boot-test.tar", bundle.archive(&model, options.next.as_deref())?));
        inject::put(copy.card(), &files)?;
        let volume = card.boot()?;
        let start = Start::read(&volume)?;
        let words = words(&model, &bundle);
        let command_line = command_line(&start, &words)?;
        let folder = copy.folder().to_owned();
        take_out(&volume, &start, &model, &folder)?;
        Ok(Trial { board, model, copy, words, command_line, bundle, folder })
    }

    /// Boots the card and waits for all answers.
    pub fn run(&self, phase: Phase) -> Result<Report> {
        let probes = self.bundle.probes(phase);
        let begin = Instant::now();
        // On a host that is even busier, waiting longer does not help.
        let bound = BOUND.mul_f64(testbed::host::busy().min(3.0));
        let mut emulator = self.start(phase)?;
        let mut answers: Vec<Answer> = Vec::new();
        loop {
            match emulator.next(begin + bound) {
                Event::Console(line) => {
                    if let Some(end) = report::dead_end(&line) {
                        bail!("{end}: last console lines:\n{}", emulator.tail());
                    }
                }
                Event::Report(line) => match report::line(&line)? {
                    Some(answer) => {
                        eprintln!("{:7.1} s  {}", begin.elapsed().as_secs_f64(), answer.summary(&probes));
                        answers.push(answer);
                    }
                    None => break,
                },
                Event::Ended => {
                    bail!(
                        "the machine ended before its last answer: last console lines:\n{}",
                        emulator.tail()
                    );
                }
                Event::OutOfTime => bail!(
                    "no further answer within {} s: last console lines:\n{}",
                    bound.as_secs(),
                    emulator.tail()
                ),
            }
        }
        emulator.kill();
        Ok(Report::new(&self.board.name, &self.model.name, begin.elapsed(), &probes, answers))
    }

    /// Starts the machine and returns its events.
    pub fn start(&self, phase: Phase) -> Result<Emulator> {
        let with_phase = |words: &str| format!("{words} {}", phase.word());
        let (words, command_line) = (with_phase(&self.words), with_phase(&self.command_line));
        let place = Place {
            card: self.copy.card(),
            kernel: &self.folder.join("kernel"),
            initramfs: &self.folder.join("initramfs"),
            device_tree: &self.folder.join("device-tree"),
            report: &self.folder.join("report"),
            words: &words,
            command_line: &command_line,
        };
        Emulator::start(&self.model, &place)
    }

    /// Returns the path of the card.
    pub fn card(&self) -> &Path {
        self.copy.card()
    }
}

/// An older systemd would boot but never run the probes.
fn has_extra_units(card: &Card) -> Result<()> {
    let status = card.root()?.read("/var/lib/dpkg/status")?.unwrap_or_default();
    let status = String::from_utf8_lossy(&status).into_owned();
    let stanza = status.split("\n\n").find(|stanza| stanza.lines().any(|line| line == "Package: systemd"));
    let version = stanza.and_then(|stanza| stanza.lines().find_map(|line| line.strip_prefix("Version: ")));
    let version = version.context("the image has no systemd, so it cannot be tested")?;
    let number =
        version.split(|c: char| !c.is_ascii_digit()).next().and_then(|number| number.parse::<u32>().ok());
    ensure!(
        number.is_some_and(|number| number >= OLDEST_MANAGER),
        "the image has systemd {version}: {OLDEST_MANAGER} or later is required to take a unit from the kernel command \
         line: test it on the board"
    );
    Ok(())
}

/// Returns the kernel parameters for the consoles and the unit.
fn words(model: &Model, bundle: &Bundle) -> String {
    let mut words = vec![format!("console={}", model.console)];
    words.extend(model.command_line.iter().cloned());
    // Makes a kernel panic end the machine.
    words.extend(
        // The disk of an emulated board may take minutes to appear.
        [
            "panic=-1",
            "loglevel=4",
            "systemd.show_status=1",
            "systemd.log_color=0",
            "systemd.default_device_timeout_sec=900",
        ]
        .map(str::to_owned),
    );
    words.extend(bundle.unit_words());
    words.join(" ")
}

/// Returns the image's own parameters without its consoles, followed by `words`.
fn command_line(start: &Start, words: &str) -> Result<String> {
    /// The kernel's limit, including the terminating zero.
    const MOST: usize = 2048;
    let own = start.command_line.split_whitespace().filter(|word| !word.starts_with("console="));
    let line = own.chain([words]).collect::<Vec<_>>().join(" ");
    // Leaves space for the parameter that selects the phase.
    ensure!(
        line.len() + 32 < MOST,
        "the kernel command line would have {} characters, but the limit is {MOST}",
        line.len()
    );
    Ok(line)
}

/// Extracts kernel, initramfs and device tree to where the emulator loads them.
fn take_out(volume: &Volume<'_>, start: &Start, model: &Model, folder: &Path) -> Result<()> {
    fs::write(folder.join("kernel"), unpack::kernel(volume.read(&start.kernel)?)?)?;
    fs::write(folder.join("initramfs"), volume.read(&start.initramfs)?)?;
    if let Some(name) = &model.device_tree {
        fs::write(folder.join("device-tree"), volume.read(name)?)?;
    }
    Ok(())
}
