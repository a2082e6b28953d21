//! Compares `notify-helper run` with a shell loop that uses `systemd-notify`, and with a service that uses
//! python's sdnotify. It measures the time from opening the port to `READY=1`, with the same service on all
//! sides.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use package::program;
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::time::{ClockId, clock_gettime};
use testbed::host;
use workspace::Workspace;
use workspace::target::Target;

use crate::bench::{Report, Row};

const SERVICE: &str = include_str!("service.py");
const LOOP: &str = include_str!("loop.bash");

/// How the service manager is notified.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Helper,
    Loop,
    Itself,
}

const ALL: [By; 3] = [By::Helper, By::Loop, By::Itself];

/// Runs the sides in turn, so that other load affects all of them.
pub fn run(workspace: &Workspace, rounds: u32) -> Result<Report> {
    host::need(&[("python3", "python3"), ("pip3", "python3-pip"), ("systemd-notify", "systemd")])?;
    let place = Place::new(workspace)?;
    let mut runs: [Vec<f64>; 3] = Default::default();
    for round in 0..rounds {
        for (by, list) in ALL.into_iter().zip(&mut runs) {
            // Services do not open their ports in step with a polling loop.
            list.push(place.run(by, 0.1 + f64::from(round * 37 % 100) / 1000.0)?);
        }
    }
    runs.iter_mut().for_each(|list| list.sort_by(f64::total_cmp));
    let [ours, looped, itself] = runs;
    let median = |list: &[f64]| list[list.len() / 2];
    let nine_of_ten = |list: &[f64]| list[(list.len() * 9).div_ceil(10) - 1];
    let worst = |list: &[f64]| list[list.len() - 1];
    Ok(Report {
        ours: "notify-helper".to_owned(),
        theirs: "the other".to_owned(),
        how: format!("port open to READY=1, {rounds} rounds"),
        rows: vec![
            Row::new("shell loop, median", "ms", median(&ours), median(&looped)),
            Row::new("shell loop, nine of ten", "ms", nine_of_ten(&ours), nine_of_ten(&looped)),
            Row::new("shell loop, worst", "ms", worst(&ours), worst(&looped)),
            Row::new("sdnotify in the service, median", "ms", median(&ours), median(&itself)),
            Row::new("sdnotify in the service, worst", "ms", worst(&ours), worst(&itself)),
        ],
        notes: vec![
            "the shell loop asks ten times a second; many ask once".to_owned(),
            "the port opens 0.1 to 0.2 s after the start; notify-helper asks less often the longer it waits"
                .to_owned(),
        ],
    })
}

/// A folder with all files, and the manager's socket.
struct Place {
    folder: PathBuf,
    manager: UnixDatagram,
}

impl Place {
    fn new(workspace: &Workspace) -> Result<Place> {
        let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let target = Target::parse(&triple).map_err(|why| anyhow!("{triple}: {why}"))?;
        let programs = program::build(workspace, &[target])?.concat();
        let library = workspace.target_dir().join("bench-sdnotify");
        if !library.join("sdnotify").is_dir() {
            let mut pip = Command::new("pip3");
            pip.args(["install", "--quiet", "--no-deps", "--target"]).arg(&library).arg("sdnotify==0.3.2");
            let output = pip.output().context("`pip3`")?;
            let stderr = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.success(),
                "`pip3 install sdnotify`: {}",
                stderr.trim_end().replace('\n', "; ")
            );
        }
        // The path of a socket must be short.
        let folder = std::env::temp_dir().join(format!("bench-notify-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let manager = UnixDatagram::bind(folder.join("manager"))?;
        manager.set_read_timeout(Some(Duration::from_secs(30)))?;
        let place = Place { folder, manager };
        let built =
            programs.iter().find(|p| p.name == "notify-helper").context("notify-helper was not built")?;
        let helper = place.folder.join("notify-helper");
        fs::write(&helper, &built.bytes)?;
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755))?;
        fs::write(place.folder.join("service.py"), SERVICE)?;
        fs::write(place.folder.join("loop.bash"), LOOP)?;
        let library = fs::canonicalize(&library)?;
        std::os::unix::fs::symlink(library.join("sdnotify"), place.folder.join("sdnotify"))?;
        Ok(place)
    }

    /// Runs one start; returns the milliseconds from opening the port to the message.
    fn run(&self, by: By, delay: f64) -> Result<f64> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
        let mut service =
            vec!["python3".to_owned(), "service.py".to_owned(), delay.to_string(), port.clone()];
        if by == By::Itself {
            service.push("sdnotify".to_owned());
        }
        let words: Vec<String> = match by {
            By::Helper => vec![
                "./notify-helper".into(),
                "run".into(),
                "--ready".into(),
                format!("tcp:127.0.0.1:{port}"),
                "--".into(),
            ],
            By::Loop => vec!["bash".into(), "loop.bash".into(), port],
            By::Itself => Vec::new(),
        };
        let words: Vec<String> = words.into_iter().chain(service).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(&self.folder).env("NOTIFY_SOCKET", self.folder.join("manager"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
        let ready = self.ready();
        let mut line = String::new();
        let read = child.stdout.take().map(|pipe| BufReader::new(pipe).read_line(&mut line));
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        child.wait()?;
        let ready = ready.with_context(|| format!("{command:?}"))?;
        // Discards a late barrier or status line.
        self.manager.set_nonblocking(true)?;
        while self.manager.recv(&mut [0; 4096]).is_ok() {}
        self.manager.set_nonblocking(false)?;
        ensure!(matches!(read, Some(Ok(_))), "{command:?}: no output from the service");
        let opened: f64 = line.trim().parse().with_context(|| format!("{command:?}: \"{line}\""))?;
        Ok(((ready - opened) * 1000.0).max(0.001))
    }

    /// Returns when the message arrived.
    fn ready(&self) -> Result<f64> {
        let mut bytes = [0; 4096];
        loop {
            // Not receiving a barrier's descriptor closes it.
            let length = self.manager.recv(&mut bytes).context("no readiness message")?;
            let now = clock_gettime(ClockId::Monotonic);
            if String::from_utf8_lossy(&bytes[..length]).lines().any(|line| line == "READY=1") {
                return Ok(now.tv_sec as f64 + now.tv_nsec as f64 / 1e9);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
