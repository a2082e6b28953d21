//! Compares `run_stack` with a launcher in bash: time until the launched program runs, memory, time to stop,
//! and size. Sourcing setup scripts is left out, because both use bash for it.

use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use package::program;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use workspace::Workspace;
use workspace::target::Target;

use crate::bench::{Report, Row};

const LAUNCHER: &str = include_str!("launcher.bash");

/// Prints a line and keeps running; a signal ends it at once.
const PAYLOAD: [&str; 3] = ["/bin/sh", "-c", "echo; exec sleep 1000"];

/// How the program is started.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Nobody,
    RunStack,
    BashThatExecs,
    BashThatStays,
}

const ALL: [By; 4] = [By::Nobody, By::RunStack, By::BashThatExecs, By::BashThatStays];

/// Results of one start.
#[derive(Clone, Copy)]
struct Run {
    /// From before the exec to the program's first line.
    start: Duration,
    /// From the signal to the launcher's end.
    stop: Duration,
    /// Resident set of the launcher alone, in KiB.
    resident: u64,
}

/// Runs the sides in turn, so that other load affects all of them.
pub fn run(workspace: &Workspace, rounds: u32) -> Result<Report> {
    let place = Place::new(workspace)?;
    let mut runs: [Vec<Run>; 4] = Default::default();
    for _ in 0..rounds {
        for (by, list) in ALL.into_iter().zip(&mut runs) {
            list.push(place.run(by)?);
        }
    }
    let [nobody, ours, execs, stays] = runs.map(|list| Run {
        start: median(list.iter().map(|r| r.start)),
        stop: median(list.iter().map(|r| r.stop)),
        resident: median(list.iter().map(|r| r.resident)),
    });
    // At least the clock's resolution, because a ratio to zero is meaningless.
    let added = |with: Duration, without: Duration| {
        with.saturating_sub(without).max(Duration::from_micros(1)).as_secs_f64() * 1000.0
    };
    let start = |run: Run| added(run.start, nobody.start);
    let stop = |run: Run| added(run.stop, nobody.stop);
    let bash = fs::metadata("/bin/bash").context("`/bin/bash`")?.len();
    let size = fs::metadata(&place.program)?.len();
    Ok(Report {
        ours: "run_stack".to_owned(),
        theirs: "bash".to_owned(),
        how: format!("medians of {rounds} rounds"),
        rows: vec![
            Row::new("start: added until the program's main", "ms", start(ours), start(execs)),
            Row::new("resident set while it runs", "KiB", ours.resident as f64, stays.resident as f64),
            Row::new("stop: added after SIGINT to the group", "ms", stop(ours), stop(stays)),
            Row::new("size of the executable", "kB", size as f64 / 1000.0, bash as f64 / 1000.0),
        ],
        notes: vec![
            format!(
                "the program alone: {:.2} ms to its main, {:.2} ms to its end",
                nobody.start.as_secs_f64() * 1000.0,
                nobody.stop.as_secs_f64() * 1000.0
            ),
            "start: bash takes the lock and execs; run_stack also writes holder and session file and stays".to_owned(),
            "resident set, stop: of a bash that stays, because one that execs clears no session file".to_owned(),
            "without the check that another unit is active, which needs a booted machine for `systemctl is-active`"
                .to_owned(),
        ],
    })
}

/// A folder with all files.
struct Place {
    folder: PathBuf,
    program: PathBuf,
}

impl Place {
    fn new(workspace: &Workspace) -> Result<Place> {
        let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let target = Target::parse(&triple).map_err(|why| anyhow!("{triple}: {why}"))?;
        let programs = program::build(workspace, &[target])?.concat();
        let folder = workspace.target_dir().join(format!("bench-{}", std::process::id()));
        let folder = if folder.is_absolute() { folder } else { std::env::current_dir()?.join(folder) };
        fs::create_dir_all(&folder)?;
        let place = Place { program: folder.join("run_stack"), folder };
        let built = programs.iter().find(|p| p.name == "run_stack").context("run_stack was not built")?;
        fs::write(&place.program, &built.bytes)?;
        fs::set_permissions(&place.program, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        fs::write(place.folder.join("launcher.bash"), LAUNCHER)?;
        let table = json!({
            "schema": 1, "product": "bench", "package": "bench", "version": "0",
            "services": [{
                "name": "bench", "unit": "bench.service", "description": "bench",
                "launch": {
                    "argv": PAYLOAD, "directory": place.folder, "lock": place.folder.join("lock"),
                    "session": { "path": "current_launch", "content": "launch" },
                },
            }],
        });
        fs::write(place.folder.join("services.json"), table.to_string())?;
        Ok(place)
    }

    fn run(&self, by: By) -> Result<Run> {
        let mut command = self.command(by);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let begin = Instant::now();
        let mut child = command.spawn().context("cannot start the launcher")?;
        let heard = child.stdout.as_mut().map(|pipe| pipe.read(&mut [0; 16]));
        let start = begin.elapsed();
        let resident = resident(&child);
        let stopped = Instant::now();
        let _ = kill_process_group(Pid::from_child(&child), Signal::INT);
        child.wait()?;
        let stop = stopped.elapsed();
        ensure!(matches!(heard, Some(Ok(1))), "{command:?}: the launched program did not run");
        Ok(Run { start, stop, resident: resident? })
    }

    fn command(&self, by: By) -> Command {
        let bash = |how: &str| {
            let mut command = Command::new("/bin/bash");
            command.arg(self.folder.join("launcher.bash")).arg(&self.folder).arg(how).args(PAYLOAD);
            command
        };
        match by {
            By::Nobody => {
                let mut command = Command::new(PAYLOAD[0]);
                command.args(&PAYLOAD[1..]);
                command
            }
            By::RunStack => {
                let mut command = Command::new(&self.program);
                command.arg("bench");
                command
            }
            By::BashThatExecs => bash("exec"),
            By::BashThatStays => bash("stay"),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Returns the resident set of a process in KiB.
fn resident(child: &Child) -> Result<u64> {
    let path = format!("/proc/{}/status", child.id());
    let status = fs::read_to_string(Path::new(&path)).with_context(|| path.clone())?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS for the process")?;
    line.trim().trim_end_matches(" kB").parse().with_context(|| format!("`{path}`: VmRSS:{line}"))
}

fn median<T: Ord + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut sorted: Vec<T> = values.collect();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
