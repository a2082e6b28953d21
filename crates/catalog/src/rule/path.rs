//! Rules for paths: no `.` or `..`, and no characters with a special meaning in the files that they go into.

use crate::finding::{describe_invalid, join_or, quote};
use crate::rule::text::{self, Verdict};

/// Specifiers that stand for an absolute path.
const DIRECTORIES: &str = "hCdELStTV";

/// Checks a path in a unit, where systemd expands specifiers but no variables.
pub fn check_in_unit(value: &str) -> Verdict {
    text::check_setting(value)?;
    if value.contains("${") {
        return Err(
            "contains `${`, but systemd does not expand variables here: write the directory".to_owned()
        );
    }
    let mut start = value.chars();
    let absolute = match (start.next(), start.next()) {
        (Some('/'), _) => true,
        (Some('%'), Some(letter)) => DIRECTORIES.contains(letter),
        _ => false,
    };
    if !absolute {
        return Err(format!("{} is not an absolute path: start it with `/`", quote(value)));
    }
    check_parts(value)
}

/// Checks the program that a unit runs: systemd allows no quotes, backslashes or variables in it.
pub fn check_program(value: &str) -> Verdict {
    check_in_unit(value)?;
    check_file(value)?;
    match value.chars().find(|c| "\"'\\$".contains(*c)) {
        Some(c) => Err(format!(
            "contains `{c}`, which systemd does not allow in the path of a program: rename the program"
        )),
        None => Ok(()),
    }
}

/// Checks a path for `run_stack`, which expands `${NAME}` but no specifiers.
pub fn check_launched(value: &str) -> Verdict {
    text::check_setting(value)?;
    if !value.starts_with('/') && !value.starts_with("${") {
        return Err(format!("{} is not an absolute path: start it with `/` or `${{NAME}}`", quote(value)));
    }
    check_parts(value)
}

/// Checks a path that goes unquoted into sysusers.d, tmpfiles.d and scripts.
pub fn check_plain(value: &str) -> Verdict {
    text::check_setting(value)?;
    if !value.starts_with('/') {
        return Err(format!("{} is not an absolute path: start it with `/`", quote(value)));
    }
    if let Some(c) = value.chars().find(|c| !c.is_ascii_alphanumeric() && !"/._+@-".contains(*c)) {
        return Err(format!("contains `{c}`: use letters, digits and `/._+@-`"));
    }
    check_parts(value)
}

fn check_file(value: &str) -> Verdict {
    if value == "/" { Err("is a directory: write the path of a file".to_owned()) } else { Ok(()) }
}

/// Checks the login shell of an account.
pub fn check_shell(value: &str) -> Verdict {
    check_plain(value)?;
    check_file(value)
}

/// Checks a script that `run_stack` sources.
pub fn check_script(value: &str) -> Verdict {
    check_launched(value)?;
    check_file(value)
}

/// Checks a directory that systemd-tmpfiles gives to an account: it must not belong to anybody else.
pub fn check_home(value: &str) -> Verdict {
    const BASES: [&str; 4] = ["/var/lib/", "/srv/", "/opt/", "/home/"];
    const TAKEN: [&str; 14] = [
        "apt",
        "AccountsService",
        "cloud",
        "dbus",
        "dnf",
        "dpkg",
        "initramfs-tools",
        "misc",
        "NetworkManager",
        "pam",
        "polkit-1",
        "private",
        "rpm",
        "systemd",
    ];
    check_plain(value)?;
    let Some(below) = BASES.iter().find_map(|base| value.strip_prefix(base)) else {
        return Err(format!(
            "{} may belong to others: choose a path below {}",
            quote(value),
            join_or(BASES.map(str::to_owned))
        ));
    };
    let first = below.split('/').next().unwrap_or_default();
    if value.starts_with(BASES[0]) && TAKEN.contains(&first) {
        return Err(format!(
            "{} belongs to the system: choose another path below {}",
            quote(value),
            BASES[0]
        ));
    }
    Ok(())
}

/// Checks the mode of a directory: four digits, and not writable for everybody.
pub fn check_mode(value: &str) -> Verdict {
    let digits =
        value.strip_prefix('0').filter(|d| d.len() == 3 && d.chars().all(|c| ('0'..='7').contains(&c)));
    match digits.and_then(|d| d.chars().last()) {
        None => Err(describe_invalid("mode", value, "four digits, such as 0750")),
        Some('2' | '3' | '6' | '7') => {
            Err(format!("mode {} lets everybody write: use a stricter one, such as 0750", quote(value)))
        }
        Some(_) => Ok(()),
    }
}

/// Checks a path that is relative to some directory.
pub fn check_relative(value: &str) -> Verdict {
    text::check_setting(value)?;
    if value.starts_with(['/', '~']) {
        return Err(format!(
            "{} is not a relative path: start it with the name of a file or folder",
            quote(value)
        ));
    }
    check_parts(value)
}

fn check_parts(value: &str) -> Verdict {
    let mut parts = value.strip_prefix('/').unwrap_or(value).split('/');
    if parts.clone().any(|part| part == "..") {
        return Err("contains `..`: write the path without it".to_owned());
    }
    if value != "/" && parts.clone().any(|part| part.is_empty() || part == ".") {
        return Err("contains an empty part or `.`: write the path without it".to_owned());
    }
    if parts.any(|part| part.len() > 255) {
        return Err("has a part of more than 255 bytes, which no file name can have: shorten it".to_owned());
    }
    Ok(())
}
