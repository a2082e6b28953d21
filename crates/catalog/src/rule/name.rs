//! Rules for names of products, packages, users, units and variables.

use crate::finding::{describe_invalid, describe_unknown, quote};
use crate::rule::text::Verdict;

/// Checks a name that the catalog defines: of a product, service, role, lock or kind.
pub fn check_own(value: &str) -> Verdict {
    let mut chars = value.chars();
    let fits = chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !value.ends_with('-')
        && value.len() <= 31;
    if fits {
        Ok(())
    } else {
        Err(describe_invalid(
            "name",
            value,
            "up to 31 lowercase letters, digits and `-`, starting with a letter and not ending with `-`",
        ))
    }
}

/// Checks the name of a product, which starts the names of its units and names its directories: those of the system are
/// reserved.
pub fn check_product(value: &str) -> Verdict {
    const UNITS: &str = "apt console cron dbus debug dev dnf docker dpkg emergency getty grub init initrd kmod local \
        man multi network nfs plymouth podman polkit proc remote rescue rpc run serial session ssh \
        sys system systemd time udev user virt";
    // Directories in /run, /etc and /usr/lib, and BASH_ENV, a variable that bash runs.
    const DIRECTORIES: &str = "alternatives bash binfmt cloud-init credentials default environment firmware fstab group \
        hostname hosts initramfs kernel lock locale log machine-id modules mount opt os-release \
        passwd profile rpm shadow shm sudo tmpfiles";
    check_own(value)?;
    match split_words(UNITS)
        .find(|t| value == *t || value.strip_prefix(t).is_some_and(|r| r.starts_with('-')))
    {
        Some(taken) => Err(format!(
            "\"{value}\" is reserved, because the system has units named {taken}…: choose another name"
        )),
        None if split_words(DIRECTORIES).any(|w| w == value) => {
            Err(format!("\"{value}\" is reserved by the system: choose another name"))
        }
        None => Ok(()),
    }
}

/// Checks a package name for both dpkg and rpm.
pub fn check_package(value: &str) -> Verdict {
    let fits = (2..=100).contains(&value.len())
        && value.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c));
    if fits {
        Ok(())
    } else {
        Err(describe_invalid(
            "name",
            value,
            "2 to 100 lowercase letters, digits, `+`, `-` and `.`, starting with a letter or digit",
        ))
    }
}

/// Checks the name of a user or group that the package creates.
pub fn check_account(value: &str) -> Verdict {
    const TAKEN: &str = "root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats \
        nobody nogroup _apt adm tty disk kmem dialout fax voice cdrom floppy tape sudo wheel audio \
        dip operator src shadow utmp video sasl plugdev staff users input kvm render sgx crontab \
        netdev docker lxd libvirt ssh sshd messagebus polkitd";
    check_login(value)?;
    if split_words(TAKEN).any(|w| w == value) || value.starts_with("systemd-") {
        return Err(format!("\"{value}\" is reserved by the system: choose another name"));
    }
    Ok(())
}

/// Checks the name of a group that may exist already.
pub fn check_group(value: &str) -> Verdict {
    check_login(value)?;
    if ["root", "sudo", "wheel", "shadow", "disk", "kmem", "lxd"].contains(&value) {
        return Err(format!(
            "members of \"{value}\" are administrators: choose a group that grants only the devices needed"
        ));
    }
    Ok(())
}

fn check_login(value: &str) -> Verdict {
    let fits = value.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
        && value.len() <= 31;
    if fits {
        Ok(())
    } else {
        Err(describe_invalid(
            "name",
            value,
            "up to 31 lowercase letters, digits, `-` and `_`, starting with a letter or `_`",
        ))
    }
}

/// Checks the name of a variable, which must keep its value in a unit and in every shell.
pub fn check_variable(value: &str) -> Verdict {
    const SHELL: &str = "_ BASHOPTS BASHPID COMP_WORDBREAKS DIRSTACK ENV EPOCHREALTIME EPOCHSECONDS EUID FUNCNAME \
        FUNCNEST GROUPS HISTCMD IFS IGNOREEOF LINENO MAIL MAILCHECK MAILPATH OLDPWD OPTERR OPTIND \
        POSIXLY_CORRECT PPID PROMPT_COMMAND PS0 PS1 PS2 PS4 PWD RANDOM SECONDS SHELLOPTS SRANDOM UID SHLVL TMOUT";
    const SYSTEMD: [&str; 5] =
        ["INVOCATION_ID", "JOURNAL_STREAM", "MAINPID", "NOTIFY_SOCKET", "SYSTEMD_EXEC_PID"];
    let fits = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && value.len() <= 128;
    if !fits {
        return Err(describe_invalid(
            "variable name",
            value,
            "up to 128 letters, digits and `_`, not starting with a digit",
        ));
    }
    let owner = if split_words(SHELL).any(|w| w == value) || value.starts_with("BASH_") {
        "shells"
    } else if SYSTEMD.contains(&value) || value.starts_with("LISTEN_") || value.starts_with("WATCHDOG_") {
        "systemd"
    } else {
        return Ok(());
    };
    Err(format!("\"{value}\" is reserved by {owner}: choose another name"))
}

