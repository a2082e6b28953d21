//! Switches the read-only root with a kernel option on the boot partition, which any PC can remove. The
//! option is in the command line file of the board's firmware, or in each entry of a UEFI boot loader.
//!
//! The line is changed in place and never gets shorter, so that the FAT file system stays consistent after a
//! power loss.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use base::failure::{Failure, reason};

use crate::durable;

const COMMAND_LINE: &str = "cmdline.txt";
/// UEFI boot loader entries; the last line of each is `options`.
const ENTRIES: &str = "loader/entries";
const LAST_LINE: &[u8] = b"options ";
/// The kernel option that starts this program as the first process.
const WORD: &str = "init=/usr/libexec/first-boot/first-boot";
/// Exists if the root of this boot is read-only.
pub(super) const MARK: &str = "/run/first-boot/read-only";

/// Returns whether the root of this boot is read-only.
pub fn now() -> bool {
    Path::new(MARK).exists()
}

/// Returns whether the root will be read-only from the next boot on.
pub fn next(boot: &Path) -> Result<bool, Failure> {
    let failed = |path: &Path, e: io::Error| Failure::failed(format!("`{}`: {}", path.display(), reason(&e)));
    for path in files(boot) {
        let text = durable::read(&path, 1 << 16).map_err(|e| failed(&path, e))?.unwrap_or_default();
        if find(&text).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Switches the root, for every kernel; returns whether anything changed.
pub fn set(boot: &Path, on: bool) -> Result<bool, Failure> {
    let changes = files(boot).into_iter().map(|path| set_in(&path, on));
    changes.collect::<Result<Vec<bool>, _>>().map(|changes| changes.contains(&true))
}

/// Returns the files with a command line. If there are none, the file of a board's firmware is missing.
fn files(boot: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(boot.join(ENTRIES)).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut entries: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "conf")).collect();
    entries.sort();
    let single = boot.join(COMMAND_LINE);
    if entries.is_empty() || single.exists() { vec![single] } else { entries }
}

fn set_in(path: &Path, on: bool) -> Result<bool, Failure> {
    let failed = |e: io::Error| {
        let told = format!("`{}`: {}: mount the boot partition read-write", path.display(), reason(&e));
        Failure::failed(told)
    };
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
    let mut text = durable::read(path, 1 << 16).map_err(failed)?.unwrap_or_default();
    let last = text.trim_ascii_end().rsplit(|b| *b == b'\n').next().unwrap_or_default();
    if !path.ends_with(COMMAND_LINE) && !last.starts_with(LAST_LINE) {
        return Err(Failure::failed(format!(
            "`{}`: last line is not `options`: move that line to the end",
            path.display()
        )));
    }
    match (find(&text), on) {
        (Some(_), true) | (None, false) => return Ok(false),
        (Some(at), false) => text[at..at + WORD.len()].fill(b' '),
        (None, true) => {
            if text.split(|b| b.is_ascii_whitespace()).any(|word| word.starts_with(b"init=")) {
                return Err(Failure::failed(format!(
                    "`{}`: contains another init= option: remove it first",
                    path.display()
                )));
            }
            let length = text.len();
            text.truncate(text.trim_ascii_end().len());
            if !text.is_empty() {
                text.push(b' ');
            }
            text.extend_from_slice(WORD.as_bytes());
            text.resize(text.len().max(length.saturating_sub(1)), b' ');
            text.push(b'\n');
        }
    }
    file.write_all_at(&text, 0).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(true)
}

fn find(text: &[u8]) -> Option<usize> {
    let ends = |at: usize| text.get(at).is_none_or(u8::is_ascii_whitespace);
    let begins = |at: usize| at == 0 || ends(at - 1);
    let mut places = text.windows(WORD.len()).enumerate();
    places
        .find(|(at, word)| *word == WORD.as_bytes() && begins(*at) && ends(at + WORD.len()))
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{WORD, next, set};

    #[test]
    fn the_line_never_gets_shorter() {
        let boot = std::env::temp_dir().join(format!("first-boot-line-{}", std::process::id()));
        fs::create_dir_all(&boot).unwrap();
        let path = boot.join("cmdline.txt");
        assert!(set(&boot, true).unwrap_err().message.contains("no such file"));
        for text in [
            "console=tty1 root=x rootwait",
            "root=x\r\n",
            "root=x                                                  \n",
            "",
        ] {
            fs::write(&path, text).unwrap();
            assert!(set(&boot, true).unwrap());
            let on = fs::read_to_string(&path).unwrap();
            assert!(on.len() >= text.len() && next(&boot).unwrap(), "{on:?}");
            assert_eq!(on.trim(), format!("{} {WORD}", text.trim()).trim());
            assert!(!set(&boot, true).unwrap());
            assert!(set(&boot, false).unwrap());
            let off = fs::read_to_string(&path).unwrap();
            assert_eq!((off.trim(), off.len()), (text.trim(), on.len()));
            // Again and again, it needs no more room.
            set(&boot, true).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), on);
        }
        fs::write(&path, "root=x init=/bin/sh\n").unwrap();
        assert!(set(&boot, true).unwrap_err().message.contains("another init= option"));
        fs::remove_dir_all(&boot).unwrap();
    }

    #[test]
    fn every_entry_of_a_boot_loader_is_switched() {
        let boot = std::env::temp_dir().join(format!("first-boot-entries-{}", std::process::id()));
        let folder = boot.join("loader/entries");
        fs::create_dir_all(&folder).unwrap();
        let paths = ["6.1.conf", "6.2.conf"].map(|name| folder.join(name));
        let text = "title Debian\nlinux /vmlinuz\ninitrd /initrd.img\noptions root=x rootwait \n";
        paths.iter().for_each(|path| fs::write(path, text).unwrap());
        let said = || paths.clone().map(|path| fs::read_to_string(path).unwrap());
        assert!(!next(&boot).unwrap() && set(&boot, true).unwrap() && next(&boot).unwrap());
        let on = text.replace("rootwait ", &format!("rootwait {WORD}"));
        assert_eq!(said(), [on.as_str(); 2]);
        assert!(!set(&boot, true).unwrap() && set(&boot, false).unwrap() && !next(&boot).unwrap());
        assert_eq!(said().map(|now| now.trim().to_owned()), [text.trim(); 2]);
        fs::write(&paths[1], "options root=x\nlinux /vmlinuz\n").unwrap();
        assert!(set(&boot, true).unwrap_err().message.contains("last line is not `options`"));
        fs::remove_dir_all(&boot).unwrap();
    }
}
