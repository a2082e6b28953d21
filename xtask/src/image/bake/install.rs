//! Packages into a tree, by dpkg itself, on a part of the tree in a namespace, where nothing of this machine is changed.
//! Our own are installed by this machine's dpkg; those of the distribution by the tree's.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use rustix::time::{ClockId, clock_gettime};

use super::changes::Changes;
use super::partial::{self, For};
use crate::image::root::enter;
use crate::image::tree::{Time, Tree};

const ENTER: &str = include_str!("enter.sh");
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
    /// The kernel's line for an emulator, where this machine's processor does not run them.
    pub(super) emulator: Option<OsString>,
    /// Of each package, whether all before it must be configured first.
    pub(super) first: Vec<bool>,
    /// Patterns of files that scripts leave behind and a machine has to make itself.
    pub(super) remove: Vec<String>,
}

/// Installs packages that know of another root; what they change becomes as old as `epoch`.
pub fn install(tree: &mut Tree, debs: &[PathBuf], architecture: &str, epoch: i64) -> Result<()> {
    run(tree, debs, architecture, epoch, &Kind::Outside)
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
        let folder = Folder::new()?;
        let mut child = self.start(&folder.0)?;
        let mut said = BufReader::new(child.stdout.take().context("a child without output")?);
        let mut ready = String::new();
        said.read_line(&mut ready)?;
        ensure!(
            ready == "ready\n",
            "no user namespace can be made: the kernel or a sysctl forbids it: as root run \
             `sysctl -w user.max_user_namespaces=10000`, in a container allow `unshare`"
        );
        enter::give_identities(child.id())?;
        let mut input =
            BufWriter::with_capacity(1 << 20, child.stdin.take().context("a child without input")?);
        let mut complaints = child.stderr.take().context("a child without complaints")?;
        let (written, answer, complaint) = std::thread::scope(|scope| {
            let complaint = scope.spawn(move || {
                let mut text = Vec::new();
                let _ = complaints.read_to_end(&mut text);
                text
            });
            let answer = scope.spawn(move || Answer::read(said));
            let written = input
                .write_all(b"go\n")
                .map_err(Into::into)
                .and_then(|()| partial::write(self.tree, self.needed, self.whom(), input));
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

    fn whom(&self) -> For<'_> {
        match self.kind {
            Kind::Outside => For::Dpkg(self.architecture),
            Kind::Inside(_) => For::Itself,
        }
    }

    fn start(&self, folder: &Path) -> Result<Child> {
        let mut command = Command::new("unshare");
        command.args(["--user", "--", "sh", "-c", ENTER, "enter", "sh", "-c", INSTALL, "install"]);
        command.arg(folder).arg(self.epoch.to_string());
        match self.kind {
            Kind::Outside => command.args(["outside", ""]).args(self.debs),
            Kind::Inside(inside) => {
                command.arg("inside").arg(inside.emulator.as_deref().unwrap_or_default());
                for (deb, first) in self.debs.iter().zip(&inside.first) {
                    command.args(first.then_some("configure")).arg(deb);
                }
                &mut command
            }
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().context("`unshare` does not start: apt-get install util-linux")
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

/// A folder that is gone with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder> {
        let name = format!("bake-{}-{:?}", std::process::id(), std::thread::current().id());
        let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir(&path);
        fs::create_dir(&path).with_context(|| format!("`{}`: cannot be made", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// A file that has no name any more, and is gone when nobody reads it.
fn nameless() -> Result<File> {
    let folder = Folder::new()?;
    let path = folder.0.with_extension("tar");
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}
