//! Reads a FAT32 file system. Opening it walks the whole tree, so an opened volume is known to be consistent.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail, ensure};

/// Cluster numbers from here on end a chain.
const END: u32 = 0x0fff_fff8;
const FREE: u32 = 0;
const BITS: u32 = 0x0fff_ffff;
const RECORD: usize = 32;

const VOLUME: u8 = 0x08;
const FOLDER: u8 = 0x10;
const LONG: u8 = 0x0f;

/// Limits for a table, which suits a partition of 64 GiB, and for a folder, with the 65,536 records that FAT
/// allows.
const LARGEST_TABLE: u64 = 64 << 20;
const LARGEST_FOLDER: usize = 65_536 * RECORD;

/// Deeper than any boot partition; stops at a folder that contains itself.
const DEEPEST: usize = 8;

/// An opened file system with all of its files.
#[derive(Debug)]
pub struct Volume<'a> {
    file: &'a File,
    pub(crate) shape: Shape,
    pub(crate) table: Vec<u32>,
    files: BTreeMap<String, Entry>,
}

/// Positions of the file system's parts, in bytes of the file unless stated otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) tables: [u64; 2],
    pub(crate) data: u64,
    pub(crate) cluster: usize,
    pub(crate) root: u32,
    pub(crate) free_count: u64,
}

/// A file.
#[derive(Debug, Clone, Copy)]
struct Entry {
    first: u32,
    size: u32,
}

impl<'a> Volume<'a> {
    /// Reads the tables and all folders, and checks that each cluster chain fits the size of its file.
    pub fn open(file: &'a File, start: u64, size: u64) -> Result<Volume<'a>> {
        let (shape, clusters, table_size) = shape(file, start, size)?;
        let mut tables = shape.tables.map(|at| read(file, at, table_size));
        let second = std::mem::replace(&mut tables[1], Ok(Vec::new()))?;
        let [first, _] = tables;
        let first = first?;
        ensure!(first == second, "boot file system: its two allocation tables differ");
        let mut table: Vec<u32> =
            first.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]) & BITS).collect();
        table.truncate(clusters + 2);
        let mut volume = Volume { file, shape, table, files: BTreeMap::new() };
        let mut owners = vec![false; volume.table.len()];
        volume.walk(shape.root, "", 0, &mut owners)?;
        let lost =
            volume.table.iter().zip(&owners).skip(2).filter(|(link, owned)| **link != FREE && !**owned);
        let lost = lost.count();
        ensure!(lost == 0, "boot file system: {lost} clusters belong to no file");
        Ok(volume)
    }

    /// Returns the paths of all files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Returns the path of a file as stored; boards ignore case.
    pub fn find(&self, path: &str) -> Option<&str> {
        self.names().find(|name| name.eq_ignore_ascii_case(path))
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let name = self.find(path).with_context(|| format!("boot file system: no file `{path}`"))?;
        let entry = self.files[name];
        let mut content = self.content(&self.chain(entry.first)?)?;
        content.truncate(entry.size as usize);
        Ok(content)
    }

    fn walk(&mut self, first: u32, folder: &str, depth: usize, owners: &mut [bool]) -> Result<()> {
        ensure!(depth < DEEPEST, "boot file system: `{folder}`: too deeply nested");
        let chain = self.own(first, folder, owners)?;
        ensure!(
            chain.len() * self.shape.cluster <= LARGEST_FOLDER,
            "boot file system: `{folder}`: folder larger than {LARGEST_FOLDER} bytes"
        );
        let records = self.content(&chain)?;
        for (name, record) in entries(&records)? {
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let half = |at: usize| u32::from(u16::from_le_bytes([record[at], record[at + 1]]));
            let entry = Entry { first: half(20) << 16 | half(26), size: half(30) << 16 | half(28) };
            if record[11] & FOLDER != 0 {
                self.walk(entry.first, &path, depth + 1, owners)?;
                continue;
            }
            let clusters = self.own(entry.first, &path, owners)?.len();
            let needed = (entry.size as usize).div_ceil(self.shape.cluster);
            ensure!(
                clusters == needed,
                "boot file system: `{path}`: {clusters} clusters instead of {needed} for {} bytes",
                entry.size
            );
            let twice = self.files.insert(path.clone(), entry).is_some();
            ensure!(!twice, "boot file system: `{path}`: exists twice");
        }
        Ok(())
    }

    /// Returns a file's cluster chain, which no other file may share.
    fn own(&self, first: u32, name: &str, owners: &mut [bool]) -> Result<Vec<u32>> {
        let chain = self.chain(first).with_context(|| format!("boot file system: `{name}`"))?;
        for cluster in &chain {
            let owned = std::mem::replace(&mut owners[*cluster as usize], true);
            ensure!(!owned, "boot file system: `{name}`: cluster {cluster} belongs to two files");
        }
        Ok(chain)
    }

    pub(crate) fn chain(&self, first: u32) -> Result<Vec<u32>> {
        let mut chain = Vec::new();
        let mut next = first;
        // An empty file has no cluster.
        while next != 0 && next < END {
            ensure!(
                next >= 2 && (next as usize) < self.table.len() && chain.len() <= self.table.len(),
                "its cluster chain is broken at {next}"
            );
            chain.push(next);
            next = self.table[next as usize];
            ensure!(next != FREE, "its cluster chain has no end");
        }
        Ok(chain)
    }

    pub(crate) fn at(&self, cluster: u32) -> u64 {
        self.shape.data + u64::from(cluster - 2) * self.shape.cluster as u64
    }

    pub(crate) fn content(&self, chain: &[u32]) -> Result<Vec<u8>> {
        let mut content = vec![0; chain.len() * self.shape.cluster];
        for (cluster, part) in chain.iter().zip(content.chunks_mut(self.shape.cluster)) {
            self.file.read_exact_at(part, self.at(*cluster)).context("boot file system: truncated")?;
        }
        Ok(content)
    }
}

