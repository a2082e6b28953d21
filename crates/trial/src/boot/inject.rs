//! Adds files to the boot partition of a copied card in place, as a person's PC would.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::card::Card;
use crate::card::volume::{PLACES, Volume, checksum};

const RECORD: usize = 32;
const GONE: u8 = 0xe5;
const LAST: u32 = 0x0fff_ffff;
const LONG: u8 = 0x0f;
const FILE: u8 = 0x20;

/// Writes files into the root folder, replacing those with the same names.
pub(super) fn put(path: &Path, files: &[(&str, Vec<u8>)]) -> Result<()> {
    let card = Card::open(path)?;
    let volume = card.boot()?;
    let target = OpenOptions::new().write(true).open(path)?;
    let mut change = Change::read(&volume)?;
    for (name, content) in files {
        change.remove(name)?;
        change.add(name, content).with_context(|| format!("cannot add `{name}` to the boot partition"))?;
    }
    for (cluster, bytes) in &change.written {
        target.write_all_at(bytes, volume.at(*cluster))?;
    }
    let bytes = volume.shape.cluster;
    for (cluster, part) in change.folder_chain.iter().zip(change.folder.chunks(bytes)) {
        target.write_all_at(part, volume.at(*cluster))?;
    }
    let table: Vec<u8> = change.table.iter().flat_map(|link| link.to_le_bytes()).collect();
    for at in volume.shape.tables {
        target.write_all_at(&table, at)?;
    }
    // Marks the number of free clusters as unknown, so that the next reader counts them.
    target.write_all_at(&[0xff; 4], volume.shape.free_count + 488)?;
    Ok(())
}

/// Pending changes.
struct Change {
    table: Vec<u32>,
    folder_chain: Vec<u32>,
    folder: Vec<u8>,
    cluster: usize,
    written: Vec<(u32, Vec<u8>)>,
}

impl Change {
    fn read(volume: &Volume<'_>) -> Result<Change> {
        let folder_chain = volume.chain(volume.shape.root)?;
        let folder = volume.content(&folder_chain)?;
        let cluster = volume.shape.cluster;
        Ok(Change { table: volume.table.clone(), folder_chain, folder, cluster, written: Vec::new() })
    }

    /// Removes a file and the records of its long name, which precede its own.
    fn remove(&mut self, name: &str) -> Result<()> {
        let mut long: Vec<usize> = Vec::new();
        for at in (0..self.folder.len()).step_by(RECORD) {
            let record = &self.folder[at..at + RECORD];
            match (record[0], record[11]) {
                (0, _) => break,
                (GONE, _) => long.clear(),
                (_, LONG) => long.push(at),
                _ if spelled(&self.folder, &long).eq_ignore_ascii_case(name) => {
                    let half = |at: usize| u32::from(u16::from_le_bytes([record[at], record[at + 1]]));
                    let mut next = half(20) << 16 | half(26);
                    while (2..self.table.len() as u32).contains(&next) {
                        next = std::mem::replace(&mut self.table[next as usize], 0);
                    }
                    for at in long.drain(..).chain([at]) {
                        self.folder[at] = GONE;
                    }
                }
                _ => long.clear(),
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let first = self.store(content)?;
        let short = self.short(name)?;
        let mut records = long_records(name, &short);
        let mut record = [0; RECORD];
        record[..11].copy_from_slice(&short);
        record[11] = FILE;
        record[20..22].copy_from_slice(&((first >> 16) as u16).to_le_bytes());
        record[26..28].copy_from_slice(&(first as u16).to_le_bytes());
        record[28..32].copy_from_slice(&u32::try_from(content.len())?.to_le_bytes());
        records.extend(record);
        let end = (0..self.folder.len())
            .step_by(RECORD)
            .find(|at| self.folder[*at] == 0)
            .unwrap_or(self.folder.len());
        while end + records.len() > self.folder.len() {
            let more = self.free(1)?[0];
            let last = *self.folder_chain.last().context("the root folder has no cluster")?;
            self.table[last as usize] = more;
            self.table[more as usize] = LAST;
            self.folder_chain.push(more);
            self.folder.resize(self.folder.len() + self.cluster, 0);
        }
        self.folder[end..end + records.len()].copy_from_slice(&records);
        Ok(())
    }

    fn store(&mut self, content: &[u8]) -> Result<u32> {
        let chain = self.free(content.len().div_ceil(self.cluster))?;
        for (index, cluster) in chain.iter().enumerate() {
            self.table[*cluster as usize] = chain.get(index + 1).copied().unwrap_or(LAST);
            let part = &content[index * self.cluster..content.len().min((index + 1) * self.cluster)];
            self.written.push((*cluster, part.to_vec()));
        }
        Ok(chain.first().copied().unwrap_or(0))
    }

    fn free(&self, count: usize) -> Result<Vec<u32>> {
        let free = self.table.iter().enumerate().skip(2).filter(|(_, link)| **link == 0);
        let free: Vec<u32> = free.take(count).map(|(cluster, _)| cluster as u32).collect();
        ensure!(free.len() == count, "{count} free clusters are required, but there are only {}", free.len());
        Ok(free)
    }

    /// Returns an unused short name for a file with a long name.
    fn short(&self, name: &str) -> Result<[u8; 11]> {
        let taken: BTreeSet<&[u8]> = self.folder.chunks(RECORD).map(|record| &record[..11]).collect();
        let (stem, end) = name.rsplit_once('.').unwrap_or((name, ""));
        let plain = |text: &str, most: usize| -> Vec<u8> {
            text.bytes()
                .filter(u8::is_ascii_alphanumeric)
                .map(|byte| byte.to_ascii_uppercase())
                .take(most)
                .collect()
        };
        for number in 1..100 {
            let mut short = [b' '; 11];
            let stem = [plain(stem, 5), format!("~{number}").into_bytes()].concat();
            short[..stem.len()].copy_from_slice(&stem);
            let end = plain(end, 3);
            short[8..8 + end.len()].copy_from_slice(&end);
            if !taken.contains(&short[..]) {
                return Ok(short);
            }
        }
        bail!("more than a hundred files with similar names")
    }
}

fn spelled(folder: &[u8], long: &[usize]) -> String {
    let units = long
        .iter()
        .rev()
        .flat_map(|at| PLACES.map(|p| u16::from_le_bytes([folder[at + p], folder[at + p + 1]])));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    String::from_utf16_lossy(&units)
}

fn long_records(name: &str, short: &[u8; 11]) -> Vec<u8> {
    let mut units: Vec<u16> = name.encode_utf16().collect();
    if !units.len().is_multiple_of(PLACES.len()) {
        units.push(0);
        units.resize(units.len().next_multiple_of(PLACES.len()), 0xffff);
    }
    let parts = units.chunks(PLACES.len());
    let count = parts.len();
    let mut records = Vec::new();
    for (index, part) in parts.enumerate().rev() {
        let mut record = [0; RECORD];
        record[0] = (index + 1) as u8 | if index + 1 == count { 0x40 } else { 0 };
        record[11] = LONG;
        record[13] = checksum(short);
        for (at, unit) in PLACES.iter().zip(part) {
            record[*at..at + 2].copy_from_slice(&unit.to_le_bytes());
        }
        records.extend(record);
    }
    records
}
