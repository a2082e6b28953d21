//! The partition table: written as an MBR, because the ROM of older boards reads nothing else; read as MBR or GPT.

mod gpt;

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail, ensure};

const SECTOR: u64 = 512;
const TABLE_AT: usize = 446;
const ENTRY: usize = 16;
const SIGNATURE_AT: usize = 440;
/// Says to whoever knows no GPT that the disk is full.
const PROTECTIVE: u8 = 0xee;
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];

/// FAT32 that is addressed by blocks, and Linux.
pub const FAT32: u8 = 0x0c;
/// See [`FAT32`].
pub const LINUX: u8 = 0x83;

/// The partitions of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// How they are written down.
    pub kind: Kind,
    /// In the order of the table.
    pub partitions: Vec<Partition>,
}

/// How partitions are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In the first sector; PARTUUIDs are this number and the partition's.
    Mbr(u32),
    /// In the first and last sectors.
    Gpt,
}

/// A part of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 1 on.
    pub number: u32,
    /// What an MBR says that it holds; 0 in a GPT.
    pub content: u8,
    /// First byte.
    pub at: u64,
    /// How many bytes.
    pub size: u64,
}

impl Partition {
    /// Its first byte that is not its own any more.
    pub fn end(&self) -> u64 {
        self.at + self.size
    }
}

/// The first sector of a disk with these partitions, the first of which is booted from.
pub fn sector(signature: u32, partitions: &[Partition]) -> Result<[u8; 512]> {
    let mut sector = [0; 512];
    sector[SIGNATURE_AT..SIGNATURE_AT + 4].copy_from_slice(&signature.to_le_bytes());
    for partition in partitions {
        let at = TABLE_AT + ENTRY * (partition.number as usize - 1);
        sector[at] = if partition.number == 1 { 0x80 } else { 0 };
        // Cylinders, heads and sectors say that the place is beyond what they can say.
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

/// The partitions of a disk image.
pub fn read(file: &File) -> Result<Table> {
    let mut sector = [0; 512];
    match file.read_exact_at(&mut sector, 0) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => bail!("is too short for a disk image"),
        read => read?,
    }
    ensure!(
        sector[510..] == [0x55, 0xaa],
        "has no partition table (neither MBR nor GPT): name an image of a whole disk"
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
            "has an extended partition, whose layout is not known here: use an image with at most four partitions"
        );
        partitions.push(Partition { number, content: entry[4], at, size });
    }
    let signature = sector[SIGNATURE_AT..SIGNATURE_AT + 4].try_into().map(u32::from_le_bytes)?;
    let table = Table { kind: Kind::Mbr(signature), partitions };
    table.check()?;
    Ok(table)
}

impl Table {
    /// Makes a partition end further on, in the table of a disk of that many bytes.
    pub fn grow(&mut self, file: &File, number: u32, end: u64, disk: u64) -> Result<()> {
        let partition = self.partitions.iter_mut().find(|partition| partition.number == number);
        let partition = partition.with_context(|| format!("there is no partition {number}"))?;
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

    /// What follows a partition on its disk: for a GPT, its second copy.
    pub fn tail(&self) -> u64 {
        match self.kind {
            Kind::Mbr(_) => 0,
            Kind::Gpt => gpt::TAIL,
        }
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.partitions.is_empty(), "has a partition table without partitions");
        let mut sorted = self.partitions.clone();
        sorted.sort_by_key(|partition| partition.at);
        for pair in sorted.windows(2) {
            ensure!(
                pair[0].end() <= pair[1].at,
                "has partitions that overlap: {} and {}",
                pair[0].number,
                pair[1].number
            );
        }
        Ok(())
    }
}

/// First sector and number of sectors, as an MBR has them.
fn numbers(partition: &Partition) -> Result<[u8; 8]> {
    let word = |bytes: u64| {
        u32::try_from(bytes / SECTOR).map(u32::to_le_bytes).context("lies beyond what an MBR can say: 2 TiB")
    };
    let (at, size) = (word(partition.at)?, word(partition.size)?);
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&at);
    bytes[4..].copy_from_slice(&size);
    Ok(bytes)
}
