//! Checks what checks, tests and machines need from the host: programs of its distribution and, for machines,
//! root.
//!
//! As root, this installs missing programs, because a test that cannot run fails. Otherwise the error
//! contains the exact command.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::archive::Archive;
use crate::process;

/// Requirements of machines: a program or file, and the package that contains it.
const FOR_MACHINES: [(&str, &str); 6] = [
    ("systemd-nspawn", "systemd-container"),
    ("mmdebstrap", "mmdebstrap"),
    ("mount", "mount"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    (KEYRING, "debian-archive-keyring"),
];

/// Signing keys of Debian's releases; hosts other than Debian lack them.
pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

const INSTALL_BOUND: Duration = Duration::from_secs(600);

/// Checks that machines can be created here.
pub(crate) fn prepare() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!(
            "test machine: booting a container requires root: run the same command with `sudo --preserve-env=PATH,HOME`"
        );
    }
    need(&FOR_MACHINES)
}

/// Checks that each program or file exists. Each comes with the Debian package that contains it.
pub fn need(programs: &[(&str, &str)]) -> Result<()> {
    // Tests run as threads of one process and often get here together.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut packages: Vec<&str> =
        programs.iter().filter(|(file, _)| !present(file)).map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    let by_hand =
        || format!("required programs are missing: as root run `apt-get install {list}`, or the equivalent");
    if !rustix::process::geteuid().is_root() || !present("apt-get") {
        bail!(by_hand());
    }
    eprintln!("installing {list}");
    if apt_get("install", &packages).is_err() {
        // The package lists are missing or outdated on most new hosts, and slow to update elsewhere.
        apt_get("update", &[]).and_then(|()| apt_get("install", &packages)).with_context(by_hand)?;
    }
    Ok(())
}

/// Like [`need`], for programs newer than the distribution's: Debian 12 installs them from backports, if
/// possible. The host's own sources are not changed.
pub fn need_recent(programs: &[(&str, &str)]) -> Result<()> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let bookworm = release.lines().any(|line| line == "VERSION_CODENAME=bookworm");
    let missing: Vec<_> = programs.iter().filter(|(file, _)| !present(file)).copied().collect();
    if bookworm
        && !missing.is_empty()
        && rustix::process::geteuid().is_root()
        && let Err(error) = from_backports("bookworm-backports", &missing)
    {
        eprintln!("cannot install from backports: {error:#}");
    }
    need(programs)
}

fn from_backports(suite: &str, programs: &[(&str, &str)]) -> Result<()> {
    let folder = env::temp_dir().join(format!("backports-{}", std::process::id()));
    let result =
        fs::create_dir(&folder).map_err(Into::into).and_then(|()| install_from(suite, programs, &folder));
    let _ = fs::remove_dir_all(&folder);
    result
}

/// Installs with a temporary sources folder that contains the host's sources and one more.
fn install_from(suite: &str, programs: &[(&str, &str)], folder: &Path) -> Result<()> {
    let line = format!("deb [signed-by={KEYRING}] {} {suite} main\n", Archive::of_host().mirror);
    fs::write(folder.join("backports.list"), line)?;
    let here = |path: &Path| format!("Dir::Etc::SourceParts={}", path.display());
    let alone = here(folder);
    // Keeps the lists of the host's other sources.
    apt_get(
        "update",
        &["-o", "Dir::Etc::SourceList=/dev/null", "-o", &alone, "-o", "APT::Get::List-Cleanup=false"],
    )?;
    for entry in fs::read_dir("/etc/apt/sources.list.d")?.flatten() {
        std::os::unix::fs::symlink(entry.path(), folder.join(entry.file_name()))?;
    }
    let mut words: Vec<&str> = programs.iter().map(|(_, package)| *package).collect();
    eprintln!("installing {} from {suite}", words.join(" "));
    words.extend(["--target-release", suite, "-o", &alone]);
    apt_get("install", &words)
}

fn present(file: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // `join` with an absolute path returns that path, which is how the keyring is found.
    Path::new(file).is_file() || env::split_paths(&path).any(|folder| folder.join(file).is_file())
}

fn apt_get(verb: &str, packages: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["-q", "-y", "--no-install-recommends", verb]).args(packages);
    // Another test process may be installing the same packages.
    command.args(["-o", "DPkg::Lock::Timeout=300"]).env("DEBIAN_FRONTEND", "noninteractive");
    let ended = process::run(&mut command, INSTALL_BOUND).context("cannot start `apt-get`")?;
    if ended.status == 0 { Ok(()) } else { bail!("apt-get {verb}: {}", ended.tail()) }
}

/// Returns the load of the host relative to its processors, at least 1. Multiply time limits by it: they
/// assume an idle host.
pub fn busy() -> f64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load.split(' ').next().and_then(|minute| minute.parse().ok()).unwrap_or(1.0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (load / cores as f64).max(1.0)
}
