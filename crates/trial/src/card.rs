//! Opens a finished image for reading: its partitions, the files of the boot partition and those of the root
//! file system.
//!
//! This reader shares no code with the writer of images, so that a bug of the writer is not repeated here.

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

/// FAT32 with LBA addressing, which boot ROMs look for.
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
    /// Number in the table, from 1.
    pub number: usize,
    /// Partition type.
    pub kind: u8,
    /// Offset in bytes.
    pub start: u64,
    /// Size in bytes.
    pub size: u64,
}

impl Card {
    /// Opens a raw image and reads its partition table.
    pub fn open(path: &Path) -> Result<Card> {
        let name = || format!("`{}`", path.display());
        let file = File::open(path).with_context(name)?;
        let meta = file.metadata().with_context(name)?;
        if !meta.is_file() {
            bail!("{}: not a regular file: name a raw image", name());
        }
        let mut first = [0; SECTOR as usize];
        if meta.len() < SECTOR || file.read_exact_at(&mut first, 0).is_err() || first[510..] != [0x55, 0xaa] {
            bail!("{}: no partition table: name a complete raw image", name());
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

    /// Returns the path of the image.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the disk identifier, which `PARTUUID=` starts with.
    pub fn signature(&self) -> u32 {
        self.signature
    }

    /// Returns the entries of the partition table.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Opens the boot partition.
    pub fn boot(&self) -> Result<Volume<'_>> {
        let partition = self.only(BOOT, "boot")?;
        Volume::open(&self.file, partition.start, partition.size)
            .with_context(|| format!("`{}`: partition {}", self.path.display(), partition.number))
    }

    /// Opens the root file system.
    pub fn root(&self) -> Result<Root<'_>> {
        let partition = self.only(LINUX, "root")?;
        Root::open(&self.file, partition.start, partition.size)
            .with_context(|| format!("`{}`: partition {}", self.path.display(), partition.number))
    }

    /// Returns faults of the partition table, regardless of the partitions' contents.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.signature == 0 {
            faults
                .push("partition table: no disk identifier, so `PARTUUID=` cannot find the disk".to_owned());
        }
        let kinds: Vec<u8> = self.partitions.iter().map(|partition| partition.kind).collect();
        if kinds != [BOOT, LINUX] {
            faults.push(format!(
                "partition table: its types are {kinds:02x?} instead of [{BOOT:02x}, {LINUX:02x}]"
            ));
        }
        let mut free = SECTOR;
        for partition in &self.partitions {
            let Partition { number, start, size, .. } = *partition;
            if size == 0 || start < free {
                faults.push(format!("partition {number}: empty, or overlaps the previous one"));
            }
            if start % (1 << 20) != 0 {
                faults.push(format!("partition {number}: starts at {start}, which is not aligned to 1 MiB"));
            }
            if start + size > self.size {
                faults.push(format!(
                    "partition {number}: ends at {}, beyond the end of the file",
                    start + size
                ));
            }
            free = start + size;
        }
        faults
    }

    fn only(&self, kind: u8, name: &str) -> Result<Partition> {
        let mut matching = self.partitions.iter().filter(|partition| partition.kind == kind);
        match (matching.next(), matching.next()) {
            (Some(partition), None) => Ok(*partition),
            _ => bail!("`{}`: expected exactly one {name} partition (type {kind:02x})", self.path.display()),
        }
    }
}
