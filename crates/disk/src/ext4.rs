//! The root partition: takes a tree, writes an ext4 file system into a part of a file; and reads one back as a tree.
//!
//! The layout is made by `mkext4`, whose version is pinned because its bytes are ours. What files hold is copied here,
//! by several threads, to where that layout has it.

mod read;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, ensure};
use common::parallel;
use mkext4::sink::RegionSink;
use mkext4::{FsBuilder, InodeCount, InodeHandle, Meta, Options, ROOT, SparseSeg, SpecialKind};

pub use self::read::{Ext4, is_there};
use super::tree::{self, Content, Id, Kind, Node, Time, Tree};

/// Bytes of a block.
pub const BLOCK: u64 = 4096;
/// What one thread copies at once.
const CHUNK: usize = 1 << 20;
/// `mke2fs` makes one for so many bytes.
const BYTES_PER_INODE: u64 = 16 * 1024;
const INODE: u64 = 256;
/// What the smallest file systems have beside files.
const JOURNAL_AND_MORE: u64 = 24 << 20;
/// Made by every file system for itself.
const LOST_AND_FOUND: &str = "/lost+found";

/// What a file system is beside its files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name.
    pub label: String,
    /// Its UUID.
    pub uuid: [u8; 16],
    /// How names are spread in large folders.
    pub hash_seed: [u32; 4],
    /// When it was made.
    pub epoch: i64,
    /// Percentage of blocks that only root may use.
    pub reserved: u8,
    /// How many files there may be at least.
    pub inodes: u32,
    /// Blocks of the journal; those that its size asks for if there is no number.
    pub journal: Option<u32>,
}

/// A file system that is laid out, and not yet written.
pub struct Plan<'tree> {
    layout: mkext4::Layout,
    files: Vec<(InodeHandle, &'tree Content, &'tree str)>,
}

/// Lays out a file system of that many bytes.
pub fn plan<'tree>(tree: &'tree Tree, identity: &Identity, size: u64) -> Result<Plan<'tree>> {
    let builder = Builder::declare(tree, identity, size)?;
    let layout = builder.fs.seal().with_context(|| format!("the root file system has {size} bytes"))?;
    Ok(Plan { layout, files: builder.files })
}

/// How many bytes a file system for a tree has at least, with so much left free. It is tried, because the exact number
/// depends on how everything is laid out.
pub fn smallest(tree: &Tree, identity: &Identity, free: u64) -> Result<u64> {
    let mut size = estimate(tree) + free;
    size += (size / BYTES_PER_INODE).max(tree.iter().count() as u64 * 5 / 4) * INODE;
    size += size / 1024 + JOURNAL_AND_MORE;
    let mut tries = 0;
    loop {
        size = size.next_multiple_of(1 << 20);
        match Builder::declare(tree, identity, size)?.fs.seal() {
            Ok(_) => return Ok(size),
            Err(error) if tries == 8 => return Err(error).context("the root file system fits nowhere"),
            Err(_) => (size, tries) = (size + size / 16, tries + 1),
        }
    }
}

/// How many bytes files, folders and attributes take.
fn estimate(tree: &Tree) -> u64 {
    let mut data = 0;
    let mut names: HashMap<&str, u64> = HashMap::new();
    let mut seen = HashSet::new();
    for (path, id, node) in tree.iter() {
        *names.entry(tree::parent(path)).or_default() += 8 + tree::name(path).len() as u64;
        if seen.insert(id) {
            data += match &node.kind {
                Kind::File(content) => {
                    content.ranges(BLOCK).iter().map(|(from, to)| (to - from).next_multiple_of(BLOCK)).sum()
                }
                Kind::Symlink(target) if target.len() >= 60 => BLOCK,
                _ => 0,
            };
            data += if node.xattrs.is_empty() { 0 } else { BLOCK };
        }
    }
    // A folder that is split for its index is full by three quarters.
    let folders: u64 = names.values().map(|bytes| (bytes * 3 / 2).next_multiple_of(BLOCK) + BLOCK).sum();
    data + folders
}

impl Plan<'_> {
    /// Writes it into a file from there on; what is not written must be zero already.
    pub fn write(&self, file: &File, at: u64) -> Result<()> {
        let writer = self.layout.writer(Part(file, at)).map_err(simplify)?;
        // It would copy what files hold one after the other.
        drop(writer);
        let threads = parallel::processors().min(4);
        parallel::each_with(
            &self.files,
            threads,
            || vec![0; CHUNK],
            |buffer, (handle, content, path)| {
                copy(content, &self.layout.extents(*handle), file, at, buffer)
                    .with_context(|| format!("`{path}`: cannot be copied"))
            },
        )?;
        Ok(())
    }
}

struct Builder<'tree> {
    fs: FsBuilder,
    handles: HashMap<Id, InodeHandle>,
    dirs: HashMap<&'tree str, InodeHandle>,
    files: Vec<(InodeHandle, &'tree Content, &'tree str)>,
    epoch: i64,
}

