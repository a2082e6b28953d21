//! Writes a tree as a FAT32 file system into part of a file. Every file is contiguous, and nothing depends on
//! the clock.

mod name;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail, ensure};
use base::date::Date;

use self::name::Names;
use super::tree::{self, Content, Kind, Time, Tree};

const SECTOR: u64 = 512;
/// Reserved sectors: the boot sector, its backup and the free space information.
const RESERVED: u64 = 32;
const COPY_AT: u64 = 6;
const TABLES: u64 = 2;
/// With fewer clusters, readers would treat it as FAT16.
const FEWEST_CLUSTERS: u64 = 65525;
const END: u32 = 0x0fff_ffff;
const ENTRY: usize = 32;
const CHUNK: usize = 1 << 20;
/// Limit for a table that is read; that of a 2 TB card has this size.
const LARGEST_TABLE: u64 = 256 << 20;
/// From 1980-01-01 to the end of 2107.
const FIRST_SECOND: i64 = 315_532_800;
const LAST_SECOND: i64 = 4_354_819_199;

/// Properties of a file system other than its files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Label of up to eleven capital letters, digits, `-` and `_`.
    pub label: String,
    /// Volume serial number.
    pub serial: u32,
    /// Number of sectors before the partition.
    pub hidden: u32,
}

/// Returns the size of the smallest FAT32 for a tree, with `free` bytes left.
pub fn smallest(tree: &Tree, free: u64) -> u64 {
    let least = (RESERVED + FEWEST_CLUSTERS + 16) * SECTOR + TABLES * FEWEST_CLUSTERS * 4 + SECTOR;
    let size = |kind: &Kind| match kind {
        Kind::File(content) => content.size().next_multiple_of(4096) + 4096,
        _ => 8192,
    };
    let files: u64 = tree.iter().map(|(_, _, node)| size(&node.kind)).sum();
    // Two tables with four bytes per cluster.
    least.max((files + free) / 127 * 128 + (1 << 20)).next_multiple_of(1 << 20)
}

/// Writes the file system at an offset of a file that must contain zeros there.
pub fn write(tree: &Tree, identity: &Identity, size: u64, file: &File, at: u64) -> Result<()> {
    let label = label(&identity.label)?;
    let mut shape = Shape::choose(size)?;
    let mut writer =
        Writer { file, at, shape: &shape, table: vec![0x0fff_fff8, END], entries: HashMap::new() };
    let root = writer.reserve(entries(tree, "/", true)?)?;
    writer.entries.insert("/".to_owned(), Folder::new(root));
    let created = tree.get("/").map_or((0x21, 0), |node| stamp(node.modified));
    writer.entry("/", Entry { name: label, attributes: 8, time: created, ..Entry::default() })?;
    for (path, _, node) in tree.iter().filter(|(path, ..)| *path != "/") {
        writer.add(tree, path, &node.kind, node.modified).with_context(|| format!("`{path}`"))?;
    }
    let used = writer.finish()?;
    shape.free -= used;
    let sectors = [(0, boot_sector(&shape, identity, &label)), (1, information(&shape))];
    for (sector, bytes) in sectors {
        file.write_all_at(&bytes, at + sector * SECTOR)?;
        file.write_all_at(&bytes, at + (COPY_AT + sector) * SECTOR)?;
    }
    Ok(())
}

