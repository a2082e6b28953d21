//! Rules for names: of products, packages, users, units and variables.

use crate::finding::known;
use crate::rule::text::Verdict;

/// A name of ours: product, service, role, lock, kind.
pub fn ours(value: &str) -> Verdict {
    let mut chars = value.chars();
    let fits = chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !value.ends_with('-')
        && value.len() <= 31;
    if fits {
        Ok(())
    } else {
        Err(malformed(value, "lower-case letters, digits and `-`, at most 31, a letter first"))
    }
}

/// A product's name starts its units' names: those of the system are taken.
pub fn product(value: &str) -> Verdict {
    const TAKEN: [&str; 12] = [
        "systemd", "dbus", "polkit", "init", "getty", "user", "session", "run", "ssh", "udev", "network",
        "rescue",
    ];
    ours(value)?;
    match TAKEN.iter().find(|t| value == **t || value.strip_prefix(**t).is_some_and(|r| r.starts_with('-'))) {
        Some(taken) => {
            Err(format!("\"{value}\" is reserved, units named {taken}… belong to the system: choose another"))
        }
        None => Ok(()),
    }
}

/// A package name that both dpkg and rpm take.
pub fn package(value: &str) -> Verdict {
    let fits = value.len() >= 2
        && value.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c));
    if fits {
        Ok(())
    } else {
        Err(malformed(value, "at least two of lower-case letters, digits, `+`, `-`, `.`"))
    }
}

/// A user or group of ours.
pub fn account(value: &str) -> Verdict {
    const TAKEN: [&str; 20] = [
        "root",
        "daemon",
        "bin",
        "sys",
        "sync",
        "mail",
        "man",
        "proxy",
        "www-data",
        "backup",
        "nobody",
        "nogroup",
        "adm",
        "sudo",
        "wheel",
        "shadow",
        "disk",
        "tty",
        "messagebus",
        "polkitd",
    ];
    let fits = value.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
        && value.len() <= 31;
    if !fits {
        return Err(malformed(
            value,
            "lower-case letters, digits, `-` and `_`, at most 31, a letter or `_` first",
        ));
    }
    if TAKEN.contains(&value) || value.starts_with("systemd-") {
        return Err(format!("\"{value}\" is reserved, it belongs to the system: choose another"));
    }
    Ok(())
}

/// A group that may exist already.
pub fn foreign_group(value: &str) -> Verdict {
    let fits = value.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
        && value.len() <= 31;
    if !fits {
        return Err(malformed(
            value,
            "lower-case letters, digits, `-` and `_`, at most 31, a letter or `_` first",
        ));
    }
    if ["root", "sudo", "wheel", "shadow", "disk"].contains(&value) {
        return Err(format!(
            "\"{value}\" makes its members administrators: choose a group for the devices needed"
        ));
    }
    Ok(())
}

/// An environment variable.
pub fn variable(value: &str) -> Verdict {
    let fits = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if fits { Ok(()) } else { Err(malformed(value, "letters, digits and `_`, no digit first")) }
}

/// A unit that is not ours, named with its suffix.
pub fn foreign_unit(value: &str) -> Verdict {
    const SUFFIXES: [&str; 11] = [
        "service",
        "socket",
        "target",
        "device",
        "mount",
        "automount",
        "swap",
        "timer",
        "path",
        "slice",
        "scope",
    ];
    let Some((stem, suffix)) = value.rsplit_once('.') else {
        return Err(malformed(value, "a unit's whole name, such as network.target"));
    };
    if !SUFFIXES.contains(&suffix) {
        return Err(format!("\"{value}\" ends in no kind of unit: {}", known(SUFFIXES)));
    }
    let fits = !stem.is_empty()
        && value.len() <= 255
        && stem.chars().all(|c| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c));
    if fits { Ok(()) } else { Err(malformed(value, "letters, digits and `:-_.\\@`, at most 255")) }
}

/// The name of a process, as it is compared with the programs of a unit.
pub fn process(value: &str) -> Verdict {
    let fits = !value.is_empty() && !value.contains(['/', '\0']) && !value.contains(char::is_whitespace);
    if fits {
        Ok(())
    } else {
        Err(malformed(value, "the name of a program or script, without directories or spaces"))
    }
}

/// A version that dpkg and rpm order alike, as numbers; a pre-release follows a `-`.
pub fn version(value: &str) -> Verdict {
    let (numbers, pre) = value.split_once('-').map_or((value, None), |(n, p)| (n, Some(p)));
    let number =
        |n: &str| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()) && (n == "0" || !n.starts_with('0'));
    let fits = numbers.split('.').count() == 3
        && numbers.split('.').all(number)
        && pre.is_none_or(|p| {
            !p.is_empty()
                && p.split('.').all(|w| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric()))
        });
    if fits { Ok(()) } else { Err(malformed(value, "MAJOR.MINOR.PATCH, such as 1.4.0 or 1.5.0-rc.1")) }
}

/// A device that a service may use.
pub fn device(value: &str) -> Verdict {
    let class = value.strip_prefix("char-").or_else(|| value.strip_prefix("block-"));
    let fits = class
        .is_some_and(|c| !c.is_empty() && c.chars().all(|c| c.is_ascii_alphanumeric() || "-_*?".contains(c)))
        || (value.starts_with("/dev/") && super::text::path(value).is_ok());
    if fits {
        Ok(())
    } else {
        Err(malformed(value, "char-NAME or block-NAME as in /proc/devices, or a path in /dev"))
    }
}

fn malformed(value: &str, valid: &str) -> String {
    format!("\"{}\" is malformed: use {valid}", value.escape_debug())
}
