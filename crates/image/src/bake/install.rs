//! Packages into a tree, by dpkg itself, on a part of the tree in a room of its own. Our own are installed by this machine's
//! dpkg; those of the distribution by the tree's, and also those for which a script has to run that came with the tree.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use debian::deb;
use debian::stanza::Stanza;
use disk::tree::{Time, Tree};
use rustix::time::{ClockId, clock_gettime};

use super::changes::Changes;
use super::needs::Needs;
use super::partial::{self, For};
use super::scripts;
use crate::emulator;
use crate::root::enter;
use crate::root::processor::Processor;

const INSTALL: &str = include_str!("install.sh");
/// How lines of dpkg begin that say what it is doing.
const PROGRESS: [&str; 6] =
    ["(Reading database", "Selecting ", "Preparing ", "Unpacking ", "Setting up ", "dpkg: warning"];
/// How often it is tried with more files than before, because a script has read one that was not there.
const TRIES: usize = 4;

/// How packages are installed.
pub(super) enum Kind {
    /// By this machine's dpkg, from outside: scripts must know of another root, as ours do. Nothing of another processor
    /// runs, and it takes half a second.
    Outside,
    /// By the system's own.
    Inside(Inside),
}

/// What is needed for programs of a system to run.
pub(super) struct Inside {
    /// An emulator, where this machine's processor does not run them.
    pub(super) emulator: Option<PathBuf>,
    /// Of each package, whether all before it must be configured first.
    pub(super) first: Vec<bool>,
    /// Patterns of files that scripts leave behind and a machine has to make itself.
    pub(super) remove: Vec<String>,
}

impl Inside {
    /// For packages of a system's processor, in an order in which they can be unpacked.
    pub(super) fn new(architecture: &str, first: Vec<bool>, remove: &[String]) -> Result<Inside> {
        let processor = Processor::find(architecture)?;
        let emulator = match processor == Processor::find_host()? {
            true => None,
            false => Some(emulator(processor).with_context(|| {
                format!("programs for {architecture} cannot run here: apt-get install qemu-user-static")
            })?),
        };
        Ok(Inside { emulator, first, remove: remove.to_vec() })
    }
}

/// Installs packages that know of another root; what they change becomes as old as `epoch`. Files that fit `remove` are
/// for a machine to make.
pub fn install(
    tree: &mut Tree,
    debs: &[PathBuf],
    architecture: &str,
    remove: &[String],
    epoch: i64,
) -> Result<()> {
    let needs = Needs::read(tree, debs, architecture)?;
    let kind = match scripts::run_by(tree, debs, &needs.there)? {
        None => Kind::Outside,
        Some(package) => {
            eprintln!("installing inside of the image, where scripts of its own {package} have to run");
            let first = debs.iter().map(|deb| needs_others_first(deb)).collect::<Result<_>>()?;
            let inside = Inside::new(architecture, first, remove);
            Kind::Inside(
                inside
                    .with_context(|| format!("the image has scripts of {package}, which run in it alone"))?,
            )
        }
    };
    run(tree, debs, architecture, epoch, &kind)
}

fn needs_others_first(deb: &Path) -> Result<bool> {
    let control = deb::control(&fs::read(deb)?).with_context(|| format!("`{}`", deb.display()))?;
    Ok(Stanza(&control).field("Pre-Depends").is_some())
}

/// Installs packages; what they change becomes as old as `epoch`.
pub(super) fn run(
    tree: &mut Tree,
    debs: &[PathBuf],
    architecture: &str,
    epoch: i64,
    kind: &Kind,
) -> Result<()> {
    let debs = debs
        .iter()
        .map(|deb| fs::canonicalize(deb).with_context(|| format!("`{}`: cannot be read", deb.display())))
        .collect::<Result<Vec<_>>>()?;
    let mut needed = BTreeSet::new();
    for _ in 0..TRIES {
        // By the clock of file systems, which stays behind the other by a tick.
        let now = clock_gettime(ClockId::RealtimeCoarse);
        let start = Time { seconds: now.tv_sec, nanoseconds: now.tv_nsec as u32 };
        let (answer, hollow) =
            Run { tree, needed: &needed, architecture, debs: &debs, epoch, kind }.answer()?;
        let [before, after] = &answer.lists;
        let changes = Changes::read(before, after)?;
        let missed = changes.missed(&hollow);
        if missed.is_empty() {
            let touched = Tree::from_partial_tar(answer.touched)?;
            let but = match kind {
                Kind::Outside => &[][..],
                Kind::Inside(inside) => &inside.remove,
            };
            return changes.apply(tree, &touched, but, start, epoch);
        }
        needed.extend(missed);
    }
    let read: Vec<&str> = needed.iter().take(3).map(String::as_str).collect();
    bail!(
        "a package's script reads other files each time, {} among them: leave it out of the image",
        read.join(", ")
    )
}