/// Checks the full name of a unit of another package.
pub fn check_unit(value: &str) -> Verdict {
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
        return Err(describe_invalid("unit name", value, "a full name, such as network.target"));
    };
    if !SUFFIXES.contains(&suffix) {
        return Err(describe_unknown("unit suffix", suffix, SUFFIXES));
    }
    if stem.ends_with('@') {
        return Err(format!("{} is a template: name an instance, such as {stem}NAME.{suffix}", quote(value)));
    }
    let fits = !stem.is_empty()
        && value.len() <= 255
        && stem.chars().all(|c| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c));
    if fits {
        Ok(())
    } else {
        Err(describe_invalid("unit name", value, "up to 255 letters, digits and `:-_.\\@`"))
    }
}

/// Regular expression for the name of an instance: it can be a file name, and no program takes it for an option.
pub const INSTANCE: &str = "[A-Za-z0-9][A-Za-z0-9_.-]{0,62}";

/// Checks the name of an instance: see [`INSTANCE`].
pub fn check_instance(value: &str) -> Verdict {
    let fits = value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        && value.len() <= 63;
    if fits {
        Ok(())
    } else {
        Err(describe_invalid(
            "instance name",
            value,
            "up to 63 letters, digits, `_`, `.` and `-`, starting with a letter or digit",
        ))
    }
}

/// Checks the name of a process.
pub fn check_process(value: &str) -> Verdict {
    super::text::check_free(value)?;
    let fits = !value.is_empty()
        && value.len() <= 255
        && !value.contains('/')
        && !value.contains(char::is_whitespace);
    if fits {
        Ok(())
    } else {
        Err(describe_invalid(
            "process name",
            value,
            "the name of a program or script, without directories or spaces",
        ))
    }
}

/// Checks a frame of reference.
pub fn check_frame(value: &str) -> Verdict {
    super::text::check_free(value)?;
    let fits = !value.is_empty() && value.len() <= 255 && !value.contains(char::is_whitespace);
    if fits { Ok(()) } else { Err(describe_invalid("frame", value, "a name without spaces, such as map")) }
}

/// Checks a version, which dpkg and rpm must sort alike.
pub fn check_version(value: &str) -> Verdict {
    let (numbers, pre) = value.split_once('-').map_or((value, None), |(n, p)| (n, Some(p)));
    let number = |n: &str| {
        (1..=9).contains(&n.len())
            && n.chars().all(|c| c.is_ascii_digit())
            && (n == "0" || !n.starts_with('0'))
    };
    let word = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric());
    let fits = numbers.split('.').count() == 3
        && numbers.split('.').all(number)
        && value.len() <= 64
        && pre.is_none_or(|p| p.split('.').all(word));
    if fits {
        Ok(())
    } else {
        Err(describe_invalid("version", value, "MAJOR.MINOR.PATCH, such as 1.4.0 or 1.5.0-rc.1"))
    }
}

/// Parses a version for sorting: its numbers, and whether it is a release, which comes after its pre-releases.
pub fn parse_version(version: &str) -> (Vec<u64>, bool) {
    let (numbers, released) =
        version.split_once('-').map_or((version, true), |(numbers, _)| (numbers, false));
    (numbers.split('.').map(|n| n.parse().unwrap_or(0)).collect(), released)
}

/// Tells whether a relation to another package can name this version.
pub(super) fn is_version(value: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || ".+~:-^_".contains(c))
}

/// Checks a device for `DeviceAllow=`.
pub fn check_device(value: &str) -> Verdict {
    let class = value.strip_prefix("char-").or_else(|| value.strip_prefix("block-"));
    let fits = class
        .is_some_and(|c| !c.is_empty() && c.chars().all(|c| c.is_ascii_alphanumeric() || "-_*?".contains(c)))
        || (value.starts_with("/dev/") && super::path::check_plain(value).is_ok());
    if fits {
        Ok(())
    } else {
        Err(describe_invalid(
            "device",
            value,
            "char-NAME or block-NAME from /proc/devices, or a path in /dev",
        ))
    }
}

fn split_words(list: &str) -> impl Iterator<Item = &str> {
    list.split_ascii_whitespace()
}