/// Returns the byte ranges in use by the FAT32 in a part of a file; `None` if there is no valid one.
pub fn used(file: &File, at: u64, size: u64) -> io::Result<Option<Vec<(u64, u64)>>> {
    let mut sector = [0; SECTOR as usize];
    file.read_exact_at(&mut sector, at)?;
    let number = |at: usize, size: usize| -> u64 {
        sector[at..at + size].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let (cluster, table) = (number(13, 1) * number(11, 2), number(36, 4) * number(11, 2));
    if &sector[82..90] != b"FAT32   " || cluster == 0 || table == 0 {
        return Ok(None);
    }
    let tables = number(14, 2) * number(11, 2);
    let data = tables + number(16, 1) * table;
    let end = number(32, 4) * number(11, 2);
    if data > end || end > size || table > LARGEST_TABLE {
        return Ok(None);
    }
    let clusters = (end - data) / cluster;
    let mut entries = vec![0; ((clusters + 2) * 4).min(table) as usize];
    file.read_exact_at(&mut entries, at + tables)?;
    let mut used = vec![(0, data)];
    for (number, entry) in entries.chunks_exact(4).enumerate().skip(2) {
        if entry != [0; 4] {
            let from = data + (number as u64 - 2) * cluster;
            match used.last_mut() {
                Some((_, end)) if *end == from => *end += cluster,
                _ => used.push((from, from + cluster)),
            }
        }
    }
    Ok(Some(used))
}

/// Returns the size of a folder's entries in bytes.
fn entries(tree: &Tree, folder: &str, root: bool) -> Result<u64> {
    let inside = tree.below(folder).filter(|(path, ..)| tree::parent(path) == folder);
    let slots: usize = inside.map(|(path, ..)| 1 + name::slots(tree::name(path))).sum();
    Ok(((slots + if root { 1 } else { 2 }) * ENTRY) as u64)
}

/// Offsets and sizes of the file system's parts.
struct Shape {
    sectors: u64,
    cluster: u64,
    table: u64,
    clusters: u64,
    free: u64,
}

impl Shape {
    /// Chooses the largest clusters that still give enough of them, because board firmware reads those
    /// faster.
    fn choose(size: u64) -> Result<Shape> {
        let sectors = size / SECTOR;
        ensure!(sectors <= u32::MAX.into(), "the boot partition has {size} bytes: FAT32 is limited to 2 TiB");
        for cluster in [8, 4, 2, 1] {
            let mut table = 0;
            loop {
                let clusters = sectors.saturating_sub(RESERVED + TABLES * table) / cluster;
                let needed = ((clusters + 2) * 4).div_ceil(SECTOR);
                if needed <= table {
                    if clusters >= FEWEST_CLUSTERS {
                        return Ok(Shape { sectors, cluster, table, clusters, free: clusters });
                    }
                    break;
                }
                table = needed;
            }
        }
        bail!("the boot partition has {size} bytes, which is too small for FAT32: give it at least 34 MiB")
    }

    fn cluster_bytes(&self) -> u64 {
        self.cluster * SECTOR
    }

    fn place(&self, cluster: u32) -> u64 {
        (RESERVED + TABLES * self.table) * SECTOR + u64::from(cluster - 2) * self.cluster_bytes()
    }
}

/// A folder being filled.
struct Folder {
    cluster: u32,
    names: Names,
    bytes: Vec<u8>,
}

impl Folder {
    fn new(cluster: u32) -> Folder {
        Folder { cluster, names: Names::default(), bytes: Vec::new() }
    }
}

/// Fields of a folder entry.
#[derive(Default)]
struct Entry {
    name: [u8; 11],
    attributes: u8,
    cluster: u32,
    size: u32,
    time: (u16, u16),
}

struct Writer<'a> {
    file: &'a File,
    at: u64,
    shape: &'a Shape,
    table: Vec<u32>,
    entries: HashMap<String, Folder>,
}

