//! Reads GPTs of other people's images, and updates both copies.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use anyhow::{Result, bail, ensure};
use flate2::Crc;

use super::{Kind, Partition, Table};

const SECTOR: u64 = 512;
const MAGIC: &[u8] = b"EFI PART";
const HEADER: usize = 92;
const ENTRY: usize = 128;
/// The usual number of entries; no image has more.
const MOST_ENTRIES: usize = 128;
/// Size of the backup at the end of the disk: the entries, then the header.
pub(super) const TAIL: u64 = (MOST_ENTRIES * ENTRY) as u64 + SECTOR;

/// A header and its entries.
struct Copy {
    header: Vec<u8>,
    entries: Vec<u8>,
    /// Byte offset of the entries.
    at: u64,
}

/// Reads the partitions of a disk with a protective MBR.
pub(super) fn read(file: &File) -> Result<Table> {
    let copy = Copy::read(file)?;
    let mut partitions = Vec::new();
    for (number, entry) in (1..).zip(copy.entries.chunks(ENTRY)) {
        if entry[..16].iter().all(|byte| *byte == 0) {
            continue;
        }
        let (first, last) = (long(entry, 32), long(entry, 40));
        ensure!(first <= last, "damaged GPT: partition {number} ends before it begins");
        let (at, end) = (place(first)?, place(last)? + SECTOR);
        let outside = end <= copy.at || at >= copy.at + copy.entries.len() as u64;
        ensure!(first > 1 && outside, "damaged GPT: partition {number} overlaps it");
        partitions.push(Partition { number, content: 0, at, size: end - at });
    }
    let table = Table { kind: Kind::Gpt, partitions };
    table.check()?;
    Ok(table)
}

/// Writes a partition's new end into both copies; the backup moves to the new end of the disk.
pub(super) fn grow(file: &File, partition: &Partition, disk: u64) -> Result<()> {
    let mut copy = Copy::read(file)?;
    let old_backup = long(&copy.header, 32);
    let entry = &mut copy.entries[ENTRY * (partition.number as usize - 1)..];
    entry[40..48].copy_from_slice(&(partition.end() / SECTOR - 1).to_le_bytes());
    let last = disk / SECTOR - 1;
    let entries_at = last - (copy.entries.len() as u64).div_ceil(SECTOR);
    let crc = crc(&copy.entries);
    copy.header[32..40].copy_from_slice(&last.to_le_bytes());
    copy.header[48..56].copy_from_slice(&(entries_at - 1).to_le_bytes());
    copy.header[88..92].copy_from_slice(&crc.to_le_bytes());
    let first_entries = long(&copy.header, 72);
    // Clears the old backup, but only if it is one: the header may point anywhere.
    let mut start = [0; MAGIC.len()];
    let old_place = place(old_backup)?;
    if old_backup > 1
        && old_backup != last
        && file.read_exact_at(&mut start, old_place).is_ok()
        && start == MAGIC
    {
        file.write_all_at(&[0; SECTOR as usize], old_place)?;
    }
    for (own, other, entries) in [(last, 1, entries_at), (1, last, first_entries)] {
        let mut header = copy.header.clone();
        header[24..32].copy_from_slice(&own.to_le_bytes());
        header[32..40].copy_from_slice(&other.to_le_bytes());
        header[72..80].copy_from_slice(&entries.to_le_bytes());
        sign(&mut header);
        file.write_all_at(&copy.entries, entries * SECTOR)?;
        file.write_all_at(&header, own * SECTOR)?;
    }
    // The protective partition covers the whole disk.
    let sectors = u32::try_from(last).unwrap_or(u32::MAX);
    file.write_all_at(&sectors.to_le_bytes(), 446 + 12)?;
    Ok(())
}

impl Copy {
    fn read(file: &File) -> Result<Copy> {
        let mut header = vec![0; HEADER];
        fill(file, &mut header, SECTOR)?;
        ensure!(
            header.starts_with(MAGIC),
            "no GPT behind its protective MBR: does the disk have 4096-byte sectors?"
        );
        let (count, size) = (word(&header, 80) as usize, word(&header, 84) as usize);
        if count > MOST_ENTRIES || size != ENTRY || word(&header, 12) as usize != HEADER {
            bail!("unsupported GPT ({count} entries of {size} bytes)");
        }
        let mut signed = header.clone();
        sign(&mut signed);
        ensure!(signed == header, "damaged GPT: check it with `sgdisk --verify`");
        let mut entries = vec![0; count * ENTRY];
        let at = place(long(&header, 72))?;
        ensure!(at > SECTOR, "damaged GPT: its entries overlap its header");
        fill(file, &mut entries, at)?;
        ensure!(crc(&entries) == word(&header, 88), "damaged GPT: check it with `sgdisk --verify`");
        Ok(Copy { header, entries, at })
    }
}

/// Returns the byte offset of a sector; the table may contain any number.
fn place(sector: u64) -> Result<u64> {
    // The bound keeps sums of two offsets from overflowing.
    match sector.checked_mul(SECTOR).filter(|place| *place < 1 << 62) {
        Some(place) => Ok(place),
        None => bail!("damaged GPT: sector {sector} is out of range"),
    }
}

fn fill(file: &File, bytes: &mut [u8], at: u64) -> Result<()> {
    match file.read_exact_at(bytes, at) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => bail!("truncated GPT"),
        read => Ok(read?),
    }
}

/// Updates the header's own checksum.
fn sign(header: &mut [u8]) {
    header[16..20].fill(0);
    let crc = crc(header);
    header[16..20].copy_from_slice(&crc.to_le_bytes());
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}
