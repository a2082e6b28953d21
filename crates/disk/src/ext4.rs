//! Writes a tree as an ext4 file system into part of a file, and reads one back.
//!
//! `mkext4` computes the layout; its version is pinned because it determines every byte. This module copies
//! file contents to their places, with several threads.

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

/// Block size in bytes.
pub const BLOCK: u64 = 4096;
/// Bytes a thread copies at once.
const CHUNK: usize = 1 << 20;
/// The default of `mke2fs`.
const BYTES_PER_INODE: u64 = 16 * 1024;
const INODE: u64 = 256;
/// Space that even an empty file system needs.
const JOURNAL_AND_MORE: u64 = 24 << 20;
/// Every file system creates its own.
const LOST_AND_FOUND: &str = "/lost+found";

/// Properties of a file system other than its files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Volume label.
    pub label: String,
    /// UUID.
    pub uuid: [u8; 16],
    /// Seed for the hash of folder indexes.
    pub hash_seed: [u32; 4],
    /// Creation time in seconds since 1970.
    pub epoch: i64,
    /// Percentage of blocks reserved for root.
    pub reserved: u8,
    /// Minimum number of inodes.
    pub inodes: u32,
    /// Number of journal blocks; `None` means the default for the size.
    pub journal: Option<u32>,
}

/// The layout of a file system that is not yet written.
pub struct Plan<'tree> {
    layout: mkext4::Layout,
    files: Vec<(InodeHandle, &'tree Content, &'tree str)>,
}

/// Lays out a file system of `size` bytes.
pub fn plan<'tree>(tree: &'tree Tree, identity: &Identity, size: u64) -> Result<Plan<'tree>> {
    let builder = Builder::declare(tree, identity, size)?;
    let layout = builder.fs.seal().with_context(|| format!("the root file system has {size} bytes"))?;
    Ok(Plan { layout, files: builder.files })
}

/// Returns the minimum size of a file system for a tree with `free` bytes left. It tries sizes, because the
/// exact number depends on the layout.
pub fn smallest(tree: &Tree, identity: &Identity, free: u64) -> Result<u64> {
    let mut size = estimate(tree) + free;
    size += (size / BYTES_PER_INODE).max(tree.iter().count() as u64 * 5 / 4) * INODE;
    size += size / 1024 + JOURNAL_AND_MORE;
    let mut tries = 0;
    loop {
        size = size.next_multiple_of(1 << 20);
        match Builder::declare(tree, identity, size)?.fs.seal() {
            Ok(_) => return Ok(size),
            Err(error) if tries == 8 => {
                return Err(error).context("cannot find a size for the root file system");
            }
            Err(_) => (size, tries) = (size + size / 16, tries + 1),
        }
    }
}

/// Estimates the bytes that files, folders and attributes take.
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
    // Folders that were split for their index are about three quarters full.
    let folders: u64 = names.values().map(|bytes| (bytes * 3 / 2).next_multiple_of(BLOCK) + BLOCK).sum();
    data + folders
}

impl Plan<'_> {
    /// Writes the file system at an offset of a file that must contain zeros there.
    pub fn write(&self, file: &File, at: u64) -> Result<()> {
        let writer = self.layout.writer(Part(file, at)).map_err(simplify)?;
        // mkext4's own writer would copy contents one after the other.
        drop(writer);
        let threads = parallel::processors().min(4);
        parallel::each_with(
            &self.files,
            threads,
            || vec![0; CHUNK],
            |buffer, (handle, content, path)| {
                copy(content, &self.layout.extents(*handle), file, at, buffer)
                    .with_context(|| format!("cannot copy `{path}`"))
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
        let nodes = u32::try_from(tree.iter().count()).context("more files than ext4 supports")?;
        let inodes = (size / BYTES_PER_INODE).max(identity.inodes.max(nodes + nodes / 4).into());
        let mut options = Options::new(size, identity.uuid, identity.epoch);
        options.label = (!identity.label.is_empty()).then(|| identity.label.clone());
        options.hash_seed = identity.hash_seed;
        options.reserved_percent = identity.reserved;
        options.inodes = InodeCount::Exact(u32::try_from(inodes).context("larger than ext4 supports")?);
        options.journal_blocks = identity.journal.filter(|blocks| u64::from(*blocks) * 4 <= size / BLOCK);
        let mut builder = Builder {
            fs: FsBuilder::new(options)?,
            handles: HashMap::new(),
            dirs: HashMap::from([("/", ROOT)]),
            files: Vec::new(),
            epoch: identity.epoch,
        };
        for (path, id, node) in tree.iter() {
            builder.add(path, id, node).with_context(|| format!("cannot add `{path}` to the file system"))?;
        }
        Ok(builder)
    }

    fn add(&mut self, path: &'tree str, id: Id, node: &'tree Node) -> Result<()> {
        let meta = self.meta(node);
        if path == LOST_AND_FOUND {
            return Ok(());
        }
        ensure!(tree::parent(path) != LOST_AND_FOUND, "left there by e2fsck: move or remove it");
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

    /// Unknown times become the creation time of the file system.
    fn meta(&self, node: &Node) -> Meta {
        let stamp = |time: Time| (time.seconds, time.nanoseconds);
        let created = (self.epoch, 0);
        let mut meta = Meta::new(node.mode, node.uid, node.gid, stamp(node.modified));
        meta.atime = Some(node.past.map_or(meta.mtime, |past| stamp(past.accessed)));
        meta.ctime = Some(node.past.map_or(created, |past| stamp(past.changed)));
        meta.crtime = Some(node.past.map_or(created, |past| stamp(past.born)));
        meta
    }
}

/// Copies a file's content to its blocks, in order.
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

/// The part of a file that holds the file system, from an offset on.
struct Part<'a>(&'a File, u64);

impl RegionSink for Part<'_> {
    fn data(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, self.1 + offset)
    }

    fn zeros(&mut self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }
}

/// Reports I/O errors as they are, without mkext4's wrapping.
fn simplify(error: mkext4::Error) -> anyhow::Error {
    match error {
        mkext4::Error::Io(error) => error.into(),
        other => other.into(),
    }
}
