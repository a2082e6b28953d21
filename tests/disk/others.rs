//! Runs other file system tools and parses their output.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

pub(crate) const NEEDED: [(&str, &str); 11] = [
    ("/usr/sbin/debugfs", "e2fsprogs"),
    ("/usr/sbin/mke2fs", "e2fsprogs"),
    ("/usr/sbin/fsck.fat", "dosfstools"),
    ("mcopy", "mtools"),
    ("/usr/sbin/sfdisk", "fdisk"),
    ("bmaptool", "bmap-tools"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
    ("dpkg-deb", "dpkg"),
    ("setfattr", "attr"),
    ("keyctl", "keyutils"),
];

/// Returns a command for a program, which may be in root's `PATH`.
pub(crate) fn command(program: &str) -> Command {
    static READY: OnceLock<()> = OnceLock::new();
    READY.get_or_init(|| testbed::host::need(&NEEDED).unwrap());
    let mut command = Command::new("env");
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    command.arg(format!("PATH={path}")).arg("LC_ALL=C.UTF-8").arg(program);
    command
}

/// Runs a program that must succeed; returns its output.
pub(crate) fn ok(program: &str, words: &[&str]) -> String {
    let output = command(program).args(words).output().unwrap();
    assert!(output.status.success(), "{program} {words:?}: {}", both(&output));
    both(&output)
}

pub(crate) fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What debugfs reports for a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) inode: u32,
    /// Type and permissions, in octal.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds and nanoseconds.
    pub(crate) modified: (i64, u32),
    pub(crate) links: u32,
    pub(crate) size: u64,
    /// Device numbers.
    pub(crate) device: Option<(u32, u32)>,
    /// Target of a symlink.
    pub(crate) target: Option<String>,
    pub(crate) blocks: u64,
}

/// An ext4 in a file, from an offset on, as e2fsprogs see it.
pub(crate) struct Other {
    name: String,
}

impl Other {
    /// Opens an ext4 after a successful e2fsck.
    pub(crate) fn checked(file: &Path, at: u64) -> Other {
        let name = format!("{}?offset={at}", file.display());
        let output = command("e2fsck").args(["-fn", &name]).output().unwrap();
        assert!(output.status.success(), "e2fsck: {}", both(&output));
        Other { name }
    }

    fn ask(&self, requests: &str, dir: &Path) -> Vec<u8> {
        fs::write(dir.join("requests"), requests).unwrap();
        let output = command("debugfs").arg("-f").arg(dir.join("requests")).arg(&self.name).output().unwrap();
        assert!(output.status.success(), "{}", both(&output));
        output.stdout
    }

    /// Returns every path except `lost+found`.
    pub(crate) fn paths(&self, dir: &Path) -> BTreeMap<String, Seen> {
        let mut inodes: BTreeMap<String, u32> = BTreeMap::from([("/".to_owned(), 2)]);
        let mut folders = vec![("/".to_owned(), 2)];
        while let Some((folder, inode)) = folders.pop() {
            let listed = self.ask(&format!("ls -p <{inode}>\n"), dir);
            // Names contain no slash.
            let start = listed.iter().position(|byte| *byte == b'/').unwrap();
            let fields: Vec<&[u8]> = listed[start..].split(|byte| *byte == b'/').collect();
            for entry in fields.chunks(7).filter(|entry| entry.len() == 7) {
                let name = String::from_utf8(entry[5].to_vec()).unwrap();
                let number: u32 = std::str::from_utf8(entry[1]).unwrap().parse().unwrap();
                if name == "." || name == ".." || number == 11 {
                    continue;
                }
                let path = if folder == "/" { format!("/{name}") } else { format!("{folder}/{name}") };
                if entry[2].starts_with(b"04") {
                    folders.push((path.clone(), number));
                }
                inodes.insert(path, number);
            }
        }
        let requests: String = inodes.values().map(|inode| format!("stat <{inode}>\n")).collect();
        let output = String::from_utf8_lossy(&self.ask(&requests, dir)).into_owned();
        let stats: Vec<&str> = output.split("debugfs: stat ").skip(1).collect();
        assert_eq!(stats.len(), inodes.len());
        inodes.into_iter().zip(stats).map(|((path, _), stat)| (path, seen(stat))).collect()
    }

    /// Returns the contents of files.
    pub(crate) fn content(&self, inodes: &[u32], dir: &Path) -> Vec<Vec<u8>> {
        let place = |inode: &u32| dir.join(format!("content-{inode}"));
        let requests: String =
            inodes.iter().map(|inode| format!("dump <{inode}> {}\n", place(inode).display())).collect();
        self.ask(&requests, dir);
        inodes.iter().map(|inode| fs::read(place(inode)).unwrap()).collect()
    }

    /// Returns an extended attribute; its name must be a plain word.
    pub(crate) fn attribute(&self, inode: u32, name: &str, dir: &Path) -> Vec<u8> {
        let place = dir.join("attribute");
        let _ = fs::remove_file(&place);
        self.ask(&format!("ea_get -f {} <{inode}> {name}\n", place.display()), dir);
        fs::read(&place).unwrap_or_else(|_| panic!("<{inode}> has no {name}"))
    }
}

/// Parses the output of `stat`.
fn seen(text: &str) -> Seen {
    let after = |word: &str| text.split_once(word).map(|(_, rest)| rest.trim_start());
    let number = |word: &str| -> i64 {
        let rest = after(word).unwrap_or_else(|| panic!("no {word} in {text}"));
        let digits: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
        digits.parse().unwrap_or_else(|_| panic!("{word} in {text}"))
    };
    let kind = after("Type:").unwrap().split_whitespace().next().unwrap();
    let kind = match kind {
        "regular" => 0o100_000,
        "directory" => 0o040_000,
        "symlink" => 0o120_000,
        "character" => 0o020_000,
        "block" => 0o060_000,
        "FIFO" => 0o010_000,
        "socket" => 0o140_000,
        other => panic!("{other}"),
    };
    let mode = after("Mode:").unwrap().split_whitespace().next().unwrap();
    let time = after(" mtime:").unwrap().split_whitespace().next().unwrap();
    let (low, extra) = time.split_once(':').unwrap();
    let (low, extra) = (
        u32::from_str_radix(low.trim_start_matches("0x"), 16).unwrap(),
        u32::from_str_radix(extra, 16).unwrap(),
    );
    let seconds = i64::from(low as i32) + (i64::from(extra & 3) << 32);
    let device = after("New-style):").or_else(|| after("Device major/minor number:")).map(|rest| {
        let (major, rest) = rest.split_once(':').unwrap();
        let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
        (major.trim().parse().unwrap(), minor.parse().unwrap())
    });
    let target = after("Fast link dest: \"").map(|rest| rest[..rest.rfind('"').unwrap()].to_owned());
    Seen {
        inode: number("Inode:") as u32,
        mode: kind | u32::from_str_radix(mode, 8).unwrap(),
        // Large numbers are printed as negative ones.
        uid: number("User:") as u32,
        gid: number("Group:") as u32,
        modified: (seconds, extra >> 2),
        links: number("Links:") as u32,
        size: number("Size:") as u64,
        device,
        target,
        blocks: number("Blockcount:") as u64,
    }
}
