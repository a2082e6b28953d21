//! One run of systemd on a stage, from power-on to power-off, with systemd-nspawn.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags};

use crate::console::Console;
use crate::process::{self, last_lines};
use crate::stage::{ROOT, Stage};
use crate::tree::Tree;

/// systemd-nspawn's exit status after a reboot request.
pub(crate) const REBOOT: i32 = 133;

const BOUND: Duration = Duration::from_secs(60);

const OPTIONS: [&str; 12] = [
    "--boot",
    // Do not register as a service of the host, whether it runs systemd or not.
    "--register=no",
    "--keep-unit",
    "--machine=robot",
    "--notify-ready=yes",
    "--console=read-only",
    // No access to the host or to a network.
    "--private-network",
    "--link-journal=no",
    "--resolv-conf=off",
    "--timezone=off",
    "--quiet",
    "--directory",
];

/// Kernel command line for systemd, which otherwise prints no status on a console that is not a terminal.
const KERNEL: [&str; 2] = ["systemd.show_status=yes", "systemd.log_color=no"];

/// A running system.
pub(crate) struct Boot {
    nspawn: Child,
    /// Process ID of systemd on the host.
    leader: u32,
    tree: Tree,
    took: Duration,
}

impl Boot {
    /// Boots a stage and waits until systemd reports readiness.
    pub(crate) fn start(stage: &Stage, console: &Console) -> Result<Self> {
        let begin = Instant::now();
        // An abstract socket, which leaves no file behind.
        let run = stage.next_run();
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&run)?)
            .context("test machine: cannot create its readiness socket")?;
        let [stdout, stderr] = console.connect()?;
        let mut nspawn = {
            let mut command = stage.enter(&run);
            command.arg("systemd-nspawn").args(stage.options()).args(OPTIONS).arg(ROOT).args(KERNEL);
            // systemd-nspawn's lock would stay behind, and no two machines share a root.
            command
                .env("NOTIFY_SOCKET", format!("@{run}"))
                .env("SYSTEMD_NSPAWN_LOCK", "0")
                .env("TERM", "dumb");
            command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
            command.spawn().context("cannot start `nsenter`")?
        };
        match leader(&mut nspawn, &socket, begin + BOUND) {
            Ok(leader) => Ok(Self {
                nspawn,
                leader,
                tree: Tree::open(&format!("/proc/{leader}/root"))?,
                took: begin.elapsed(),
            }),
            Err(why) => {
                process::end(&mut nspawn);
                bail!("test machine: {why}; the end of its console:\n{}", last_lines(&console.text(), 40));
            }
        }
    }

    pub(crate) fn leader(&self) -> u32 {
        self.leader
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(crate) fn took(&self) -> Duration {
        self.took
    }

    /// Returns whether the system is still running.
    pub(crate) fn alive(&self) -> bool {
        fs::exists(format!("/proc/{}/root/run", self.leader)).unwrap_or(false)
    }

    /// Waits for the system to end; `None` after a timeout.
    pub(crate) fn wait(&mut self, bound: Duration) -> Result<Option<ExitStatus>> {
        process::wait(&mut self.nspawn, bound).context("cannot wait for systemd-nspawn")
    }
}

/// Returns systemd's process ID once it and systemd-nspawn have reported.
fn leader(nspawn: &mut Child, socket: &UnixDatagram, deadline: Instant) -> Result<u32> {
    let end = process::pidfd(nspawn)?;
    let (mut leader, mut is_ready) = (None, false);
    loop {
        if let (Some(leader), true) = (leader, is_ready) {
            return Ok(leader);
        }
        let mut sources = [PollFd::new(socket, PollFlags::IN), PollFd::new(&end, PollFlags::IN)];
        if !process::ready(&mut sources, deadline)? {
            bail!("not up after {} s", BOUND.as_secs());
        }
        if sources[0].revents().is_empty() {
            bail!("systemd-nspawn ended with {} before it was up", nspawn.wait()?);
        }
        let mut message = [0; 8192];
        let length = socket.recv(&mut message)?;
        for field in String::from_utf8_lossy(&message[..length]).lines() {
            match field.split_once('=') {
                Some(("X_NSPAWN_LEADER_PID", pid)) => {
                    leader = Some(pid.parse().context("invalid message from systemd-nspawn")?)
                }
                Some(("READY", "1")) => is_ready = true,
                _ => {}
            }
        }
    }
}

impl Drop for Boot {
    /// The stage is gone by now and all its processes are killed; this only reaps systemd-nspawn.
    fn drop(&mut self) {
        let _ = self.wait(Duration::from_secs(10));
    }
}
