//! Keyboard, time zone and language.

use std::fs;
use std::path::Path;

use base::failure::reason;

use crate::{durable, template, tool};

const KEYBOARD: &str = include_str!("files/keyboard");
const LOCALE: &str = include_str!("files/locale.conf");
const ZONES: &str = "/usr/share/zoneinfo";

pub(super) fn keymap(name: &str) -> Result<(), String> {
    let text = template::filled(KEYBOARD, &[("keymap", name)]);
    write("/etc/default/keyboard", &text)?;
    // Newer Debian releases make this a symlink to the other file at every boot.
    let console = Path::new("/etc/vconsole.conf");
    if console.is_symlink() { Ok(()) } else { write("/etc/vconsole.conf", &text) }
}

pub(super) fn timezone(name: &str) -> Result<(), String> {
    let zone = Path::new(ZONES).join(name);
    if !zone.is_file() {
        return Err(format!("`{}` does not exist: write a name such as Europe/Berlin", zone.display()));
    }
    durable::link(Path::new("/etc/localtime"), &format!("..{}", zone.display()))
        .map_err(|e| format!("`/etc/localtime`: {}", reason(&e)))?;
    write("/etc/timezone", &format!("{name}\n"))
}

pub(super) fn language(name: &str) -> Result<(), String> {
    if !is_there(name) {
        let (list, generate) = ("/etc/locale.gen", "locale-gen");
        let charset = name.split_once('.').map_or("UTF-8", |(_, charset)| charset);
        let known = fs::read_to_string("/usr/share/i18n/SUPPORTED").unwrap_or_default();
        let line = format!("{name} {charset}");
        if !tool::exists(generate) || !known.lines().any(|known| known.trim() == line) {
            return Err(
                "not available on this machine: install the package locales, or write C.UTF-8".to_owned()
            );
        }
        let old = fs::read_to_string(list).unwrap_or_default();
        if !old.lines().any(|old| old.trim() == line) {
            write(list, &format!("{old}\n{line}\n"))?;
        }
        tool::run(&[generate], None)?;
    }
    let text = template::filled(LOCALE, &[("language", name)]);
    write("/etc/locale.conf", &text)?;
    // The file that logins read on Debian; in newer releases it is a symlink.
    let old = Path::new("/etc/default/locale");
    if old.is_symlink() { Ok(()) } else { write("/etc/default/locale", &text) }
}

/// Returns whether the C library has the locale.
fn is_there(name: &str) -> bool {
    if ["C", "POSIX"].contains(&name) || name.eq_ignore_ascii_case("C.UTF-8") {
        return true;
    }
    // The C library writes `UTF-8` as `utf8`.
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "");
    let listed = tool::run(&["locale", "--all-locales"], None).unwrap_or_default();
    listed.lines().any(|line| plain(line) == plain(name))
}

fn write(path: &str, text: &str) -> Result<(), String> {
    durable::replace(Path::new(path), Some(0o644), text.as_bytes())
        .map_err(|e| format!("`{path}`: {}", reason(&e)))
}
