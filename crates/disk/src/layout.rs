//! A disk: takes a tree and a layout, writes an image file. The same tree and layout are the same bytes, and the file
//! has its name only when it is whole.

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

/// Partitions begin at multiples of this, which suits every card.
const ALIGNMENT: u64 = 4 << 20;
/// The folder of a tree that is the boot partition.
pub const BOOT: &str = "/boot/firmware";
/// Names of the partitions' file systems.
const LABELS: [&str; 2] = ["BOOT", "root"];

/// What a disk is, beside its files.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The number in the partition table, by which the system in the tree names its partitions.
    pub disk: u32,
    /// What all other identifiers are derived from: a hash of what the image is made of.
    pub seed: [u8; 32],
    /// When it was made, in seconds since 1970.
    pub epoch: i64,
    /// Bytes of the boot partition; what is needed if there is no number.
    pub boot_size: Option<u64>,
    /// Bytes of the whole image; what is needed if there is no number.
    pub size: Option<u64>,
    /// Bytes that are left free on the root partition if no size is given.
    pub free: u64,
}

/// A disk that was written.
#[derive(Debug, Clone)]
pub struct Disk {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Boot, then root.
    pub partitions: [mbr::Partition; 2],
}

impl Layout {
    /// The root file system's UUID.
    pub fn root_uuid(&self) -> [u8; 16] {
        let mut uuid: [u8; 16] = self.derived("root")[..16].try_into().unwrap_or_default();
        // A random one, as everybody's.
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

/// Writes a disk.
pub fn write(tree: &Tree, layout: &Layout, out: &Path) -> Result<Disk> {
    let files = tree.subtree(BOOT).context("the boot partition has no folder")?;
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
        Some(size) => format!("{size} bytes are too few for this image: give more, or no size"),
        None => "the root partition cannot be laid out".to_owned(),
    })?;
    let draft = Draft::new(out, root.end())?;
    let serial = fat::Identity {
        label: LABELS[0].to_owned(),
        serial: u32::from_le_bytes(layout.derived("boot")[..4].try_into().unwrap_or_default()),
        hidden: (boot.at / 512) as u32,
    };
    let full = || format!("`{}`: cannot be written", out.display());
    fat::write(&files, &serial, boot.size, &draft.file, boot.at).with_context(full)?;
    plan.write(&draft.file, root.at).with_context(full)?;
    draft.file.write_all_at(&mbr::sector(layout.disk, &[boot, root])?, 0).with_context(full)?;
    draft.keep()?;
    Ok(Disk { path: out.to_owned(), size: root.end(), partitions: [boot, root] })
}

/// Bytes that are left out of a file if they are zero.
pub const HOLE: usize = 64 << 10;
/// What is read at once.
const CHUNK: usize = 1 << 20;
static ZEROS: [u8; HOLE] = [0; HOLE];

/// What of a part of a file is not a hole: reading holes would fill the memory with zeros.
pub(super) fn data(file: &File, from: u64, to: u64) -> io::Result<Vec<(u64, u64)>> {
    let mut ranges = Vec::new();
    let mut at = from;
    while at < to {
        // No other reader goes by this position.
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

/// Gives a part of a file in chunks, with the place of each; its holes as zeros that are not read.
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

/// Writes no more than [`HOLE`] bytes into a file of zeros.
pub fn put(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    if *bytes == ZEROS[..bytes.len()] { Ok(()) } else { file.write_all_at(bytes, at) }
}

/// A file that is not whole yet: it lies beside its place under another name, and is removed unless it is kept.
#[derive(Debug)]
pub struct Draft {
    /// To be written.
    pub file: File,
    place: PathBuf,
    path: PathBuf,
}

impl Draft {
    /// A new file of zeros that will be at that place.
    pub fn new(place: &Path, size: u64) -> Result<Draft> {
        let shown = place.display();
        ensure!(place.file_name().is_some(), "`{shown}`: is no name of a file");
        let path = place.with_added_extension("new");
        if let Ok(earlier) = File::open(&path) {
            // The lock of a run that was killed is gone.
            ensure!(earlier.try_lock().is_ok(), "`{shown}`: is being made by another run: wait for it");
            let _ = fs::remove_file(&path);
        }
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.with_context(|| format!("`{shown}`: cannot be made"))?;
        file.lock().with_context(|| format!("`{shown}`: cannot be locked"))?;
        let draft = Draft { file, place: place.to_owned(), path };
        draft.file.set_len(size).with_context(|| format!("`{shown}`: cannot have {size} bytes"))?;
        Ok(draft)
    }

    /// Gives it its name.
    pub fn keep(self) -> Result<()> {
        fs::rename(&self.path, &self.place)
            .with_context(|| format!("`{}`: cannot be made", self.place.display()))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // There is nothing under this name any more once it was kept.
        let _ = fs::remove_file(&self.path);
    }
}