/// Reads the boot sector; also returns the number of clusters and the size of a table.
fn shape(file: &File, start: u64, size: u64) -> Result<(Shape, usize, usize)> {
    let sector = read(file, start, 512)?;
    let half = |at: usize| u16::from_le_bytes([sector[at], sector[at + 1]]);
    let word = |at: usize| {
        u64::from(u32::from_le_bytes([sector[at], sector[at + 1], sector[at + 2], sector[at + 3]]))
    };
    let (per_cluster, reserved, tables) = (u64::from(sector[13]), u64::from(half(14)), sector[16]);
    if sector[510..] != [0x55, 0xaa] || half(11) != 512 || half(17) != 0 || half(22) != 0 || tables != 2 {
        bail!("boot file system: not a FAT32 with 512-byte sectors and two tables");
    }
    ensure!(per_cluster.is_power_of_two(), "boot file system: invalid cluster size of {per_cluster} sectors");
    let (total, table) = (word(32), word(36));
    ensure!(total * 512 <= size, "boot file system: larger than its partition");
    let before = reserved + 2 * table;
    let clusters = total.checked_sub(before).context("boot file system: no space for files")? / per_cluster;
    // With fewer clusters, readers treat it as FAT16.
    ensure!(clusters >= 65_525, "boot file system: {clusters} clusters are too few for FAT32");
    ensure!((clusters + 2) * 4 <= table * 512, "boot file system: its table is too small");
    ensure!(table * 512 <= LARGEST_TABLE, "boot file system: its table is larger than {LARGEST_TABLE} bytes");
    let at = start + reserved * 512;
    let shape = Shape {
        tables: [at, at + table * 512],
        data: start + before * 512,
        cluster: usize::try_from(per_cluster * 512)?,
        root: u32::try_from(word(44))?,
        free_count: start + u64::from(half(48)) * 512,
    };
    Ok((shape, usize::try_from(clusters)?, usize::try_from(table * 512)?))
}

fn read(file: &File, at: u64, size: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, at).context("boot file system: truncated")?;
    Ok(bytes)
}

/// Returns the files and folders in a folder's records, by long name where they have one.
fn entries(records: &[u8]) -> Result<Vec<(String, &[u8])>> {
    let mut entries = Vec::new();
    let mut long: Vec<&[u8]> = Vec::new();
    for record in records.chunks_exact(RECORD) {
        match (record[0], record[11]) {
            (0, _) => break,
            (0xe5, _) => long.clear(),
            (_, LONG) => long.push(record),
            (_, kind) if kind & VOLUME != 0 => long.clear(),
            (b'.', _) => long.clear(),
            _ => entries.push((name(record, &std::mem::take(&mut long))?, record)),
        }
    }
    Ok(entries)
}

fn name(record: &[u8], long: &[&[u8]]) -> Result<String> {
    if long.is_empty() {
        return Ok(short(record));
    }
    let sum = checksum(&record[..11]);
    let mut units = Vec::new();
    for (index, part) in long.iter().rev().enumerate() {
        let order = usize::from(part[0] & 0x3f);
        ensure!(
            order == index + 1 && part[13] == sum,
            "boot file system: `{}`: its long name belongs to another file",
            short(record)
        );
        units.extend(PLACES.map(|at| u16::from_le_bytes([part[at], part[at + 1]])));
    }
    units.truncate(units.iter().position(|unit| *unit == 0).unwrap_or(units.len()));
    String::from_utf16(&units).context("boot file system: invalid UTF-16 in a file name")
}

/// Positions of a long name's characters in its record.
pub(crate) const PLACES: [usize; 13] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

fn short(record: &[u8]) -> String {
    let part = |bytes: &[u8], lower: bool| {
        let text = String::from_utf8_lossy(bytes).trim_end_matches(' ').to_owned();
        if lower { text.to_ascii_lowercase() } else { text }
    };
    // Two bits mark the name and the extension as lower case.
    let (stem, end) = (part(&record[..8], record[12] & 8 != 0), part(&record[8..11], record[12] & 16 != 0));
    if end.is_empty() { stem } else { format!("{stem}.{end}") }
}

/// Connects the records of a long name with the short name.
pub(crate) fn checksum(short: &[u8]) -> u8 {
    short.iter().fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
}
