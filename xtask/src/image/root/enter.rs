//! The way into a user namespace of our own, where root's rights end at its border: takes a plan, runs [`super::make`]
//! in there. Nothing of the host is mounted, owned or changed outside of it, and all of it ends with this process.
//!
//! It is a chain of one program: first without any identity, until the parent has given it one; then root in there; then
//! first process of its own, so that whatever packages' scripts have started ends with it.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Signal, geteuid, getgid, getppid, getuid, set_parent_process_death_signal};

/// Identities that a system uses, `nobody` among them.
const IDENTITIES: u64 = 65_536;

/// Holds the number of the process that everything in there ends with.
const PARENT: &str = "IMAGE_PARENT";

/// Where a process is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Step {
    /// In the namespace, without an identity.
    Nobody,
    /// Root in there.
    Root,
    /// First process, with mounts of its own.
    First,
}

/// Runs a plan in there; what [`super::make`] has to say.
pub fn run(plan: &Path) -> Result<String> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let mut child = Command::new("unshare")
        .args([OsStr::new("--user"), OsStr::new("--"), program.as_os_str()])
        .args(["inside", "nobody"])
        .arg(plan)
        .env(PARENT, std::process::id().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("`unshare` does not start: apt-get install util-linux")?;
    let mut said = BufReader::new(child.stdout.take().context("a child without output")?);
    let mut ready = String::new();
    said.read_line(&mut ready)?;
    let given = if ready == "ready\n" {
        give_identities(child.id())
    } else {
        Err(anyhow::anyhow!(
            "no user namespace can be made: the kernel or a sysctl forbids it: as root run `sysctl -w \
             user.max_user_namespaces=10000`, in a container allow `unshare`"
        ))
    };
    // Closing its input lets it go on, or end, when it got no identity.
    drop(child.stdin.take());
    let mut report = String::new();
    said.read_to_string(&mut report)?;
    let status = child.wait()?;
    given?;
    ensure!(status.success(), "what makes roots was ended: {status}");
    Ok(report)
}

/// One step of the chain; the last one calls `then`.
pub fn step(step: Step, plan: &Path, then: impl FnOnce() -> Result<()>) -> Result<()> {
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let error = match step {
        Step::Nobody => {
            println!("ready");
            std::io::stdout().flush()?;
            std::io::stdin().read_to_end(&mut Vec::new())?;
            // Who begins a program as root gets root's rights.
            Command::new(program).args(["inside", "root"]).arg(plan).exec()
        }
        Step::Root => {
            if !getuid().is_root() {
                std::process::exit(1);
            }
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // It may have died before, and nobody makes a root for nobody: the next run is at the same place.
            let parent = getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
            if std::env::var(PARENT).is_ok_and(|number| number != parent.to_string()) {
                std::process::exit(1);
            }
            let flags = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--"];
            Command::new("unshare").args(flags).arg(program).args(["inside", "first"]).arg(plan).exec()
        }
        Step::First => return then(),
    };
    bail!("{error}")
}

/// Maps identities of the host to those in there: root's to root's where this is root, else this user's to root's and
/// the range that the system has set apart for this user to all others.
pub(crate) fn give_identities(child: u32) -> Result<()> {
    if geteuid().is_root() {
        for file in ["uid_map", "gid_map"] {
            fs::write(format!("/proc/{child}/{file}"), format!("0 0 {IDENTITIES}")).with_context(|| {
                format!("{file}: the container that this runs in has less than {IDENTITIES} identities: give it more")
            })?;
        }
        return Ok(());
    }
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    for (tool, file, own) in [("newuidmap", "/etc/subuid", user), ("newgidmap", "/etc/subgid", group)] {
        let start = range(file, user)?;
        let words = [child, 0, own, 1, 1, start, IDENTITIES as u32 - 1].map(|number| number.to_string());
        let ended = Command::new(tool)
            .args(words)
            .output()
            .with_context(|| format!("`{tool}` does not start: apt-get install uidmap"))?;
        if !ended.status.success() {
            bail!("{}", String::from_utf8_lossy(&ended.stderr).trim());
        }
    }
    Ok(())
}

/// The start of this user's range in `/etc/subuid` or `/etc/subgid`.
fn range(file: &str, user: u32) -> Result<u32> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = user.to_string();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then_some(name)
    });
    let text = fs::read_to_string(file).unwrap_or_default();
    let start = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        let (start, count) = (fields.next()?.parse().ok()?, fields.next()?.parse::<u64>().ok()?);
        ((owner == number || Some(owner) == name) && count >= IDENTITIES - 1).then_some(start)
    });
    start.with_context(|| {
        let name = name.unwrap_or(&number);
        format!(
            "`{file}`: has no {IDENTITIES} identities for {name}: as root run `usermod --add-subuids 100000-165535 \
             --add-subgids 100000-165535 {name}`, with another range where that one is taken"
        )
    })
}