impl<'tree> Builder<'tree> {
    fn declare(tree: &'tree Tree, identity: &Identity, size: u64) -> Result<Builder<'tree>> {
        let nodes = u32::try_from(tree.iter().count()).context("more files than an ext4 can have")?;
        let inodes = (size / BYTES_PER_INODE).max(identity.inodes.max(nodes + nodes / 4).into());
        let mut options = Options::new(size, identity.uuid, identity.epoch);
        options.label = (!identity.label.is_empty()).then(|| identity.label.clone());
        options.hash_seed = identity.hash_seed;
        options.reserved_percent = identity.reserved;
        options.inodes = InodeCount::Exact(u32::try_from(inodes).context("larger than an ext4 can be")?);
        options.journal_blocks = identity.journal.filter(|blocks| u64::from(*blocks) * 4 <= size / BLOCK);
        let mut builder = Builder {
            fs: FsBuilder::new(options)?,
            handles: HashMap::new(),
            dirs: HashMap::from([("/", ROOT)]),
            files: Vec::new(),
            epoch: identity.epoch,
        };
        for (path, id, node) in tree.iter() {
            builder.add(path, id, node).with_context(|| format!("`{path}`: cannot be put into an ext4"))?;
        }
        Ok(builder)
    }

    fn add(&mut self, path: &'tree str, id: Id, node: &'tree Node) -> Result<()> {
        let meta = self.meta(node);
        if path == LOST_AND_FOUND {
            return Ok(());
        }
        ensure!(tree::parent(path) != LOST_AND_FOUND, "a repair has put it there: move or remove it");
        if path == "/" {
            self.fs.set_meta(ROOT, meta)?;
            return self.attributes(ROOT, node);
        }
        let dir = self.dirs[tree::parent(path)];
        let name = tree::name(path);
        if let Some(handle) = self.handles.get(&id) {
            self.fs.hardlink(dir, name, *handle)?;
            return Ok(());
        }
        let handle = match &node.kind {
            Kind::Dir => self.fs.mkdir(dir, name, meta)?,
            Kind::File(content) => {
                let handle = self.file(dir, name, meta, content)?;
                if !content.pieces().is_empty() {
                    self.files.push((handle, content, path));
                }
                handle
            }
            Kind::Symlink(target) => self.fs.symlink(dir, name, target, meta)?,
            Kind::Char(device) => {
                let kind = SpecialKind::Char { major: device.major, minor: device.minor };
                self.fs.mknod(dir, name, meta, kind)?
            }
            Kind::Block(device) => {
                let kind = SpecialKind::Block { major: device.major, minor: device.minor };
                self.fs.mknod(dir, name, meta, kind)?
            }
            Kind::Fifo => self.fs.mknod(dir, name, meta, SpecialKind::Fifo)?,
            Kind::Socket => self.fs.mknod(dir, name, meta, SpecialKind::Socket)?,
        };
        match node.kind {
            Kind::Dir => drop(self.dirs.insert(path, handle)),
            _ => drop(self.handles.insert(id, handle)),
        }
        self.attributes(handle, node)
    }

    fn file(&mut self, dir: InodeHandle, name: &str, meta: Meta, content: &Content) -> Result<InodeHandle> {
        let size = content.size();
        let ranges = content.ranges(BLOCK);
        if ranges.as_slice() == [(0, size)] || size == 0 {
            return Ok(self.fs.file(dir, name, meta, size)?);
        }
        let mut segments = Vec::new();
        let mut at = 0;
        for (from, to) in ranges {
            if from > at {
                segments.push(SparseSeg::Hole(from - at));
            }
            segments.push(SparseSeg::Data(to - from));
            at = to;
        }
        if size > at {
            segments.push(SparseSeg::Hole(size - at));
        }
        Ok(self.fs.file_sparse(dir, name, meta, &segments)?)
    }

    fn attributes(&mut self, handle: InodeHandle, node: &Node) -> Result<()> {
        for (name, value) in &node.xattrs {
            self.fs.set_xattr(handle, name, value)?;
        }
        Ok(())
    }

    /// What nothing is known of happened when the file system was made.
    fn meta(&self, node: &Node) -> Meta {
        let stamp = |time: Time| (time.seconds, time.nanoseconds);
        let made = (self.epoch, 0);
        let mut meta = Meta::new(node.mode, node.uid, node.gid, stamp(node.modified));
        meta.atime = Some(node.past.map_or(meta.mtime, |past| stamp(past.accessed)));
        meta.ctime = Some(node.past.map_or(made, |past| stamp(past.changed)));
        meta.crtime = Some(node.past.map_or(made, |past| stamp(past.born)));
        meta
    }
}

/// Copies what a file holds to where the layout has its blocks, in their order.
fn copy(
    content: &Content,
    extents: &[(u64, u64)],
    file: &File,
    start: u64,
    buffer: &mut [u8],
) -> io::Result<()> {
    let mut extents = extents.iter().copied();
    let (mut place, mut room) = extents.next().unwrap_or_default();
    for (mut from, to) in content.ranges(BLOCK) {
        while from < to {
            if room == 0 {
                (place, room) = extents.next().ok_or(io::ErrorKind::StorageFull)?;
            }
            let size = (to - from).min(room).min(buffer.len() as u64);
            let chunk = &mut buffer[..size as usize];
            chunk.fill(0);
            content.read_at(from, chunk)?;
            file.write_all_at(chunk, start + place)?;
            (from, place, room) = (from + size, place + size, room - size);
        }
    }
    Ok(())
}

/// The part of a file that the file system is in, from there on.
struct Part<'a>(&'a File, u64);

impl RegionSink for Part<'_> {
    fn data(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, self.1 + offset)
    }

    fn zeros(&mut self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }
}

/// What went wrong with the disk is said by the disk.
fn simplify(error: mkext4::Error) -> anyhow::Error {
    match error {
        mkext4::Error::Io(error) => error.into(),
        other => other.into(),
    }
}
