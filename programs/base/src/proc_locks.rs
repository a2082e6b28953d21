//! Finds the holders of a `flock(2)` in `/proc/locks`. The content of a lock file proves nothing, because
//! several users may write it; the kernel names the process that took each lock.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// Returns the processes that hold an exclusive or shared lock on the open file. Empty where the kernel does
/// not show locks, or where the processes have other IDs in their own namespace.
pub fn find(file: &File) -> Vec<i32> {
    let name = name(file);
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    locks.lines().filter_map(|line| parse(line, name.as_deref()?)).collect()
}

/// Parses a line such as `3: FLOCK  ADVISORY  WRITE 4711 00:1a:802 0 EOF`. `->` before the kind marks a
/// waiting process.
fn parse(line: &str, name: &str) -> Option<i32> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [_, "FLOCK", _, _, pid, file, ..] if file == name => pid.parse().ok(),
        _ => None,
    }
}

/// Returns the name of the file in `/proc/locks`. Its device is that of the mounted file system, which `stat`
/// does not show for overlayfs and btrfs.
fn name(file: &File) -> Option<String> {
    let metadata = file.metadata().ok()?;
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).unwrap_or_default();
    let field = |name: &str| info.lines().find_map(|l| l.strip_prefix(name)).map(str::trim);
    let (major, minor) = field("mnt_id:")
        .and_then(device)
        .unwrap_or_else(|| (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev())));
    let inode = field("ino:").and_then(|number| number.parse().ok()).unwrap_or(metadata.ino());
    Some(format!("{major:02x}:{minor:02x}:{inode}"))
}

/// Returns the device of a mount.
fn device(mount: &str) -> Option<(u32, u32)> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let device = mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        (words.next() == Some(mount)).then(|| words.nth(1))?
    })?;
    let (major, minor) = device.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lines_of_locks() {
        let name = "00:1a:802";
        assert_eq!(parse("3: FLOCK  ADVISORY  WRITE 4711 00:1a:802 0 EOF", name), Some(4711));
        assert_eq!(parse("3: FLOCK  ADVISORY  READ  4711 00:1a:802 0 EOF", name), Some(4711));
        for other in [
            "3: -> FLOCK  ADVISORY  WRITE 4711 00:1a:802 0 EOF",
            "3: POSIX  ADVISORY  WRITE 4711 00:1a:802 0 EOF",
            "3: OFDLCK ADVISORY  WRITE -1 00:1a:802 0 EOF",
            "3: FLOCK  ADVISORY  WRITE 4711 00:1a:80 0 EOF",
            "3: FLOCK  ADVISORY  WRITE x 00:1a:802 0 EOF",
            "3: FLOCK",
            "",
        ] {
            assert_eq!(parse(other, name), None, "{other}");
        }
    }
}
