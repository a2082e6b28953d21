//! The user's membership in a group, which explains a refusal by polkit.

use std::fs;

use rustix::process::{getegid, geteuid, getgroups};

/// Membership of a user in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The group does not exist.
    NoGroup,
    /// This process has the group.
    Member,
    /// The user was added after the login.
    LogInAgain,
    /// The user is not a member.
    Stranger,
}

/// Returns the name of this user, or the ID.
pub fn user() -> String {
    let uid = geteuid().as_raw();
    entry("/etc/passwd", |fields| (number(fields.get(2)) == Some(uid)).then(|| fields[0].to_owned()))
        .unwrap_or_else(|| uid.to_string())
}

/// Returns the home directory of a user.
pub fn home(uid: u32) -> Option<String> {
    entry("/etc/passwd", |fields| {
        (number(fields.get(2)) == Some(uid)).then(|| fields.get(5).map(|home| (*home).to_owned()))?
    })
}

/// Returns the ID of a user.
pub fn uid(user: &str) -> Option<u32> {
    entry("/etc/passwd", |fields| (fields[0] == user).then(|| number(fields.get(2)))?)
}

/// Returns the ID of a group.
pub fn gid(group: &str) -> Option<u32> {
    entry("/etc/group", |fields| (fields[0] == group).then(|| number(fields.get(2)))?)
}

/// Returns whether this process runs as root.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Returns this user's membership. It reads only files: a static program cannot use NSS.
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

/// Returns the first result of `find` in a file.
fn entry<T>(file: &str, find: impl Fn(&[&str]) -> Option<T>) -> Option<T> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| find(&line.split(':').collect::<Vec<_>>()))
}