impl Writer<'_> {
    fn add(&mut self, tree: &Tree, path: &str, kind: &Kind, modified: Time) -> Result<()> {
        let parent = tree::parent(path).to_owned();
        let above = self.entries[&parent].cluster;
        let time = stamp(modified);
        let (attributes, cluster, size) = match kind {
            Kind::Dir => {
                let cluster = self.reserve(entries(tree, path, false)?)?;
                self.entries.insert(path.to_owned(), Folder::new(cluster));
                let dots =
                    [(b".          ", cluster), (b"..         ", if parent == "/" { 0 } else { above })];
                for (name, cluster) in dots {
                    self.entry(path, Entry { name: *name, attributes: 0x10, cluster, size: 0, time })?;
                }
                (0x10, cluster, 0)
            }
            Kind::File(content) => {
                let size = u32::try_from(content.size()).context("larger than 4 GiB, the limit of FAT")?;
                (0x20, self.store(content)?, size)
            }
            _ => bail!("neither a file nor a folder, so FAT cannot store it: keep it on the root partition"),
        };
        let folder = self.entries.get_mut(&parent).context("no folder")?;
        let name = tree::name(path);
        let short = folder.names.short(name)?;
        folder.bytes.extend(name::long(name, &short));
        self.entry(&parent, Entry { name: short, attributes, cluster, size, time })
    }

    fn entry(&mut self, folder: &str, entry: Entry) -> Result<()> {
        let folder = self.entries.get_mut(folder).context("no folder")?;
        let mut bytes = [0; ENTRY];
        bytes[..11].copy_from_slice(&entry.name);
        bytes[11] = entry.attributes;
        let (date, time) = entry.time;
        for (at, value) in [(14, time), (16, date), (18, date), (22, time), (24, date)] {
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        let cluster = entry.cluster.to_le_bytes();
        bytes[20..22].copy_from_slice(&cluster[2..]);
        bytes[26..28].copy_from_slice(&cluster[..2]);
        bytes[28..].copy_from_slice(&entry.size.to_le_bytes());
        folder.bytes.extend(bytes);
        Ok(())
    }

    /// Reserves a contiguous chain of clusters.
    fn reserve(&mut self, bytes: u64) -> Result<u32> {
        let count = bytes.div_ceil(self.shape.cluster_bytes()).max(1);
        let first = self.table.len() as u64;
        ensure!(first - 2 + count <= self.shape.clusters, "does not fit: make the boot partition larger");
        for next in first + 1..first + count {
            self.table.push(next as u32);
        }
        self.table.push(END);
        Ok(first as u32)
    }

    fn store(&mut self, content: &Content) -> Result<u32> {
        if content.size() == 0 {
            return Ok(0);
        }
        let cluster = self.reserve(content.size())?;
        let place = self.at + self.shape.place(cluster);
        let mut buffer = vec![0; CHUNK.min(content.size() as usize)];
        for from in (0..content.size()).step_by(CHUNK) {
            let chunk = buffer.len().min((content.size() - from) as usize);
            buffer[..chunk].fill(0);
            content.read_at(from, &mut buffer[..chunk])?;
            self.file.write_all_at(&buffer[..chunk], place + from)?;
        }
        Ok(cluster)
    }

    /// Writes folders and tables; returns the number of used clusters.
    fn finish(self) -> io::Result<u64> {
        for folder in self.entries.values() {
            self.file.write_all_at(&folder.bytes, self.at + self.shape.place(folder.cluster))?;
        }
        let table: Vec<u8> = self.table.iter().flat_map(|next| next.to_le_bytes()).collect();
        for copy in 0..TABLES {
            let place = (RESERVED + copy * self.shape.table) * SECTOR;
            self.file.write_all_at(&table, self.at + place)?;
        }
        Ok(self.table.len() as u64 - 2)
    }
}

fn label(label: &str) -> Result<[u8; 11]> {
    let fits = label.len() <= 11
        && label
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
    ensure!(
        fits && !label.is_empty(),
        "invalid FAT label `{label}`: use up to eleven capital letters, digits, `-` and `_`"
    );
    let mut name = [b' '; 11];
    name[..label.len()].copy_from_slice(label.as_bytes());
    Ok(name)
}

fn boot_sector(shape: &Shape, identity: &Identity, label: &[u8; 11]) -> [u8; 512] {
    let mut sector = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &[0xeb, 0x58, 0x90]);
    put(3, b"MSWIN4.1");
    put(11, &(SECTOR as u16).to_le_bytes());
    put(13, &[shape.cluster as u8]);
    put(14, &(RESERVED as u16).to_le_bytes());
    put(16, &[TABLES as u8]);
    // A fixed disk with the usual geometry.
    put(21, &[0xf8]);
    put(24, &63_u16.to_le_bytes());
    put(26, &255_u16.to_le_bytes());
    put(28, &identity.hidden.to_le_bytes());
    put(32, &(shape.sectors as u32).to_le_bytes());
    put(36, &(shape.table as u32).to_le_bytes());
    // First cluster of the root folder, then the sectors of the free space information and of the backup.
    put(44, &2_u32.to_le_bytes());
    put(48, &1_u16.to_le_bytes());
    put(50, &(COPY_AT as u16).to_le_bytes());
    put(64, &[0x80, 0, 0x29]);
    put(67, &identity.serial.to_le_bytes());
    put(71, label);
    put(82, b"FAT32   ");
    put(510, &[0x55, 0xaa]);
    sector
}

fn information(shape: &Shape) -> [u8; 512] {
    let mut sector = [0; 512];
    let next = 2 + shape.clusters - shape.free;
    let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RRaA");
    put(484, b"rrAa");
    put(488, &(shape.free as u32).to_le_bytes());
    put(492, &(next as u32).to_le_bytes());
    put(510, &[0x55, 0xaa]);
    sector
}

/// Returns date and time in FAT's format: from 1980 to 2107, in steps of two seconds.
fn stamp(time: Time) -> (u16, u16) {
    let seconds = time.seconds.clamp(FIRST_SECOND, LAST_SECOND) as u64;
    let (year, month, day) = Date::from_epoch(seconds).parts();
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let date = (year - 1980) << 9 | month << 5 | day;
    (date as u16, (hour << 11 | minute << 5 | (second / 2)) as u16)
}
