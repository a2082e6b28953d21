//! GPT, as other people's images have it: read, and changed in both of its copies.

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
/// Nobody makes more, and nobody makes them larger.
const MOST_ENTRIES: usize = 128;
/// The copy at a disk's end: the entries, then the header.
pub(super) const TAIL: u64 = (MOST_ENTRIES * ENTRY) as u64 + SECTOR;

/// A header and its entries.
struct Copy {
    header: Vec<u8>,
    entries: Vec<u8>,
    /// Where the entries are, in bytes.
    at: u64,
}

/// The partitions of a disk whose first sector announces a GPT.
pub(super) fn read(file: &File) -> Result<Table> {
    let copy = Copy::read(file)?;
    let mut partitions = Vec::new();
    for (number, entry) in (1..).zip(copy.entries.chunks(ENTRY)) {
        if entry[..16].iter().all(|byte| *byte == 0) {
            continue;
        }
        let (first, last) = (long(entry, 32), long(entry, 40));
        ensure!(first <= last, "has a damaged GPT: partition {number} ends before it begins");
        let (at, end) = (place(first)?, place(last)? + SECTOR);
        let outside = end <= copy.at || at >= copy.at + copy.entries.len() as u64;
        ensure!(first > 1 && outside, "has a damaged GPT: partition {number} lies over it");
        partitions.push(Partition { number, content: 0, at, size: end - at });
    }
    let table = Table { kind: Kind::Gpt, partitions };
    table.check()?;
    Ok(table)
}

/// Writes a partition's new end into both copies, the second of which goes to the disk's new end.
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
    // What was the end is in the middle now; the header may say that anything is.
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
    // The protective partition covers all of it.
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
            "announces a GPT and has none: is it a disk with sectors of 4096 bytes?"
        );
        let (count, size) = (word(&header, 80) as usize, word(&header, 84) as usize);
        if count > MOST_ENTRIES || size != ENTRY || word(&header, 12) as usize != HEADER {
            bail!("has a GPT of an unknown shape ({count} entries of {size} bytes)");
        }
        let mut signed = header.clone();
        sign(&mut signed);
        ensure!(signed == header, "has a damaged GPT: repair it with `sgdisk --verify`");
        let mut entries = vec![0; count * ENTRY];
        let at = place(long(&header, 72))?;
        ensure!(at > SECTOR, "has a damaged GPT: its entries lie over its header");
        fill(file, &mut entries, at)?;
        ensure!(crc(&entries) == word(&header, 88), "has a damaged GPT: repair it with `sgdisk --verify`");
        Ok(Copy { header, entries, at })
    }
}

/// Where a sector begins, in bytes; what a table says may be any number.
fn place(sector: u64) -> Result<u64> {
    // With what follows it, no sum of two of these is too large for a number.
    match sector.checked_mul(SECTOR).filter(|place| *place < 1 << 62) {
        Some(place) => Ok(place),
        None => bail!("has a damaged GPT: there is no sector {sector} on any disk"),
    }
}

fn fill(file: &File, bytes: &mut [u8], at: u64) -> Result<()> {
    match file.read_exact_at(bytes, at) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => bail!("has a GPT that is cut short"),
        read => Ok(read?),
    }
}

/// Writes the header's own checksum into it.
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
