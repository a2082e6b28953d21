//! Creates or completes the administrator's account.
//!
//! useradd writes several files in sequence. If a power loss interrupted it at an earlier boot, the same
//! programs complete the account here.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::settings::{Password, User};
use crate::{durable, role, template, tool};

const SUDOERS: &str = include_str!("files/sudoers");
const SUDO: &str = "/etc/sudoers.d/050-first-boot";

/// Groups of the administrator, as far as they exist.
const GROUPS: [&str; 17] = [
    "sudo",
    "wheel",
    "adm",
    "dialout",
    "cdrom",
    "audio",
    "video",
    "plugdev",
    "users",
    "input",
    "render",
    "netdev",
    "gpio",
    "i2c",
    "spi",
    "lpadmin",
    "systemd-journal",
];

/// Range of user ids of ordinary users.
const ORDINARY: std::ops::Range<u32> = 1000..60_000;

pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    /// Id of the user's own group.
    pub(super) gid: u32,
    pub(super) home: String,
}

/// Creates or completes the account.
pub(super) fn apply(user: &User) -> Result<(), String> {
    let name = user.name.as_str();
    free_locks();
    let groups = groups();
    if account(name).is_none() {
        let made = [
            "useradd",
            "--create-home",
            "--shell",
            "/bin/bash",
            "--user-group",
            "--password",
            "*",
            "--",
            name,
        ];
        // The group may be left over from an earlier boot.
        let by_itself = line_of("/etc/group", name).is_none();
        let with_group = [
            "useradd",
            "--create-home",
            "--shell",
            "/bin/bash",
            "--gid",
            name,
            "--password",
            "*",
            "--",
            name,
        ];
        tool::run(if by_itself { &made } else { &with_group }, None)?;
    }
    let account = account(name).ok_or_else(|| format!("`{name}` was created but does not exist"))?;
    if !ORDINARY.contains(&account.uid) {
        return Err(format!("`{name}` is a system account: choose another name"));
    }
    complete(&account)?;
    tool::run(&["usermod", "--append", "--groups", &groups.join(","), "--", name], None)?;
    if let Some(password) = &user.password {
        let (words, text): (&[&str], _) = match password {
            Password::Plain(text) => (&["chpasswd"], text),
            Password::Hash(text) => (&["chpasswd", "--encrypted"], text),
        };
        tool::run(words, Some(&format!("{name}:{text}\n")))?;
    }
    sudo(name)
}

/// Completes the steps of useradd after the account itself.
fn complete(account: &Account) -> Result<(), String> {
    let name = account.name.as_str();
    if line_of("/etc/shadow", name).is_none() {
        tool::run(&["pwconv"], None)?;
    }
    let gid = account.gid.to_string();
    if !fs::read_to_string("/etc/group").is_ok_and(|t| t.lines().any(|l| l.split(':').nth(2) == Some(&gid))) {
        tool::run(&["groupadd", "--gid", &gid, "--", name], None)?;
    }
    if Path::new("/etc/gshadow").exists() {
        tool::run(&["grpconv"], None)?;
    }
    let home = Path::new(&account.home);
    if !home.exists() {
        tool::run(&["mkhomedir_helper", name, "0077"], None)?;
    } else if fs::metadata(home).is_ok_and(|meta| meta.uid() != account.uid) {
        tool::run(
            &["chown", "--recursive", "--no-dereference", &format!("{}:{gid}", account.uid), &account.home],
            None,
        )?;
    }
    Ok(())
}

/// A user without a password cannot be asked for one.
fn sudo(name: &str) -> Result<(), String> {
    let written = if has_password(name) {
        durable::remove(Path::new(SUDO))
    } else if Path::new("/etc/sudoers.d").is_dir() {
        let text = template::filled(SUDOERS, &[("user", name)]);
        durable::replace(Path::new(SUDO), Some(0o440), text.as_bytes())
    } else {
        Ok(())
    };
    written.map_err(|e| format!("`{SUDO}`: {}", base::failure::reason(&e)))
}

/// Returns whether this user can log in with a password.
pub(super) fn has_password(name: &str) -> bool {
    let line = line_of("/etc/shadow", name);
    let hash = line.as_deref().and_then(|line| line.split(':').nth(1));
    hash.is_some_and(|hash| !hash.is_empty() && !hash.starts_with(['!', '*']))
}

/// Returns all ordinary users.
pub(super) fn people() -> Vec<Account> {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    text.lines().filter_map(Account::read).filter(|account| ORDINARY.contains(&account.uid)).collect()
}

pub(super) fn account(name: &str) -> Option<Account> {
    Account::read(&line_of("/etc/passwd", name)?)
}

impl Account {
    fn read(line: &str) -> Option<Account> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, _] = fields.as_slice() else { return None };
        Some(Account {
            name: (*name).to_owned(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            home: (*home).to_owned(),
        })
    }
}

fn line_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find(|line| line.split(':').next() == Some(name)).map(str::to_owned)
}

/// Returns the existing groups of the list, and the operators' groups of all products.
fn groups() -> Vec<String> {
    let operators = role::tables().into_iter().filter_map(|table| table.operators);
    let mut groups: Vec<String> = GROUPS.iter().map(|group| (*group).to_owned()).chain(operators).collect();
    groups.retain(|group| line_of("/etc/group", group).is_some());
    groups
}

/// Removes locks that a power loss left behind: they contain a process ID of an earlier boot, which another process may
/// have now. No other program changes accounts this early.
fn free_locks() {
    for file in ["passwd", "shadow", "group", "gshadow", "subuid", "subgid"] {
        let _ = fs::remove_file(format!("/etc/{file}.lock"));
    }
}
