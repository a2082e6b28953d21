//! Reads files of other users with a size limit, so that a device, a pipe or an endless file neither fills
//! the memory nor blocks.
//!
//! The limits of all input from others:
//!
//! | input | limit | where |
//! |---|---|---|
//! | an environment file | [`ENVIRONMENT`] | `environment.rs`, `executor/doctor/` |
//! | a session file | [`SESSION`] | `executor/snapshot.rs` |
//! | a lock's record | 1 KiB | `lock.rs` |
//! | output of journalctl, a guard and other programs for `rovi` | 64 KiB, 5 s | `executor/ask.rs` |
//! | the UI bridge's configuration | 1 MiB | `executor/fields/config.rs` |
//! | `custom.toml` | 64 KiB | `first-boot/src/settings.rs` |
//! | an HTTP response to a probe | 64 KiB | `watch/http.rs` |
//! | a line of output that is searched | 8 KiB | `watch/copy.rs` |
//! | an alert's configuration, the unit's properties | 64 KiB | `alert/config.rs`, `alert/facts.rs` |
//! | the journal for an alert, a waiting mail | 4 MiB | `alert/journal.rs`, `alert/mail.rs` |
//! | the response to a webhook | 16 KiB | `alert/post.rs` |
//! | a message from systemd | 64 KiB | `manager.rs` |

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Limit for an environment file: more than the environment of any process.
pub const ENVIRONMENT: u64 = 1 << 20;
/// Limit for a session file, which has one line.
pub const SESSION: u64 = 4096;

/// Reads a file of at most `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    open(path, most, OFlags::NONBLOCK)
}

/// Reads a file in another user's directory without following a symlink.
pub fn read_in_place(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    open(path, most, OFlags::NONBLOCK | OFlags::NOFOLLOW)
}

fn open(path: &Path, most: u64, flags: OFlags) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {most} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{read, read_in_place};

    #[test]
    fn what_has_no_end_is_not_read_to_its_end() {
        let folder = std::env::temp_dir().join(format!("bounded-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("file");
        fs::write(&file, "12345").unwrap();
        assert_eq!(read(&file, 5).unwrap(), b"12345");
        assert_eq!(read(&file, 4).unwrap_err().to_string(), "larger than 4 bytes");
        assert!(read(Path::new("/dev/zero"), 1 << 20).is_err());
        let link = folder.join("link");
        std::os::unix::fs::symlink("file", &link).unwrap();
        assert_eq!(read(&link, 5).unwrap(), b"12345");
        assert!(read_in_place(&link, 5).is_err());
        // No process writes to the pipe.
        let pipe = folder.join("pipe");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert_eq!(read_in_place(&pipe, 5).unwrap(), b"");
        fs::remove_dir_all(&folder).unwrap();
    }
}