/// One installation.
struct Run<'a> {
    tree: &'a Tree,
    needed: &'a BTreeSet<String>,
    architecture: &'a str,
    debs: &'a [PathBuf],
    epoch: i64,
    kind: &'a Kind,
}

/// What it has to say.
struct Answer {
    lists: [Vec<u8>; 2],
    touched: Arc<File>,
}

impl Run<'_> {
    fn answer(&self) -> Result<(Answer, BTreeSet<String>)> {
        let (words, emulator) = self.words()?;
        let enter::Room { mut child, input, answer: said } = enter::start(&words, emulator, Stdio::piped())?;
        let input = BufWriter::with_capacity(1 << 20, input);
        let mut complaints = child.stderr.take().context("a child without complaints")?;
        let (written, answer, complaint) = std::thread::scope(|scope| {
            let complaint = scope.spawn(move || {
                let mut text = Vec::new();
                let _ = complaints.read_to_end(&mut text);
                text
            });
            let answer = scope.spawn(move || Answer::read(said));
            let written = self.give(input);
            let answer = answer.join().expect("reading does not panic");
            (written, answer, complaint.join().expect("reading does not panic"))
        });
        let status = child.wait()?;
        if !status.success() {
            let complaint = String::from_utf8_lossy(&complaint);
            bail!("the packages were not installed: {}", reason(&complaint));
        }
        Ok((answer?, written?))
    }

    /// Writes packages and the part of the tree; the paths of files that are not really there.
    fn give(&self, input: impl Write) -> Result<BTreeSet<String>> {
        let mut tar = tar::Builder::new(input);
        enter::put_packages(&mut tar, self.debs)?;
        let own = self.debs.iter().map(|deb| {
            let control = deb::control(&fs::read(deb)?)?;
            Ok(Stanza(&control).field("Package").unwrap_or_default().to_owned())
        });
        let own = own.collect::<Result<Vec<_>>>()?;
        let whom = match self.kind {
            Kind::Outside => For::Dpkg(self.architecture, &own),
            Kind::Inside(_) => For::Itself,
        };
        let hollow = partial::write(self.tree, self.needed, whom, &mut tar)?;
        tar.into_inner()?.flush()?;
        Ok(hollow)
    }

    /// What runs in the room, and an emulator for it.
    fn words(&self) -> Result<(Vec<OsString>, Option<&Path>)> {
        let mut words: Vec<OsString> = ["sh", "-c", INSTALL, "install"].map(OsString::from).into();
        words.push(self.epoch.to_string().into());
        let names = enter::names(self.debs).into_iter().map(OsString::from);
        let Kind::Inside(inside) = self.kind else {
            words.extend(["outside".into(), OsString::new()]);
            words.extend(names);
            return Ok((words, None));
        };
        let processor = Processor::find(self.architecture)?;
        let line = inside.emulator.as_ref().map(|_| processor.registration(Path::new(enter::EMULATOR)));
        words.extend(["inside".into(), line.unwrap_or_default()]);
        for (name, first) in names.zip(&inside.first) {
            words.extend(first.then(|| "configure".into()));
            words.push(name);
        }
        Ok((words, inside.emulator.as_deref()))
    }
}

impl Answer {
    fn read(mut said: impl BufRead) -> Result<Answer> {
        let mut lists = [Vec::new(), Vec::new()];
        for list in &mut lists {
            let length = length(&mut said)?;
            said.by_ref().take(length).read_to_end(list)?;
        }
        let length = length(&mut said)?;
        let mut touched = nameless()?;
        let read = std::io::copy(&mut said.take(length), &mut touched)?;
        ensure!(read == length, "the answer is cut short");
        touched.seek(SeekFrom::Start(0))?;
        Ok(Answer { lists, touched: Arc::new(touched) })
    }
}

fn length(said: &mut impl BufRead) -> Result<u64> {
    let mut line = String::new();
    said.read_line(&mut line)?;
    line.trim().parse().context("the answer is cut short")
}

/// What dpkg says last is that it has failed; why, it has said before.
fn reason(complaint: &str) -> String {
    let progress = |line: &str| PROGRESS.iter().any(|word| line.starts_with(word));
    let lines: Vec<&str> =
        complaint.lines().map(str::trim).filter(|line| !line.is_empty() && !progress(line)).collect();
    // A script's own words come before dpkg's.
    let why = lines.iter().position(|line| line.contains("error") || line.contains("not found"));
    let from = why.unwrap_or(lines.len().saturating_sub(3)).saturating_sub(1);
    lines[from..lines.len().min(from + 3)].join(": ")
}

/// A file that has no name any more, and is gone when nobody reads it.
fn nameless() -> Result<File> {
    let name = format!("bake-{}-{:?}.tar", std::process::id(), std::thread::current().id());
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).collect();
    let path = std::env::temp_dir().join(name);
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}
