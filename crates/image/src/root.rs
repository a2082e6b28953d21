//! The base root: takes the files of locked packages, makes one tar of a configured system that is the same on every
//! day. The distribution's own scripts and dpkg configure it, in a user namespace; only unpacking is ours.

mod chroot;
mod database;
mod deb;
mod devicetree;
pub mod enter;
pub(super) mod initramfs;
pub(crate) mod processor;
mod tarball;

use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use common::glob::matches;
use common::parallel;
use serde::{Deserialize, Serialize};

use self::chroot::Chroot;
use self::database::Entry;
use self::deb::Unpacked;
use self::enter::{EMULATOR, IMAGE, PACKAGES, Room, WORK};
use self::processor::Processor;
use super::board::Initramfs;
use super::pattern::Filter;

/// What a root is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Debian's name of the processor.
    pub architecture: String,
    /// Nothing in the root is younger.
    pub epoch: u64,
    /// Packages in an order in which they can be installed.
    pub packages: Vec<PathBuf>,
    /// Packages with programs for this machine; none where the root's own run here.
    pub stand_ins: Vec<PathBuf>,
    /// Programs of those that lie over the root's own.
    pub interpreters: Vec<String>,
    /// Programs of those that are not used.
    pub never: Vec<String>,
    /// Programs that answer yes.
    pub answer_yes: Vec<String>,
    /// Programs that lie over the root's own while its initramfs is made.
    pub for_initramfs: Vec<String>,
    /// What runs the root's own programs, where this machine's processor does not.
    pub emulator: Option<PathBuf>,
    /// Configuration.
    pub files: Vec<Written>,
    /// Paths of packages that are left out.
    pub leave_out: Vec<String>,
    /// What is kept of those.
    pub keep: Vec<String>,
    /// Units to enable.
    pub enable: Vec<String>,
    /// Paths to remove at the end.
    pub remove: Vec<String>,
    /// Packages that nobody asked for by name.
    pub automatic: Vec<String>,
    /// What the initramfs needs.
    pub initramfs: Initramfs,
}

/// A file of configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Written {
    /// Where, from the root.
    pub path: String,
    /// Its permissions.
    pub mode: u32,
    /// What is in it, or where it leads.
    pub content: Content,
}

/// What a file of configuration is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Text.
    Text(String),
    /// A symbolic link.
    Link(PathBuf),
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Made {
    /// What took how many seconds.
    pub steps: Vec<(String, f64)>,
    /// The kernel's version.
    pub kernel: String,
    /// Modules that the initramfs was asked to have.
    pub modules: Vec<String>,
}

/// The program that makes a root, and its plan, in a room.
const PROGRAM: &str = "/work/xtask";
const PLAN: &str = "/work/plan.json";

/// Makes a root by a plan, in a room, as a tar.
pub fn make(plan: &Plan, out: &Path) -> Result<Made> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let words = [PROGRAM, "inside", PLAN];
    let room = enter::start(&words, plan.emulator.as_deref(), Stdio::piped())?;
    let Room { mut child, input, answer } = room;
    let errors = child.stderr.take().context("a child without errors")?;
    let (given, report, last) = thread::scope(|scope| {
        let last = scope.spawn(|| pass_on(errors));
        let given = scope.spawn(|| give(plan, &program, BufWriter::with_capacity(1 << 20, input)));
        let report = take(answer, out).with_context(|| format!("`{}`: cannot be written", out.display()));
        let given = given.join().expect("writing does not panic");
        (given, report, last.join().expect("reading does not panic"))
    });
    let status = child.wait()?;
    let Some(report) = report? else { bail!("the root cannot be made: {last} ({status})") };
    let made: Result<Made, String> =
        serde_json::from_str(&report).context("the root's maker said something else")?;
    let made = made.map_err(|error| anyhow!("the root cannot be made: {error}"))?;
    given?;
    ensure!(status.success(), "what makes roots was ended: {status}");
    Ok(made)
}

/// Shows what takes how long as it goes; the last line, for an error, says why.
fn pass_on(errors: impl Read) -> String {
    let mut last = String::new();
    for line in BufReader::new(errors).lines().map_while(Result::ok) {
        eprintln!("{line}");
        last = line;
    }
    last
}

/// Takes what comes out of a room: a line about it, if it came so far, and the tar.
fn take(mut answer: impl BufRead, out: &Path) -> io::Result<Option<String>> {
    let mut report = String::new();
    if answer.read_line(&mut report)? == 0 {
        return Ok(None);
    }
    io::copy(&mut answer, &mut File::create(out)?)?;
    Ok(Some(report))
}

