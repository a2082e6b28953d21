//! The root file system of a card: takes a part of a file, gives what is at a path.

use std::fs::File;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, ensure};
use mkext4::reader::{Fs, ReadAt};
use mkext4::spec::inode::FileType;

/// A link that leads to a link, and so on: more than any system has.
const MOST_LINKS: usize = 8;

/// A file system, opened.
#[derive(Debug)]
pub struct Root<'a> {
    fs: Fs<Window<'a>>,
}

/// A part of a file.
#[derive(Debug)]
struct Window<'a> {
    file: &'a File,
    start: u64,
}

impl ReadAt for Window<'_> {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        // A damaged file system has places anywhere.
        let at = self.start.checked_add(offset).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        FileExt::read_exact_at(self.file, buffer, at)
    }
}

impl<'a> Root<'a> {
    /// Reads its first block.
    pub fn open(file: &'a File, start: u64, size: u64) -> Result<Root<'a>> {
        plausible(file, start, size)?;
        let fs = Fs::open(Window { file, start }).context("root file system: cannot be read as ext4")?;
        Ok(Root { fs })
    }

    /// What is at a path, following links; nothing if there is nothing.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            let Some(inode) = self.inode(&path)? else { return Ok(None) };
            match self.fs.inode(inode)?.file_type() {
                FileType::Symlink => {
                    let target = String::from_utf8(self.fs.symlink_target(inode)?)?;
                    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
                    path = if target.starts_with('/') { target } else { joined(&folder, &target) };
                }
                FileType::Regular => {
                    let content = self.fs.read_file(inode);
                    return content.map(Some).with_context(|| format!("root file system: `{path}`"));
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Whether there is anything of this name, be it a link to nowhere.
    pub fn has(&self, path: &str) -> Result<bool> {
        Ok(self.inode(path)?.is_some())
    }

    /// Names in a folder; none where there is no such folder.
    pub fn names(&self, path: &str) -> Result<Vec<String>> {
        let Some(inode) = self.inode(path)? else { return Ok(Vec::new()) };
        if self.fs.inode(inode)?.file_type() != FileType::Dir {
            return Ok(Vec::new());
        }
        let entries = self.fs.read_dir(inode)?.into_iter().map(|entry| entry.name);
        let names = entries.filter(|name| name != b"." && name != b"..");
        let mut names: Vec<String> = names.map(|name| String::from_utf8_lossy(&name).into_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// What of its structure is wrong.
    pub fn faults(&self) -> Result<Vec<String>> {
        let issues = self.fs.verify().context("root file system")?;
        Ok(issues.iter().map(|issue| format!("root file system: {issue:?}")).collect())
    }

    fn inode(&self, path: &str) -> Result<Option<u32>> {
        let mut inode = self.fs.resolve("/")?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            ensure!(name != "..", "root file system: `{path}`: is not looked up");
            if self.fs.inode(inode)?.file_type() != FileType::Dir {
                return Ok(None);
            }
            match self.fs.lookup(inode, name.as_bytes())? {
                Some(next) => inode = next,
                None => return Ok(None),
            }
        }
        Ok(Some(inode))
    }
}

/// What the reader computes with before it has compared the checksum: nonsense there would end the program.
fn plausible(file: &File, start: u64, size: u64) -> Result<()> {
    const BLOCK: u64 = 4096;
    let mut block = [0; 1024];
    FileExt::read_exact_at(file, &mut block, start + 1024).context("root file system: ends too early")?;
    let word =
        |at: usize| u64::from(u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]));
    ensure!(block[0x38..0x3a] == [0x53, 0xef], "root file system: is no ext4");
    // Blocks of 4 KiB, the first of which is number 0.
    ensure!(word(0x18) == 2 && word(0x14) == 0, "root file system: has blocks of another size than 4 KiB");
    let blocks = word(0x150) << 32 | word(0x04);
    ensure!(blocks > 0 && blocks <= size / BLOCK, "root file system: is larger than its partition");
    Ok(())
}

/// A link's target as seen from its folder.
fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
