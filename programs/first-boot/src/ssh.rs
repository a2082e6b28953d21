//! SSH host keys and authorized keys.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use base::failure::reason;
use rustix::fs::{
    AtFlags, CWD, Gid, Mode, OFlags, Uid, fchmod, fchown, fsync, mkdirat, openat, renameat, unlinkat,
};
use rustix::io::Errno;

use crate::settings::Ssh;
use crate::user::{self, Account};
use crate::{durable, template, tool};

const FOLDER: &str = "/etc/ssh";
const SERVER: &str = include_str!("files/sshd.conf");
const CONFIGURATION: &str = "/etc/ssh/sshd_config.d/50-first-boot.conf";
/// Unit names of the SSH server, on Debian and elsewhere.
const UNITS: [&str; 2] = ["ssh.service", "sshd.service"];

/// Creates host keys if there are none. ssh-keygen replaces missing or empty keys, and renames a key into
/// place when it is complete.
pub(super) fn host_keys() -> Result<bool, String> {
    let whole = |entry: &fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("ssh_host_") && name.ends_with("_key") && entry.metadata().is_ok_and(|m| m.len() > 0)
    };
    let Ok(entries) = fs::read_dir(FOLDER) else { return Ok(false) };
    if entries.flatten().any(|entry| whole(&entry)) || !tool::exists("ssh-keygen") {
        return Ok(false);
    }
    tool::run(&["ssh-keygen", "-A"], None).map(|_| true)
}

/// Applies the SSH settings.
pub(super) fn apply(ssh: &Ssh, user: Option<&str>, faults: &mut Vec<String>) {
    let mut fault = |key: &str, why: String| faults.push(format!("[ssh] {key}: {why}"));
    let mut given = false;
    if !ssh.keys.is_empty() {
        // The name may belong to a system account, which nobody uses to log in.
        let mut people = user::people();
        match user {
            Some(name) => people.retain(|person| person.name == name),
            None if people.len() > 1 => people.clear(),
            None => {}
        }
        match people.first() {
            Some(account) => match authorize(account, &ssh.keys) {
                Ok(()) => given = true,
                Err(why) => fault("authorized_keys", why),
            },
            None => fault("authorized_keys", "no user to add them to: add name = \"…\" to [user]".to_owned()),
        }
    }
    if (given || ssh.passwords.is_some()) && Path::new(FOLDER).is_dir() {
        // With a key, no password is needed, and a password can be guessed over the network. A key that could
        // not be added does not count.
        let passwords = if ssh.passwords.unwrap_or(!given) { "yes" } else { "no" };
        let text = template::filled(SERVER, &[("passwords", passwords)]);
        if let Err(e) = durable::replace(Path::new(CONFIGURATION), Some(0o644), text.as_bytes()) {
            fault("password_authentication", format!("`{CONFIGURATION}`: {}", reason(&e)));
        }
    }
    let Some(enabled) = ssh.enabled else { return };
    let has = |unit: &&&str| Path::new("/usr/lib/systemd/system").join(unit).exists();
    match UNITS.iter().find(has) {
        Some(unit) if enabled => {
            let done = tool::systemctl(&["--quiet", "--no-reload", "enable", unit])
                .and_then(|()| tool::systemctl(&["--no-block", "start", unit]));
            done.unwrap_or_else(|why| fault("enabled", why));
        }
        Some(unit) => {
            let socket = unit.replace(".service", ".socket");
            let socket = Path::new("/usr/lib/systemd/system").join(&socket).exists().then_some(socket);
            for unit in [Some((*unit).to_owned()), socket].into_iter().flatten() {
                let done = tool::systemctl(&["--quiet", "--no-reload", "disable", &unit])
                    .and_then(|()| tool::systemctl(&["--no-block", "stop", &unit]));
                done.unwrap_or_else(|why| fault("enabled", why));
            }
        }
        None if enabled => fault("enabled", "no SSH server is installed: install openssh-server".to_owned()),
        None => {}
    }
}

/// Reads a file of that folder; returns nothing if it is not a regular file.
fn before(folder: impl std::os::fd::AsFd, name: &str) -> String {
    let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = openat(folder, name, how, Mode::empty()) else { return String::new() };
    let (mut file, mut text) = (File::from(file).take(1 << 20), String::new());
    let _ = file.read_to_string(&mut text);
    text
}

/// Writes a user's authorized_keys. The user controls the home directory, so do not follow symlinks there.
fn authorize(account: &Account, keys: &[String]) -> Result<(), String> {
    let written = || -> Result<(), Errno> {
        let folder = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
        let home = openat(CWD, account.home.as_str(), folder, Mode::empty())?;
        match mkdirat(&home, ".ssh", Mode::from(0o700)) {
            Err(Errno::EXIST) => {}
            made => made?,
        }
        let ssh = openat(&home, ".ssh", folder, Mode::empty())?;
        fchown(&ssh, Some(uid), Some(gid))?;
        let (draft, name) = (".authorized_keys~", "authorized_keys");
        let _ = unlinkat(&ssh, draft, AtFlags::empty());
        let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&ssh, draft, new, Mode::from(0o600))?;
        fchmod(&file, Mode::from(0o600))?;
        fchown(&file, Some(uid), Some(gid))?;
        let mut file = File::from(file);
        // Keep keys that were added in another way.
        let mut lines: Vec<String> = before(&ssh, name).lines().map(str::to_owned).collect();
        lines.extend(keys.iter().filter(|key| !lines.contains(key)).cloned().collect::<Vec<_>>());
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        file.write_all(text.as_bytes()).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
        fsync(&file)?;
        renameat(&ssh, draft, &ssh, name)?;
        fsync(&ssh)
    };
    written().map_err(|e| format!("`{}/.ssh`: {}", account.home, reason(&e.into())))
}
