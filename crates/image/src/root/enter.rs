//! Starts a program in a sandbox (a "room"): a user namespace whose root has no rights on the host and which
//! sees only the host's programs, read-only. The sandbox gets its contents as a tar and returns the program's
//! output. Nothing on the host is mounted, owned or changed, and everything ends with this process.
//!
//! The sandbox's root is trusted: it mounts file systems. Code from packages is not: the program `confine`
//! runs it one level deeper, where it cannot undo those mounts.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{geteuid, getuid};
use tar::{Builder, Header};

/// Runs untrusted code in the sandbox.
pub(crate) const CONFINE: &str = "/confine";
/// Folder in which a system is built.
pub(crate) const IMAGE: &str = "/image";
/// Work folder, hidden from confined programs.
pub(crate) const WORK: &str = "/work";
/// Package folder, read-only.
pub(crate) const PACKAGES: &str = "/packages";
/// Path of an emulator in the sandbox.
pub(crate) const EMULATOR: &str = "/emulator";

const STEPS: [&str; 3] = [include_str!("enter.sh"), include_str!("room.sh"), include_str!("confine.sh")];
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Number of IDs that a system uses, up to nobody's.
const IDENTITIES: u32 = 65_536;
/// First ID for root when `/etc/subuid` has no range: no distribution, container or service uses IDs between
/// these and those of `systemd-nspawn`.
const UNUSED: u32 = 0x7000_0000;

/// A program running in a sandbox.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) child: Child,
    /// Its input; starts with a tar of the sandbox's contents.
    pub(crate) input: ChildStdin,
    /// Its output.
    pub(crate) answer: BufReader<ChildStdout>,
}

/// Starts a program as the sandbox's root; it continues when it has received its tar.
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
        .context("cannot start `unshare`: apt-get install util-linux")?;
    let mut input = child.stdin.take().context("no pipe for the stdin of the child")?;
    let mut answer = BufReader::new(child.stdout.take().context("no pipe for the stdout of the child")?);
    let mut ready = String::new();
    answer.read_line(&mut ready)?;
    ensure!(
        ready == "ready\n",
        "cannot create a user namespace: the kernel or a sysctl forbids it: as root run `sysctl -w \
         user.max_user_namespaces=10000`, in a container allow `unshare`"
    );
    if let Err(error) = give_identities(child.id()) {
        // The program is waiting for its IDs and ends when its input closes.
        drop(input);
        child.wait()?;
        return Err(error);
    }
    input.write_all(b"go\n")?;
    Ok(Room { child, input, answer })
}

/// Adds a file to the sandbox's tar; only the sandbox's root may change it.
pub(crate) fn put(tar: &mut Builder<impl Write>, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
    append(tar, path, mode, bytes.len() as u64, bytes)
}

/// Adds a file of the host to the sandbox's tar.
pub(crate) fn put_file(tar: &mut Builder<impl Write>, path: &str, mode: u32, file: &Path) -> Result<()> {
    let opened = fs::File::open(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    append(tar, path, mode, opened.metadata()?.len(), opened)
}

pub(crate) fn put_packages(tar: &mut Builder<impl Write>, debs: &[PathBuf]) -> Result<()> {
    for (deb, name) in debs.iter().zip(names(debs)) {
        let path = format!("{PACKAGES}/{name}");
        put_file(tar, &path, 0o644, deb)?;
    }
    Ok(())
}

/// Returns the names of packages in [`PACKAGES`], numbered so that two may have the same name.
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

/// Maps the sandbox's IDs to the range set apart for this user, or for root to unused IDs. A process that
/// escapes from the sandbox is not this user and owns nothing.
fn give_identities(child: u32) -> Result<()> {
    let root = geteuid().is_root();
    for (tool, file, map) in
        [("newuidmap", "/etc/subuid", "uid_map"), ("newgidmap", "/etc/subgid", "gid_map")]
    {
        let range = range(file, getuid().as_raw());
        if root {
            let start = range.unwrap_or(UNUSED);
            fs::write(format!("/proc/{child}/{map}"), format!("0 {start} {IDENTITIES}")).with_context(
                || {
                    format!(
                        "{map}: this container does not have the {IDENTITIES} IDs from {start} on: \
                     add them to the container, or set another range for root in `{file}`"
                    )
                },
            )?;
            continue;
        }
        let words = [child, 0, range?, IDENTITIES].map(|number| number.to_string());
        let ended = Command::new(tool)
            .args(words)
            .output()
            .with_context(|| format!("cannot start `{tool}`: apt-get install uidmap"))?;
        if !ended.status.success() {
            bail!("{}", String::from_utf8_lossy(&ended.stderr).trim());
        }
    }
    Ok(())
}

/// Returns the start of this user's range in `/etc/subuid` or `/etc/subgid`.
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
        // A range that includes root would not isolate anything.
        (own && start > 0 && count >= IDENTITIES).then_some(start)
    });
    start.with_context(|| {
        let name = name.unwrap_or(&number);
        format!(
            "`{file}`: has no range of {IDENTITIES} IDs for {name}: as root run `usermod --add-subuids 100000-165535 \
             --add-subgids 100000-165535 {name}`, with another range if that one is taken"
        )
    })
}
