//! A stage: a private, writable view of a root, for when no system runs on it.
//!
//! It is an overlay with its upper layer in memory, in a mount namespace of a keeper process. Closing the
//! keeper's standard input ends the stage and everything running on it. The same happens if the test process
//! dies, so nothing is left behind.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{self as system, Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::output::{self, Output};
use crate::process::{self, Tap};
use crate::suite::Suite;
use crate::tree::Tree;
use crate::{host, root};

const KEEPER: &str = include_str!("stage/keeper.sh");
const ENTER: &str = include_str!("stage/enter.sh");

/// Where the keeper mounts the overlay, in its namespace.
pub(crate) const ROOT: &str = "/run/root";

const PREPARE_BOUND: Duration = Duration::from_secs(20);
const END_BOUND: Duration = Duration::from_secs(20);

/// A writable root without a running system; created by [`Plan::stage`](crate::Plan::stage).
pub struct Stage {
    name: String,
    keeper: Child,
    tree: Tree,
    suite: Suite,
    /// Additional options for systemd-nspawn.
    options: Vec<String>,
    /// Number of runs so far, for the names of cgroups and sockets.
    runs: AtomicU32,
}

impl Stage {
    /// Creates a stage above a suite's root.
    pub(crate) fn new(suite: Suite, further: &[String], options: Vec<String>) -> Result<Self> {
        host::prepare()?;
        let root = root::cached(suite, further)?;
        let name = name()?;
        let mut keeper = system::Command::new("unshare");
        keeper
            .args(["--mount", "--propagation", "private", "sh", "-c", KEEPER, "keeper.sh"])
            .arg(root)
            .arg(&name);
        keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut keeper = keeper.spawn().context("cannot start `unshare`")?;
        let mut keeper_output = Tap::new(keeper.stdout.take())?;
        if keeper_output
            .wait_for(Instant::now() + PREPARE_BOUND, |text| text.strip_suffix("ready\n").map(drop))?
            .is_none()
        {
            drop(keeper.stdin.take());
            process::end(&mut keeper);
            let mut why = String::new();
            keeper.stderr.take().map(|mut pipe| pipe.read_to_string(&mut why)).transpose()?;
            bail!(
                "test machine: cannot set up its stage: it needs overlayfs and a writable cgroup v2: {why}"
            );
        }
        let tree = Tree::open(&format!("/proc/{}/root{ROOT}", keeper.id()))?;
        Ok(Self { name, keeper, tree, suite, options, runs: AtomicU32::new(0) })
    }

    /// Runs a shell script as root in a chroot into the stage, without systemd or network.
    ///
    ///
    /// # Panics
    ///
    ///
    /// If `nsenter` cannot start.
    #[must_use = "check the result with .ok() or .fails()"]
    pub fn run(&self, script: &str) -> Output<'static> {
        let mut command = self.enter(&self.next_run());
        command.args(["unshare", "--fork", "--pid", "--kill-child", "--net"]);
        command.arg(format!("--mount-proc={ROOT}/proc")).args(["chroot", ROOT]);
        command.args(["env", "-C", "/", "bash", "-c", script]);
        let ended = process::run(output::clear_environment(&mut command), output::BOUND);
        Output::new(script.to_owned(), ended.expect("`nsenter` starts"), None)
    }

    /// Copies a host file with its mode.
    pub fn put_file(&self, host: impl AsRef<Path>, guest: &str) -> Result<()> {
        self.tree.copy(host.as_ref(), guest)
    }

    /// Writes a file, creating parent folders.
    pub fn put(&self, path: &str, mode: u32, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.tree.write(path, mode, bytes.as_ref())
    }

    /// Reads a text file; `None` if it does not exist.
    pub fn read(&self, path: &str) -> Option<String> {
        self.read_bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads a file; `None` if it does not exist.
    pub fn read_bytes(&self, path: &str) -> Option<Vec<u8>> {
        self.tree.read(path).ok()
    }

    /// Returns a host command in the stage's mounts and in the cgroup of a run; the caller appends the
    /// program.
    pub(crate) fn enter(&self, run: &str) -> system::Command {
        let cgroup = format!("/sys/fs/cgroup/{run}");
        let mut command = system::Command::new("nsenter");
        command.args([
            "--mount",
            "--target",
            &self.keeper.id().to_string(),
            "sh",
            "-c",
            ENTER,
            "enter.sh",
            &cgroup,
        ]);
        command
    }

    /// Returns a name for the next run that is unique among all stages, for its cgroup and socket.
    pub(crate) fn next_run(&self) -> String {
        format!("{}/{}", self.name, self.runs.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn options(&self) -> &[String] {
        &self.options
    }

    pub(crate) fn suite(&self) -> Suite {
        self.suite
    }

    /// Returns the overlay's folder as a host path.
    pub(crate) fn folder(&self) -> String {
        format!("/proc/{}/root{ROOT}", self.keeper.id())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        if !matches!(process::wait(&mut self.keeper, END_BOUND), Ok(Some(status)) if status.success()) {
            eprintln!(
                "test machine {}: cannot remove it completely: look for its cgroup and its processes",
                self.name
            );
            process::end(&mut self.keeper);
        }
    }
}

/// Returns a name that no other machine on this kernel has.
fn name() -> Result<String> {
    let random = fs::read_to_string("/proc/sys/kernel/random/uuid").context("/proc is not mounted")?;
    Ok(format!("rovi-machine-{}", &random[..8]))
}
