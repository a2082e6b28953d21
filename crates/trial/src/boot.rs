//! The boot test of a finished image: takes an image, looks at it (`check.rs`), and boots a copy of it in a virtual machine
//! with its own kernel and initramfs, until what is asked inside has been answered. The image itself is only read.

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

/// From the start of the machine to its last answer. A quiet host needs a tenth of it; one that compiles beside this, or a
/// board that is emulated with its card slot, several times as much.
const BOUND: Duration = Duration::from_secs(600);

/// Since when units come by a kernel's command line.
const OLDEST_MANAGER: u32 = 256;

/// A card that is ready to be put into a machine, with what will be asked there.
#[derive(Debug)]
pub struct Trial {
    board: Board,
    model: Model,
    copy: Copy,
    /// Words that the questions need, for the kernel.
    words: String,
    command_line: String,
    bundle: Bundle,
    folder: PathBuf,
}

/// What an image is tested as.
#[derive(Debug)]
pub struct Options {
    /// What it is for; known from its name if it was made here.
    pub board: Option<String>,
    /// Products that it shall hold, which bring their own questions.
    pub products: Vec<String>,
    /// A package to upgrade to.
    pub next: Option<PathBuf>,
    /// On the board that it is for, as far as the emulator has it, and not on the quickest machine.
    pub on_board: bool,
}

/// Checks and boots an image; what is wrong with it is in the report.
pub fn test(workspace: &Workspace, image: &Path, options: &Options) -> Result<Report> {
    Trial::prepare(workspace, image, options)?.run(Phase::Boot)
}

impl Trial {
    /// Looks at an image, and makes a card of it with the questions on it.
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

    /// Boots the card and waits for every answer.
    pub fn run(&self, phase: Phase) -> Result<Report> {
        let probes = self.bundle.probes(phase);
        let begin = Instant::now();
        // A host that is far too busy answers nothing better by being waited for longer.
        let bound = BOUND.mul_f64(testbed::host::busy().min(3.0));
        let mut emulator = self.start(phase)?;
        let mut answers: Vec<Answer> = Vec::new();
        loop {
            match emulator.next(begin + bound) {
                Event::Console(line) => {
                    if let Some(end) = report::dead_end(&line) {
                        bail!("{end}: the console's last lines:\n{}", emulator.tail());
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
                        "the machine ended before its last answer: the console's last lines:\n{}",
                        emulator.tail()
                    );
                }
                Event::OutOfTime => bail!(
                    "no further answer within {} s: the console's last lines:\n{}",
                    bound.as_secs(),
                    emulator.tail()
                ),
            }
        }
        emulator.kill();
        Ok(Report::new(&self.board.name, &self.model.name, begin.elapsed(), &probes, answers))
    }

    /// Switches the machine on, for whoever wants to see what happens.
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

    /// The card, for whoever wants to put something on it.
    pub fn card(&self) -> &Path {
        self.copy.card()
    }
}

/// Without it the machine would run, and never answer.
fn has_extra_units(card: &Card) -> Result<()> {
    let status = card.root()?.read("/var/lib/dpkg/status")?.unwrap_or_default();
    let status = String::from_utf8_lossy(&status).into_owned();
    let stanza = status.split("\n\n").find(|stanza| stanza.lines().any(|line| line == "Package: systemd"));
    let version = stanza.and_then(|stanza| stanza.lines().find_map(|line| line.strip_prefix("Version: ")));
    let version = version.context("the image has no systemd: it cannot be tested")?;
    let number =
        version.split(|c: char| !c.is_ascii_digit()).next().and_then(|number| number.parse::<u32>().ok());
    ensure!(
        number.is_some_and(|number| number >= OLDEST_MANAGER),
        "the image has systemd {version}: only {OLDEST_MANAGER} and younger ones take a unit from the kernel's command \
         line: test it on the board"
    );
    Ok(())
}

/// Words for the kernel: where messages go, and the unit that asks.
fn words(model: &Model, bundle: &Bundle) -> String {
    let mut words = vec![format!("console={}", model.console)];
    words.extend(model.command_line.iter().cloned());
    // A kernel that gives up ends the machine instead of standing still.
    words.extend(
        // A disk of an emulated board may take minutes to appear, which is nobody's fault.
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

/// The image's own words, but for where messages go, and those.
fn command_line(start: &Start, words: &str) -> Result<String> {
    /// What a kernel has room for, with the zero at its end.
    const MOST: usize = 2048;
    let own = start.command_line.split_whitespace().filter(|word| !word.starts_with("console="));
    let line = own.chain([words]).collect::<Vec<_>>().join(" ");
    // With room for the word that says which questions are asked.
    ensure!(
        line.len() + 32 < MOST,
        "the kernel's command line would have {} characters, and has room for {MOST}",
        line.len()
    );
    Ok(line)
}

/// Kernel, initramfs and device tree, where the emulator takes them from.
fn take_out(volume: &Volume<'_>, start: &Start, model: &Model, folder: &Path) -> Result<()> {
    fs::write(folder.join("kernel"), unpack::kernel(volume.read(&start.kernel)?)?)?;
    fs::write(folder.join("initramfs"), volume.read(&start.initramfs)?)?;
    if let Some(name) = &model.device_tree {
        fs::write(folder.join("device-tree"), volume.read(name)?)?;
    }
    Ok(())
}