/// Writes what a room has to have: this program, the plan, the packages.
fn give(plan: &Plan, program: &Path, input: impl Write) -> Result<()> {
    let mut tar = tar::Builder::new(input);
    enter::put_file(&mut tar, PROGRAM, 0o755, program)?;
    let both = [&plan.packages[..], &plan.stand_ins].concat();
    let mut names = enter::names(&both).into_iter().map(|name| Path::new(PACKAGES).join(name));
    let there = Plan {
        packages: names.by_ref().take(plan.packages.len()).collect(),
        stand_ins: names.collect(),
        emulator: plan.emulator.as_ref().map(|_| EMULATOR.into()),
        ..plan.clone()
    };
    enter::put(&mut tar, PLAN, 0o644, &serde_json::to_vec(&there)?)?;
    enter::put_packages(&mut tar, &both)?;
    Ok(tar.into_inner()?.flush()?)
}

/// The part of it that runs in the room: prints what came of it, an error too, for who started it to say it once; then
/// the tar.
pub fn inside(plan: &Path) -> Result<()> {
    let plan: Plan = serde_json::from_slice(&fs::read(plan)?)?;
    let made = Maker::new(&plan).and_then(Maker::make).map_err(|error| format!("{error:#}"));
    println!("{}", serde_json::to_string(&made)?);
    if made.is_ok() {
        tarball::write(Path::new(IMAGE), plan.epoch, BufWriter::with_capacity(1 << 20, io::stdout()))?;
    }
    Ok(())
}

struct Maker<'a> {
    plan: &'a Plan,
    root: &'static Path,
    begun: Instant,
    steps: Vec<(String, f64)>,
}

impl<'a> Maker<'a> {
    fn new(plan: &'a Plan) -> Result<Self> {
        let root = Path::new(IMAGE);
        fs::set_permissions(root, Permissions::from_mode(0o755))?;
        Ok(Self { plan, root, begun: Instant::now(), steps: Vec::new() })
    }

    fn make(mut self) -> Result<Made> {
        let (plan, root, work) = (self.plan, self.root, Path::new(WORK));
        let processor = Processor::find(&plan.architecture)?;
        let filter = Filter { leave_out: &plan.leave_out, keep: &plan.keep };
        let packages = unpack_all(&plan.packages, root, processor, &filter)?;
        let entries = database::write(root, &packages)?;
        database::automatic(root, &plan.architecture, &plan.automatic)?;
        plan.files.iter().try_for_each(|file| write(root, file))?;
        self.lap("unpack");
        let stand_ins = work.join("stand-ins");
        let foreign = processor != Processor::find_host()?;
        if foreign {
            chroot::emulate(processor, plan.emulator.as_deref(), &work.join("binfmt"))?;
            fs::create_dir(&stand_ins)?;
            unpack_all(&plan.stand_ins, &stand_ins, Processor::find_host()?, &Filter::default())?;
            self.lap("stand-ins");
        }
        let log = work.join("log");
        let log = File::options().read(true).append(true).create(true).open(log)?;
        let mut chroot = Chroot::enter(root, foreign.then_some(stand_ins.as_path()), plan, log)?;
        configure(&mut chroot, root, &entries)?;
        for unit in &plan.enable {
            chroot.run(&["systemctl", "enable", unit], &[])?;
        }
        self.lap("configure");
        let modules = initramfs::make(&mut chroot, root, plan, work)?;
        self.lap("initramfs");
        chroot.leave()?;
        let unfinished: Vec<String> = database::states(root)?
            .into_iter()
            .filter(|(_, state)| state != "install ok installed")
            .map(|(name, state)| format!("{name} ({state})"))
            .collect();
        if !unfinished.is_empty() {
            bail!("packages are not installed: {}", unfinished.join(", "));
        }
        plan.remove.iter().try_for_each(|pattern| remove(root, pattern))?;
        // Once more: some scripts write what must be as it was given, such as the machine's identity.
        plan.files.iter().try_for_each(|file| write(root, file))?;
        self.lap("finish");
        Ok(Made { steps: self.steps, kernel: initramfs::kernel(root)?, modules })
    }

    fn lap(&mut self, what: &str) {
        let seconds = self.begun.elapsed().as_secs_f64();
        eprintln!("{what}: {seconds:.1} s");
        self.steps.push((what.to_owned(), seconds));
        self.begun = Instant::now();
    }
}

