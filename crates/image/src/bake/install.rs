//! Installs packages into a tree with dpkg, in a sandbox that holds part of the tree. The host's dpkg
//! installs our own packages. The tree's dpkg installs those of the distribution, and any package that
//! triggers a script from the tree.

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
/// Prefixes of dpkg's progress lines.
const PROGRESS: [&str; 6] =
    ["(Reading database", "Selecting ", "Preparing ", "Unpacking ", "Setting up ", "dpkg: warning"];
/// Number of attempts. A script that reads a hollow file is repeated with that file present.
const TRIES: usize = 4;

/// How to install packages.
pub(super) enum Kind {
    /// With the host's dpkg, from outside: the scripts must support another root, as ours do. No program of
    /// another processor runs, and it takes half a second.
    Outside,
    /// With the dpkg of the system itself.
    Inside(Inside),
}

/// Requirements for running a system's own programs.
pub(super) struct Inside {
    /// An emulator, if the host cannot run them.
    pub(super) emulator: Option<PathBuf>,
    /// For each package, whether all packages before it must be configured first.
    pub(super) first: Vec<bool>,
    /// Patterns of files that scripts create but each machine must create itself.
    pub(super) remove: Vec<String>,
}

impl Inside {
    /// Prepares the installation of packages, sorted in unpacking order.
    pub(super) fn new(architecture: &str, first: Vec<bool>, remove: &[String]) -> Result<Inside> {
        let processor = Processor::find(architecture)?;
        let emulator = match processor == Processor::find_host()? {
            true => None,
            false => Some(emulator(processor).with_context(|| {
                format!("cannot run programs for {architecture} here: apt-get install qemu-user-static")
            })?),
        };
        Ok(Inside { emulator, first, remove: remove.to_vec() })
    }
}

/// Installs packages whose scripts support another root; changed files get the time `epoch`. Files that match
/// `remove` are left out, because each machine must create them.
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
            eprintln!("installing inside the image, because scripts of its package {package} have to run");
            let first = debs.iter().map(|deb| needs_others_first(deb)).collect::<Result<_>>()?;
            let inside = Inside::new(architecture, first, remove);
            Kind::Inside(inside.with_context(|| {
                format!("scripts of the image's package {package} have to run inside the image")
            })?)
        }
    };
    run(tree, debs, architecture, epoch, &kind)
}

fn needs_others_first(deb: &Path) -> Result<bool> {
    let control = deb::control(&fs::read(deb)?).with_context(|| format!("`{}`", deb.display()))?;
    Ok(Stanza(&control).field("Pre-Depends").is_some())
}

/// Installs packages; changed files get the time `epoch`.
pub(super) fn run(
    tree: &mut Tree,
    debs: &[PathBuf],
    architecture: &str,
    epoch: i64,
    kind: &Kind,
) -> Result<()> {
    let debs = debs
        .iter()
        .map(|deb| fs::canonicalize(deb).with_context(|| format!("cannot read `{}`", deb.display())))
        .collect::<Result<Vec<_>>>()?;
    let mut needed = BTreeSet::new();
    for _ in 0..TRIES {
        // File systems use the coarse clock, which lags behind the precise one by up to a tick.
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
        "a package's script reads different files on every attempt, such as {}: leave the package out of the image",
        read.join(", ")
    )
}

struct Run<'a> {
    tree: &'a Tree,
    needed: &'a BTreeSet<String>,
    architecture: &'a str,
    debs: &'a [PathBuf],
    epoch: i64,
    kind: &'a Kind,
}

/// File lists and other results from the sandbox.
struct Answer {
    lists: [Vec<u8>; 2],
    touched: Arc<File>,
}

impl Run<'_> {
    fn answer(&self) -> Result<(Answer, BTreeSet<String>)> {
        let (words, emulator) = self.words()?;
        let enter::Room { mut child, input, answer: output } =
            enter::start(&words, emulator, Stdio::piped())?;
        let input = BufWriter::with_capacity(1 << 20, input);
        let mut complaints = child.stderr.take().context("no pipe for the stderr of the child")?;
        let (written, answer, complaint) = std::thread::scope(|scope| {
            let complaint = scope.spawn(move || {
                let mut text = Vec::new();
                let _ = complaints.read_to_end(&mut text);
                text
            });
            let answer = scope.spawn(move || Answer::read(output));
            let written = self.give(input);
            let answer = answer.join().expect("reading does not panic");
            (written, answer, complaint.join().expect("reading does not panic"))
        });
        let status = child.wait()?;
        if !status.success() {
            let complaint = String::from_utf8_lossy(&complaint);
            bail!("cannot install the packages: {}", reason(&complaint));
        }
        Ok((answer?, written?))
    }

    /// Writes the packages and the partial tree. Returns the paths of the hollow files.
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

    /// Returns the command to run in the sandbox, and its emulator.
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
    fn read(mut output: impl BufRead) -> Result<Answer> {
        let mut lists = [Vec::new(), Vec::new()];
        for list in &mut lists {
            let length = length(&mut output)?;
            output.by_ref().take(length).read_to_end(list)?;
        }
        let length = length(&mut output)?;
        let mut touched = nameless()?;
        let read = std::io::copy(&mut output.take(length), &mut touched)?;
        ensure!(read == length, "the sandbox's output is truncated");
        touched.seek(SeekFrom::Start(0))?;
        Ok(Answer { lists, touched: Arc::new(touched) })
    }
}

fn length(output: &mut impl BufRead) -> Result<u64> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    line.trim().parse().context("the sandbox's output is truncated")
}

/// dpkg's last line only says that it failed; the reason comes earlier.
fn reason(complaint: &str) -> String {
    let progress = |line: &str| PROGRESS.iter().any(|word| line.starts_with(word));
    let lines: Vec<&str> =
        complaint.lines().map(str::trim).filter(|line| !line.is_empty() && !progress(line)).collect();
    // A script's own messages come before dpkg's.
    let why = lines.iter().position(|line| line.contains("error") || line.contains("not found"));
    let from = why.unwrap_or(lines.len().saturating_sub(3)).saturating_sub(1);
    lines[from..lines.len().min(from + 3)].join(": ")
}

/// Creates a temporary file without a name, which disappears when it is closed.
fn nameless() -> Result<File> {
    let name = format!("bake-{}-{:?}.tar", std::process::id(), std::thread::current().id());
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).collect();
    let path = std::env::temp_dir().join(name);
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}
