//! Whether the root is written to: a word of the kernel's command line on the boot partition, which any PC can take away.
//!
//! The line is changed where it stands, and never gets shorter: a file system of FAT is consistent then whenever the
//! current is cut.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::failure::{Failure, reason};
use crate::first_boot::durable;

/// The file with the kernel's command line.
pub const COMMAND_LINE: &str = "cmdline.txt";
/// What makes the first process of the machine this program.
const WORD: &str = "init=/usr/libexec/first-boot/first-boot";
/// What the first process leaves for whoever wants to know.
pub(super) const MARK: &str = "/run/first-boot/read-only";

/// Whether nothing is written to the root of this boot.
pub fn now() -> bool {
    Path::new(MARK).exists()
}

/// Whether nothing will be from the next boot on.
pub fn next(boot: &Path) -> Result<bool, Failure> {
    let path = boot.join(COMMAND_LINE);
    let failed = |e: io::Error| Failure::failed(format!("`{}`: {}", path.display(), reason(&e)));
    let text = durable::read(&path, 1 << 16).map_err(failed)?.unwrap_or_default();
    Ok(find(&text).is_some())
}

/// Switches it; whether that was a change.
pub fn set(boot: &Path, on: bool) -> Result<bool, Failure> {
    let path = boot.join(COMMAND_LINE);
    let failed = |e: io::Error| {
        let told = format!("`{}`: {}: mount the boot partition, writable", path.display(), reason(&e));
        Failure::failed(told)
    };
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
    let mut text = durable::read(&path, 1 << 16).map_err(failed)?.unwrap_or_default();
    match (find(&text), on) {
        (Some(_), true) | (None, false) => return Ok(false),
        (Some(at), false) => text[at..at + WORD.len()].fill(b' '),
        (None, true) => {
            if text.split(|b| b.is_ascii_whitespace()).any(|word| word.starts_with(b"init=")) {
                return Err(Failure::failed(format!(
                    "`{}`: names another init: take that word away first",
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

/// Where the word stands.
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
        assert!(set(&boot, true).unwrap_err().message.contains("another init"));
        fs::remove_dir_all(&boot).unwrap();
    }
}
