//! Writes a disk image from a tree and a layout. The same input gives the same bytes, and the file appears
//! under its name only when it is complete.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::tree::Tree;
use super::{ext4, fat, mbr};

/// Alignment of partitions, which suits every card.
const ALIGNMENT: u64 = 4 << 20;
/// Folder of the tree that becomes the boot partition.
pub const BOOT: &str = "/boot/firmware";
/// Labels of the file systems.
const LABELS: [&str; 2] = ["BOOT", "root"];

/// Properties of a disk other than its files.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Disk identifier, by which the system in the tree names its partitions.
    pub disk: u32,
    /// Seed of all other identifiers: a hash of the image's contents.
    pub seed: [u8; 32],
    /// Creation time in seconds since 1970.
    pub epoch: i64,
    /// Size of the boot partition in bytes; `None` means as small as possible.
    pub boot_size: Option<u64>,
    /// Size of the image in bytes; `None` means as small as possible.
    pub size: Option<u64>,
    /// Free bytes on the root partition if no size is given.
    pub free: u64,
}

/// A finished disk image.
#[derive(Debug, Clone)]
pub struct Disk {
    /// Path of the image.
    pub path: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// Boot and root partition.
    pub partitions: [mbr::Partition; 2],
}

impl Layout {
    /// Returns the UUID of the root file system.
    pub fn root_uuid(&self) -> [u8; 16] {
        let mut uuid: [u8; 16] = self.derived("root")[..16].try_into().unwrap_or_default();
        // Marks it as a random (version 4) UUID.
        uuid[6] = uuid[6] & 0x0f | 0x40;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        uuid
    }

    fn derived(&self, what: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.seed).chain_update(what).finalize().into()
    }

    fn root(&self) -> ext4::Identity {
        let seed = self.derived("hash");
        let word = |at: usize| u32::from_le_bytes([seed[at], seed[at + 1], seed[at + 2], seed[at + 3]]);
        ext4::Identity {
            label: LABELS[1].to_owned(),
            uuid: self.root_uuid(),
            hash_seed: [word(0), word(4), word(8), word(12)],
            epoch: self.epoch,
            reserved: 1,
            inodes: 0,
            journal: None,
        }
    }
}

/// Writes a disk image.
pub fn write(tree: &Tree, layout: &Layout, out: &Path) -> Result<Disk> {
    let files = tree.subtree(BOOT).context("no folder for the boot partition")?;
    let mut rest = tree.clone();
    for path in files.iter().map(|(path, ..)| path).filter(|path| *path != "/") {
        rest.remove(&format!("{BOOT}{path}"));
    }
    let identity = layout.root();
    let boot_size = layout.boot_size.unwrap_or_else(|| fat::smallest(&files, 32 << 20));
    let boot = mbr::Partition {
        number: 1,
        content: mbr::FAT32,
        at: ALIGNMENT,
        size: boot_size.next_multiple_of(ALIGNMENT),
    };
    let root_size = match layout.size {
        Some(size) => size.saturating_sub(boot.end()) / ext4::BLOCK * ext4::BLOCK,
        None => ext4::smallest(&rest, &identity, layout.free)?,
    };
    let root = mbr::Partition { number: 2, content: mbr::LINUX, at: boot.end(), size: root_size };
    let plan = ext4::plan(&rest, &identity, root.size).with_context(|| match layout.size {
        Some(size) => format!("{size} bytes are too small for this image: give a larger size, or none"),
        None => "cannot lay out the root partition".to_owned(),
    })?;
    let draft = Draft::new(out, root.end())?;
    let serial = fat::Identity {
        label: LABELS[0].to_owned(),
        serial: u32::from_le_bytes(layout.derived("boot")[..4].try_into().unwrap_or_default()),
        hidden: (boot.at / 512) as u32,
    };
    let full = || format!("cannot write `{}`", out.display());
    fat::write(&files, &serial, boot.size, &draft.file, boot.at).with_context(full)?;
    plan.write(&draft.file, root.at).with_context(full)?;
    draft.file.write_all_at(&mbr::sector(layout.disk, &[boot, root])?, 0).with_context(full)?;
    draft.keep()?;
    Ok(Disk { path: out.to_owned(), size: root.end(), partitions: [boot, root] })
}

/// Runs of zeros of at least this size become holes.
pub const HOLE: usize = 64 << 10;
/// Bytes read at once.
const CHUNK: usize = 1 << 20;
static ZEROS: [u8; HOLE] = [0; HOLE];

/// Returns the ranges of a file that are not holes, because reading holes would fill the memory with zeros.
pub(super) fn data(file: &File, from: u64, to: u64) -> io::Result<Vec<(u64, u64)>> {
    let mut ranges = Vec::new();
    let mut at = from;
    while at < to {
        // No other reader uses this file offset.
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) => start.min(to),
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        at = seek(file, SeekFrom::Hole(start))?.min(to);
        if start < at {
            ranges.push((start, at));
        }
    }
    Ok(ranges)
}

/// Passes a part of a file to a function in chunks with their offsets, holes as zeros without reading them.
pub fn read(
    file: &File,
    from: u64,
    to: u64,
    mut chunk: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut at = from;
    for (start, end) in data(file, from, to)?.into_iter().chain([(to, to)]) {
        while at < start {
            let size = (start - at).min(HOLE as u64);
            chunk(&ZEROS[..size as usize], at)?;
            at += size;
        }
        while at < end {
            let size = (end - at).min(CHUNK as u64);
            let bytes = &mut buffer[..size as usize];
            file.read_exact_at(bytes, at)?;
            chunk(bytes, at)?;
            at += size;
        }
    }
    Ok(())
}

/// Writes at most [`HOLE`] bytes into a file of zeros.
pub fn put(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    if *bytes == ZEROS[..bytes.len()] { Ok(()) } else { file.write_all_at(bytes, at) }
}

/// An unfinished file. It has a temporary name beside its final path and is removed unless it is kept.
#[derive(Debug)]
pub struct Draft {
    /// The file to write.
    pub file: File,
    place: PathBuf,
    path: PathBuf,
}

impl Draft {
    /// Creates a file of zeros that can later be moved to `place`.
    pub fn new(place: &Path, size: u64) -> Result<Draft> {
        let display = place.display();
        ensure!(place.file_name().is_some(), "`{display}`: not a file name");
        let path = place.with_added_extension("new");
        if let Ok(earlier) = File::open(&path) {
            // An interrupted run no longer holds its lock.
            ensure!(earlier.try_lock().is_ok(), "`{display}`: another run is writing it: wait until it ends");
            let _ = fs::remove_file(&path);
        }
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.with_context(|| format!("cannot create `{display}`"))?;
        file.lock().with_context(|| format!("cannot lock `{display}`"))?;
        let draft = Draft { file, place: place.to_owned(), path };
        draft.file.set_len(size).with_context(|| format!("cannot resize `{display}` to {size} bytes"))?;
        Ok(draft)
    }

    /// Moves the file to its final path.
    pub fn keep(self) -> Result<()> {
        fs::rename(&self.path, &self.place)
            .with_context(|| format!("cannot create `{}`", self.place.display()))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After `keep`, this name no longer exists.
        let _ = fs::remove_file(&self.path);
    }
}
