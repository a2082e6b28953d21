//! A finished card, opened for reading: takes a raw image file, gives its partitions, the files of the boot partition and
//! those of root.
//!
//! It is a reader of its own, which shares nothing with what writes images: a fault of the writer is not repeated here.

pub mod root;
pub mod start;
pub mod volume;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use self::root::Root;
use self::volume::Volume;

const SECTOR: u64 = 512;

/// FAT32 with sector numbers of 32 bits: what the boards' read-only memories look for.
const BOOT: u8 = 0x0c;
const LINUX: u8 = 0x83;

/// An image file.
#[derive(Debug)]
pub struct Card {
    path: PathBuf,
    file: File,
    size: u64,
    signature: u32,
    partitions: Vec<Partition>,
}

/// An entry of the partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Its place in the table, from 1.
    pub number: usize,
    /// What it says it holds.
    pub kind: u8,
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

impl Card {
    /// Opens a raw image and reads its partition table.
    pub fn open(path: &Path) -> Result<Card> {
        let name = || format!("`{}`", path.display());
        let file = File::open(path).with_context(name)?;
        let meta = file.metadata().with_context(name)?;
        if !meta.is_file() {
            bail!("{}: is no file: name a raw image", name());
        }
        let mut first = [0; SECTOR as usize];
        if meta.len() < SECTOR || file.read_exact_at(&mut first, 0).is_err() || first[510..] != [0x55, 0xaa] {
            bail!("{}: has no partition table: is it a raw image, and whole?", name());
        }
        let word = |at: usize| u32::from_le_bytes([first[at], first[at + 1], first[at + 2], first[at + 3]]);
        let partitions = (0..4).map(|index| (index, 446 + 16 * index)).filter(|(_, at)| first[at + 4] != 0);
        let partitions: Vec<Partition> = partitions
            .map(|(index, at)| Partition {
                number: index + 1,
                kind: first[at + 4],
                start: u64::from(word(at + 8)) * SECTOR,
                size: u64::from(word(at + 12)) * SECTOR,
            })
            .collect();
        Ok(Card { path: path.to_owned(), file, size: meta.len(), signature: word(440), partitions })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The disk's number, which `PARTUUID=` begins with.
    pub fn signature(&self) -> u32 {
        self.signature
    }

    /// What its partition table says.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// The partition that a board starts from.
    pub fn boot(&self) -> Result<Volume<'_>> {
        let partition = self.only(BOOT, "boot")?;
        Volume::open(&self.file, partition.start, partition.size)
            .with_context(|| format!("`{}`: partition {}", self.path.display(), partition.number))
    }

    /// The root file system.
    pub fn root(&self) -> Result<Root<'_>> {
        let partition = self.only(LINUX, "root")?;
        Root::open(&self.file, partition.start, partition.size)
            .with_context(|| format!("`{}`: partition {}", self.path.display(), partition.number))
    }

    /// What is wrong with the table, whatever the partitions hold.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.signature == 0 {
            faults.push("partition table: the disk has no number, so no `PARTUUID=` finds it".to_owned());
        }
        let kinds: Vec<u8> = self.partitions.iter().map(|partition| partition.kind).collect();
        if kinds != [BOOT, LINUX] {
            faults.push(format!("partition table: holds {kinds:02x?} and not [{BOOT:02x}, {LINUX:02x}]"));
        }
        let mut free = SECTOR;
        for partition in &self.partitions {
            let Partition { number, start, size, .. } = *partition;
            if size == 0 || start < free {
                faults.push(format!("partition {number}: is empty, or begins inside of what is before it"));
            }
            if start % (1 << 20) != 0 {
                faults.push(format!("partition {number}: begins at {start}, which cards are slow with"));
            }
            if start + size > self.size {
                faults.push(format!("partition {number}: ends at {}, behind the file's end", start + size));
            }
            free = start + size;
        }
        faults
    }

    fn only(&self, kind: u8, name: &str) -> Result<Partition> {
        let mut found = self.partitions.iter().filter(|partition| partition.kind == kind);
        match (found.next(), found.next()) {
            (Some(partition), None) => Ok(*partition),
            _ => bail!("`{}`: not one {name} partition (type {kind:02x})", self.path.display()),
        }
    }
}
