//! Builds the base root file system: takes the files of locked packages and writes a reproducible tar of a
//! configured system. This module unpacks the packages; the distribution's own scripts and dpkg configure
//! them in a user namespace.

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

/// Input of a root file system build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Debian's name for the processor.
    pub architecture: String,
    /// Newest allowed modification time.
    pub epoch: u64,
    /// Packages in installation order.
    pub packages: Vec<PathBuf>,
    /// Packages with programs for the host; empty if the host runs the root's own programs.
    pub stand_ins: Vec<PathBuf>,
    /// Programs of the stand-ins that are mounted over the root's own.
    pub interpreters: Vec<String>,
    /// Programs of the stand-ins that are not used.
    pub never: Vec<String>,
    /// Programs replaced by `true`.
    pub answer_yes: Vec<String>,
    /// Programs that are also replaced while the initramfs is built.
    pub for_initramfs: Vec<String>,
    /// Emulator for the root's own programs, if the host cannot run them.
    pub emulator: Option<PathBuf>,
    /// Configuration files.
    pub files: Vec<Written>,
    /// Paths in packages to leave out.
    pub leave_out: Vec<String>,
    /// Exceptions to `leave_out`.
    pub keep: Vec<String>,
    /// Units to enable.
    pub enable: Vec<String>,
    /// Paths to remove at the end.
    pub remove: Vec<String>,
    /// Packages that apt marks as installed automatically.
    pub automatic: Vec<String>,
    /// Requirements of the initramfs.
    pub initramfs: Initramfs,
}

/// A configuration file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Written {
    /// Absolute path in the root file system.
    pub path: String,
    /// File mode.
    pub mode: u32,
    /// Text or link target.
    pub content: Content,
}

/// Content of a configuration file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// A regular file with this text.
    Text(String),
    /// A symbolic link to this target.
    Link(PathBuf),
}

/// Result of a root file system build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Made {
    /// Duration of each step in seconds.
    pub steps: Vec<(String, f64)>,
    /// Kernel version.
    pub kernel: String,
    /// Kernel modules requested for the initramfs.
    pub modules: Vec<String>,
}

/// The builder and its plan, inside the sandbox.
const PROGRAM: &str = "/work/xtask";
const PLAN: &str = "/work/plan.json";

/// Builds a root file system in a sandbox and writes it to `out` as a tar.
pub fn make(plan: &Plan, out: &Path) -> Result<Made> {
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let words = [PROGRAM, "inside", PLAN];
    let room = enter::start(&words, plan.emulator.as_deref(), Stdio::piped())?;
    let Room { mut child, input, answer } = room;
    let errors = child.stderr.take().context("no pipe for the stderr of the child")?;
    let (input_result, report, last) = thread::scope(|scope| {
        let last = scope.spawn(|| pass_on(errors));
        let input_result = scope.spawn(|| give(plan, &program, BufWriter::with_capacity(1 << 20, input)));
        let report = take(answer, out).with_context(|| format!("cannot write `{}`", out.display()));
        let input_result = input_result.join().expect("writing does not panic");
        (input_result, report, last.join().expect("reading does not panic"))
    });
    let status = child.wait()?;
    let Some(report) = report? else { bail!("cannot build the root file system: {last} ({status})") };
    let result: Result<Made, String> =
        serde_json::from_str(&report).context("invalid report from the sandbox")?;
    let made = result.map_err(|error| anyhow!("cannot build the root file system: {error}"))?;
    input_result?;
    ensure!(status.success(), "the build in the sandbox ended early: {status}");
    Ok(made)
}

/// Passes the progress lines on and returns the last one, which explains a failure.
fn pass_on(errors: impl Read) -> String {
    let mut last = String::new();
    for line in BufReader::new(errors).lines().map_while(Result::ok) {
        eprintln!("{line}");
        last = line;
    }
    last
}

/// Reads the report line, if there is one, and then the tar.
fn take(mut answer: impl BufRead, out: &Path) -> io::Result<Option<String>> {
    let mut report = String::new();
    if answer.read_line(&mut report)? == 0 {
        return Ok(None);
    }
    io::copy(&mut answer, &mut File::create(out)?)?;
    Ok(Some(report))
}

/// Writes the contents of the sandbox: this program, the plan and the packages.
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

/// Runs inside the sandbox: prints the result or the error as one line of JSON, then the tar. The parent
/// process reports the error.
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
            bail!("packages were not fully installed: {}", unfinished.join(", "));
        }
        plan.remove.iter().try_for_each(|pattern| remove(root, pattern))?;
        // Written again because some scripts overwrite files that must stay as given, such as the machine ID.
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

/// Configures the unpacked packages: the essential ones first, because the scripts of the others rely on
/// them.
fn configure(chroot: &mut Chroot<'_>, root: &Path, entries: &[Entry]) -> Result<()> {
    // Packages are sorted so that the essential ones and their dependencies come first.
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

/// Runs the preinst scripts where dpkg puts them, because debconf looks at the path.
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

/// Unpacks packages in parallel. Returns them in the given order.
fn unpack_all(
    packages: &[PathBuf],
    root: &Path,
    processor: Processor,
    filter: &Filter<'_>,
) -> Result<Vec<Unpacked>> {
    // Since Debian 12, these are links into /usr.
    for name in ["bin", "lib", "sbin"].into_iter().chain((processor.deb == "amd64").then_some("lib64")) {
        fs::create_dir_all(root.join("usr").join(name))?;
        symlink(format!("usr/{name}"), root.join(name))?;
    }
    let mut order: Vec<usize> = (0..packages.len()).collect();
    order
        .sort_by_key(|i| std::cmp::Reverse(fs::metadata(&packages[*i]).map(|m| m.len()).unwrap_or_default()));
    // Largest first, so that the last job to end is a short one.
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

/// Removes paths that match a pattern; only the last component may contain `*`.
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