/// What dpkg does with unpacked packages: first all that every system has, which the others' scripts count on.
fn configure(chroot: &mut Chroot<'_>, root: &Path, entries: &[Entry]) -> Result<()> {
    // Packages are in an order in which those come first, with all that they need.
    let first = entries.iter().rposition(|entry| entry.essential).map_or(0, |last| last + 1);
    let dpkg = ["dpkg", "--force-confdef", "--force-unsafe-io", "--configure"];
    let (essential, others) = entries.split_at(first);
    before_unpacking(chroot, root, essential)?;
    let names: Vec<&str> =
        dpkg.into_iter().chain(essential.iter().map(|entry| entry.prefix.as_str())).collect();
    chroot.run(&names, &[])?;
    before_unpacking(chroot, root, others)?;
    chroot.run(&[&dpkg[..], &["--pending"]].concat(), &[])
}

/// Runs the scripts that come before a package is unpacked, where dpkg has them then: debconf goes by the place.
fn before_unpacking(chroot: &mut Chroot<'_>, root: &Path, entries: &[Entry]) -> Result<()> {
    let folder = root.join("var/lib/dpkg/tmp.ci");
    for entry in entries.iter().filter(|entry| entry.preinst) {
        fs::create_dir(&folder)?;
        fs::write(folder.join("control"), &entry.control)?;
        for kind in &entry.kinds {
            fs::copy(root.join(format!("var/lib/dpkg/info/{}.{kind}", entry.prefix)), folder.join(kind))?;
        }
        let environment = [
            ("DPKG_MAINTSCRIPT_PACKAGE", entry.name.as_str()),
            ("DPKG_MAINTSCRIPT_NAME", "preinst"),
            ("DPKG_MAINTSCRIPT_ARCH", entry.architecture.as_str()),
            ("DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT", "1"),
            ("DPKG_ADMINDIR", "/var/lib/dpkg"),
            ("DPKG_ROOT", ""),
        ];
        let ran = chroot.run(&["/var/lib/dpkg/tmp.ci/preinst", "install"], &environment);
        ran.with_context(|| format!("package {}", entry.name))?;
        fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// Unpacks packages side by side, the largest first; in the given order again.
fn unpack_all(
    packages: &[PathBuf],
    root: &Path,
    processor: Processor,
    filter: &Filter<'_>,
) -> Result<Vec<Unpacked>> {
    // Since Debian 12 everything is in /usr, and these are links.
    for name in ["bin", "lib", "sbin"].into_iter().chain((processor.deb == "amd64").then_some("lib64")) {
        fs::create_dir_all(root.join("usr").join(name))?;
        symlink(format!("usr/{name}"), root.join(name))?;
    }
    let mut order: Vec<usize> = (0..packages.len()).collect();
    order
        .sort_by_key(|i| std::cmp::Reverse(fs::metadata(&packages[*i]).map(|m| m.len()).unwrap_or_default()));
    // The largest first: the last one to end should be a short one.
    let unpacked = parallel::each(&order, |at| {
        let package = &packages[*at];
        deb::unpack(package, root, filter).with_context(|| format!("`{}`", package.display()))
    })?;
    let mut unpacked: Vec<(usize, Unpacked)> = order.into_iter().zip(unpacked).collect();
    unpacked.sort_by_key(|(at, _)| *at);
    let unpacked: Vec<Unpacked> = unpacked.into_iter().map(|(_, unpacked)| unpacked).collect();
    let mut seen = std::collections::BTreeSet::new();
    for (path, folder) in unpacked.iter().flat_map(|package| &package.folders) {
        let full = root.join(path);
        if seen.insert(path) && !fs::symlink_metadata(&full)?.is_symlink() {
            chown(&full, Some(folder.uid), Some(folder.gid))?;
            fs::set_permissions(&full, Permissions::from_mode(folder.mode))?;
        }
    }
    Ok(unpacked)
}

fn write(root: &Path, file: &Written) -> Result<()> {
    let path = root.join(file.path.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap_or(root))?;
    match &file.content {
        Content::Text(text) => {
            fs::write(&path, text)?;
            fs::set_permissions(&path, Permissions::from_mode(file.mode))?;
        }
        Content::Link(target) => {
            if path.is_symlink() || path.exists() {
                fs::remove_file(&path)?;
            }
            symlink(target, &path)?;
        }
    }
    Ok(())
}

/// Removes what fits a pattern; `*` is in its last part only.
fn remove(root: &Path, pattern: &str) -> Result<()> {
    let (folder, name) = pattern.trim_start_matches('/').rsplit_once('/').unwrap_or(("", pattern));
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if matches(name, &entry.file_name().to_string_lossy()) {
            let folder = entry.file_type()?.is_dir();
            if folder { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
        }
    }
    Ok(())
}
