//! What this user is to the group that may operate services: the reason behind a refusal of polkit's, which gives none.

use std::fs;

use rustix::process::{getegid, geteuid, getgroups};

/// A user and the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The group is not there.
    NoGroup,
    /// This process has it.
    Member,
    /// The user has been added since the login.
    LogInAgain,
    /// Neither.
    Stranger,
}

/// This user's name, or number.
pub fn user() -> String {
    let uid = geteuid().as_raw();
    entry("/etc/passwd", |fields| (number(fields.get(2)) == Some(uid)).then(|| fields[0].to_owned()))
        .unwrap_or_else(|| uid.to_string())
}

/// The home directory of a user.
pub fn home(uid: u32) -> Option<String> {
    entry("/etc/passwd", |fields| {
        (number(fields.get(2)) == Some(uid)).then(|| fields.get(5).map(|home| (*home).to_owned()))?
    })
}

/// The number of a user.
pub fn uid(user: &str) -> Option<u32> {
    entry("/etc/passwd", |fields| (fields[0] == user).then(|| number(fields.get(2)))?)
}

/// The number of a group.
pub fn gid(group: &str) -> Option<u32> {
    entry("/etc/group", |fields| (fields[0] == group).then(|| number(fields.get(2)))?)
}

/// Whether nothing is refused to this process.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// What this process's user is to the group. Only files are read: this program is static and asks no directory service.
pub fn look_up(group: &str) -> Standing {
    let user = user();
    let found = entry("/etc/group", |fields| {
        let members = fields.get(3).copied().unwrap_or_default();
        (fields[0] == group).then(|| Some((number(fields.get(2))?, members.split(',').any(|m| m == user))))?
    });
    let Some((number, listed)) = found else { return Standing::NoGroup };
    let has = getegid().as_raw() == number
        || getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == number));
    match (has, listed) {
        (true, _) => Standing::Member,
        (false, true) => Standing::LogInAgain,
        (false, false) => Standing::Stranger,
    }
}

fn number(field: Option<&&str>) -> Option<u32> {
    field?.parse().ok()
}

/// What is found in the first entry that has it.
fn entry<T>(file: &str, find: impl Fn(&[&str]) -> Option<T>) -> Option<T> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| find(&line.split(':').collect::<Vec<_>>()))
}
