//! Reads the root file system of a card.

use std::fs::File;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, ensure};
use mkext4::reader::{Fs, ReadAt};
use mkext4::spec::inode::FileType;

/// Limit for chained symlinks; more than any system has.
const MOST_LINKS: usize = 8;

/// An opened root file system.
#[derive(Debug)]
pub struct Root<'a> {
    fs: Fs<Window<'a>>,
}

/// Part of a file, from an offset on.
#[derive(Debug)]
struct Window<'a> {
    file: &'a File,
    start: u64,
}

impl ReadAt for Window<'_> {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        // A damaged file system may contain any offset.
        let at = self.start.checked_add(offset).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        FileExt::read_exact_at(self.file, buffer, at)
    }
}

impl<'a> Root<'a> {
    /// Opens the file system in part of a file.
    pub fn open(file: &'a File, start: u64, size: u64) -> Result<Root<'a>> {
        plausible(file, start, size)?;
        let fs = Fs::open(Window { file, start }).context("root file system: cannot open it as ext4")?;
        Ok(Root { fs })
    }

    /// Reads the file at a path, following symlinks; `None` if it does not exist.
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

    /// Returns whether a path exists, even as a dangling symlink.
    pub fn has(&self, path: &str) -> Result<bool> {
        Ok(self.inode(path)?.is_some())
    }

    /// Returns the names in a folder; empty if it does not exist.
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

    /// Returns the structural faults of the file system.
    pub fn faults(&self) -> Result<Vec<String>> {
        let issues = self.fs.verify().context("root file system")?;
        Ok(issues.iter().map(|issue| format!("root file system: {issue:?}")).collect())
    }

    fn inode(&self, path: &str) -> Result<Option<u32>> {
        let mut inode = self.fs.resolve("/")?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            ensure!(name != "..", "root file system: `{path}`: paths with `..` are not supported");
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

/// Checks the values that the reader uses before it verifies the checksum; invalid ones would make it panic.
fn plausible(file: &File, start: u64, size: u64) -> Result<()> {
    const BLOCK: u64 = 4096;
    let mut block = [0; 1024];
    FileExt::read_exact_at(file, &mut block, start + 1024).context("root file system: truncated")?;
    let word =
        |at: usize| u64::from(u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]));
    ensure!(block[0x38..0x3a] == [0x53, 0xef], "root file system: not an ext4 file system");
    // Blocks of 4 KiB, starting with block 0.
    ensure!(word(0x18) == 2 && word(0x14) == 0, "root file system: its block size is not 4 KiB");
    let blocks = word(0x150) << 32 | word(0x04);
    ensure!(blocks > 0 && blocks <= size / BLOCK, "root file system: larger than its partition");
    Ok(())
}

/// Resolves a symlink's target relative to its folder.
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
