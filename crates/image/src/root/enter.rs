//! The way into a room: a user namespace whose root is nobody on this machine, with nothing of this machine but its
//! programs, read-only. Takes a tar of what shall be in the room and a program, gives the program's answer. Nothing of the
//! host is mounted, owned or changed, and all of it ends with this process.
//!
//! Who is root in a room makes mounts and keeps the order; it is trusted. What packages bring runs one step further in, by
//! the room's program `confine`, where it can undo none of that.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{geteuid, getuid};
use tar::{Builder, Header};

/// The program that runs what nobody vouches for.
pub(crate) const CONFINE: &str = "/confine";
/// The folder of a room that a system is made in.
pub(crate) const IMAGE: &str = "/image";
/// Another one, which confined programs do not see.
pub(crate) const WORK: &str = "/work";
/// A third one, which is only read.
pub(crate) const PACKAGES: &str = "/packages";
/// Where an emulator is in a room.
pub(crate) const EMULATOR: &str = "/emulator";

const STEPS: [&str; 3] = [include_str!("enter.sh"), include_str!("room.sh"), include_str!("confine.sh")];
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Identities that a system uses, `nobody` among them.
const IDENTITIES: u32 = 65_536;
/// Root's, where `/etc/subuid` sets none apart: no distribution, container or service has identities between these and
/// `systemd-nspawn`'s.
const UNUSED: u32 = 0x7000_0000;

/// A program in a room.
#[derive(Debug)]
pub(crate) struct Room {
    /// Its process.
    pub(crate) child: Child,
    /// What it is told: first a tar of what is in the room.
    pub(crate) input: ChildStdin,
    /// What it answers.
    pub(crate) answer: BufReader<ChildStdout>,
}

/// Starts a program as root of a room; it goes on when it has got its tar.
pub(crate) fn start<W: AsRef<OsStr>>(words: &[W], emulator: Option<&Path>, errors: Stdio) -> Result<Room> {
    let [enter, room, confine] = STEPS;
    let mut child = Command::new("unshare")
        .args(["--user", "--keep-caps", "--", "bash", "-c", enter, "enter", room, confine])
        .arg(emulator.map_or(OsStr::new(""), Path::as_os_str))
        .args(words)
        .env_clear()
        .envs([("PATH", PATH), ("LC_ALL", "C.UTF-8")])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .context("`unshare` does not start: apt-get install util-linux")?;
    let mut input = child.stdin.take().context("a child without input")?;
    let mut answer = BufReader::new(child.stdout.take().context("a child without output")?);
    let mut ready = String::new();
    answer.read_line(&mut ready)?;
    ensure!(
        ready == "ready\n",
        "no user namespace can be made: the kernel or a sysctl forbids it: as root run `sysctl -w \
         user.max_user_namespaces=10000`, in a container allow `unshare`"
    );
    if let Err(error) = give_identities(child.id()) {
        // It waits for them, and ends with its input.
        drop(input);
        child.wait()?;
        return Err(error);
    }
    input.write_all(b"go\n")?;
    Ok(Room { child, input, answer })
}

/// Puts a file into the tar of what is in a room; only the room's root may change it.
pub(crate) fn put(tar: &mut Builder<impl Write>, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
    append(tar, path, mode, bytes.len() as u64, bytes)
}

/// The same of a file that there is.
pub(crate) fn put_file(tar: &mut Builder<impl Write>, path: &str, mode: u32, file: &Path) -> Result<()> {
    let opened = fs::File::open(file).with_context(|| format!("`{}`: cannot be read", file.display()))?;
    append(tar, path, mode, opened.metadata()?.len(), opened)
}

/// Puts packages into it.
pub(crate) fn put_packages(tar: &mut Builder<impl Write>, debs: &[PathBuf]) -> Result<()> {
    for (deb, name) in debs.iter().zip(names(debs)) {
        let path = format!("{PACKAGES}/{name}");
        put_file(tar, &path, 0o644, deb)?;
    }
    Ok(())
}

/// What packages are called in [`PACKAGES`]: numbered, so that two may have one name.
pub(crate) fn names(debs: &[PathBuf]) -> Vec<String> {
    let name = |deb: &PathBuf| deb.file_name().unwrap_or_default().to_string_lossy().into_owned();
    debs.iter().enumerate().map(|(number, deb)| format!("{number}/{}", name(deb))).collect()
}

fn append(tar: &mut Builder<impl Write>, path: &str, mode: u32, size: u64, bytes: impl Read) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_size(size);
    Ok(tar.append_data(&mut header, format!(".{path}"), bytes)?)
}

/// Maps identities of a room to those that were set apart for this user, and to nobody's where this is root: whoever
/// breaks out of a room is not this user, and owns nothing.
fn give_identities(child: u32) -> Result<()> {
    let root = geteuid().is_root();
    for (tool, file, map) in
        [("newuidmap", "/etc/subuid", "uid_map"), ("newgidmap", "/etc/subgid", "gid_map")]
    {
        let range = range(file, getuid().as_raw());
        if root {
            let start = range.unwrap_or(UNUSED);
            fs::write(format!("/proc/{child}/{map}"), format!("0 {start} {IDENTITIES}")).with_context(|| {
                format!(
                    "{map}: the container that this runs in does not have the {IDENTITIES} identities from {start} on: \
                     give it those, or name others for root in `{file}`"
                )
            })?;
            continue;
        }
        let words = [child, 0, range?, IDENTITIES].map(|number| number.to_string());
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
        let (start, count) = (fields.next()?.parse().ok()?, fields.next()?.parse::<u32>().ok()?);
        let own = owner == number || Some(owner) == name;
        // A range with root in it would be no range apart.
        (own && start > 0 && count >= IDENTITIES).then_some(start)
    });
    start.with_context(|| {
        let name = name.unwrap_or(&number);
        format!(
            "`{file}`: has no {IDENTITIES} identities for {name}: as root run `usermod --add-subuids 100000-165535 \
             --add-subgids 100000-165535 {name}`, with another range where that one is taken"
        )
    })
}
