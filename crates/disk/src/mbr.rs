//! Partition tables. Writes an MBR, because the ROM of older boards reads nothing else; reads MBR and GPT.

mod gpt;

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail, ensure};

const SECTOR: u64 = 512;
const TABLE_AT: usize = 446;
const ENTRY: usize = 16;
const SIGNATURE_AT: usize = 440;
/// Marks the disk as full for programs that do not know GPT.
const PROTECTIVE: u8 = 0xee;
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];

/// Partition type of a FAT32 with LBA addressing.
pub const FAT32: u8 = 0x0c;
/// Partition type of a Linux file system.
pub const LINUX: u8 = 0x83;

/// The partitions of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Format of the table.
    pub kind: Kind,
    /// Partitions in table order.
    pub partitions: Vec<Partition>,
}

/// Formats of a partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In the first sector. A PARTUUID consists of this disk identifier and the partition number.
    Mbr(u32),
    /// In the first and last sectors of the disk.
    Gpt,
}

/// A partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Partition number, from 1.
    pub number: u32,
    /// MBR partition type; 0 in a GPT.
    pub content: u8,
    /// Offset in bytes.
    pub at: u64,
    /// Size in bytes.
    pub size: u64,
}

impl Partition {
    /// Returns the offset of the first byte after the partition.
    pub fn end(&self) -> u64 {
        self.at + self.size
    }
}

/// Returns an MBR with these partitions, the first one bootable.
pub fn sector(signature: u32, partitions: &[Partition]) -> Result<[u8; 512]> {
    let mut sector = [0; 512];
    sector[SIGNATURE_AT..SIGNATURE_AT + 4].copy_from_slice(&signature.to_le_bytes());
    for partition in partitions {
        let at = TABLE_AT + ENTRY * (partition.number as usize - 1);
        sector[at] = if partition.number == 1 { 0x80 } else { 0 };
        // The CHS address says that the location is beyond its range.
        for place in [at + 1, at + 5] {
            sector[place..place + 3].copy_from_slice(&[0xfe, 0xff, 0xff]);
        }
        sector[at + 4] = partition.content;
        let size = numbers(partition)?;
        sector[at + 8..at + 16].copy_from_slice(&size);
    }
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    Ok(sector)
}

/// Reads the partition table of a disk image.
pub fn read(file: &File) -> Result<Table> {
    let mut sector = [0; 512];
    match file.read_exact_at(&mut sector, 0) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => bail!("too short for a disk image"),
        read => read?,
    }
    ensure!(
        sector[510..] == [0x55, 0xaa],
        "no partition table (neither MBR nor GPT): name an image of a whole disk"
    );
    let entries: Vec<&[u8]> = sector[TABLE_AT..510].chunks(ENTRY).collect();
    if entries.iter().any(|entry| entry[4] == PROTECTIVE) {
        return gpt::read(file);
    }
    let mut partitions = Vec::new();
    for (number, entry) in (1..).zip(entries) {
        let word = |at: usize| u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
        let (at, size) = (u64::from(word(8)) * SECTOR, u64::from(word(12)) * SECTOR);
        if entry[4] == 0 || size == 0 {
            continue;
        }
        ensure!(
            !EXTENDED.contains(&entry[4]),
            "extended partitions are not supported: use an image with at most four partitions"
        );
        partitions.push(Partition { number, content: entry[4], at, size });
    }
    let signature = sector[SIGNATURE_AT..SIGNATURE_AT + 4].try_into().map(u32::from_le_bytes)?;
    let table = Table { kind: Kind::Mbr(signature), partitions };
    table.check()?;
    Ok(table)
}

impl Table {
    /// Moves the end of a partition, in the table of a disk of `disk` bytes.
    pub fn grow(&mut self, file: &File, number: u32, end: u64, disk: u64) -> Result<()> {
        let partition = self.partitions.iter_mut().find(|partition| partition.number == number);
        let partition = partition.with_context(|| format!("no partition {number}"))?;
        partition.size = end - partition.at;
        match self.kind {
            Kind::Mbr(_) => {
                let at = TABLE_AT + ENTRY * (number as usize - 1) + 8;
                file.write_all_at(&numbers(partition)?, at as u64)?;
            }
            Kind::Gpt => gpt::grow(file, partition, disk)?,
        }
        Ok(())
    }

    /// Returns the size of what follows the last partition: for a GPT, its backup.
    pub fn tail(&self) -> u64 {
        match self.kind {
            Kind::Mbr(_) => 0,
            Kind::Gpt => gpt::TAIL,
        }
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.partitions.is_empty(), "no partitions in the partition table");
        let mut sorted = self.partitions.clone();
        sorted.sort_by_key(|partition| partition.at);
        for pair in sorted.windows(2) {
            ensure!(
                pair[0].end() <= pair[1].at,
                "partitions {} and {} overlap",
                pair[0].number,
                pair[1].number
            );
        }
        Ok(())
    }
}

/// Returns start and length in sectors as an MBR stores them.
fn numbers(partition: &Partition) -> Result<[u8; 8]> {
    let word = |bytes: u64| {
        u32::try_from(bytes / SECTOR).map(u32::to_le_bytes).context("beyond 2 TiB, the limit of an MBR")
    };
    let (at, size) = (word(partition.at)?, word(partition.size)?);
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&at);
    bytes[4..].copy_from_slice(&size);
    Ok(bytes)
}
