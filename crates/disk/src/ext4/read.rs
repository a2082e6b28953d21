//! Reads an ext4 file system in part of a file as a tree. Anything that could not be written back unchanged
//! is an error.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use mkext4::reader::{Fs, ReadAt};
use mkext4::spec::{self, ExtentHeader, ExtentIdx, Inode, bg_flags};

use super::{BLOCK, Identity};
use crate::tree::{Content, Device, Id, Kind, Node, Past, Piece, Source, Time, Tree};

const MAGIC: [u8; 2] = [0x53, 0xef];
/// Offset of the magic number.
const MAGIC_AT: u64 = 1024 + 0x38;
const JOURNAL_INODE: u32 = 8;

/// Superblock state: cleanly unmounted, or with errors.
const CLEAN: u16 = 1;
const ERRORS: u16 = 2;

/// Unsupported features that change the format, by bit and name.
const INCOMPATIBLE: [(u32, &str); 10] = [
    (0x1, "compression"),
    (0x8, "journal_dev"),
    (0x10, "meta_bg"),
    (0x100, "mmp"),
    (0x400, "ea_inode"),
    (0x1000, "dirdata"),
    (0x4000, "large_dir"),
    (0x8000, "inline_data"),
    (0x1_0000, "encrypt"),
    (0x2_0000, "casefold"),
];
/// Unsupported features that only matter for writing.
const READ_ONLY: [(u32, &str); 6] = [
    (0x100, "quota"),
    (0x200, "bigalloc"),
    (0x1000, "read-only"),
    (0x2000, "project"),
    (0x4000, "shared_blocks"),
    (0x8000, "verity"),
];
/// The file system has files waiting to be removed.
const ORPHANS: u32 = 0x1_0000;

/// File attributes that would be lost, by bit and chattr letter.
const MARKS: [(u32, char); 6] =
    [(0x4, 'c'), (0x10, 'i'), (0x20, 'a'), (0x800, 'E'), (0x10_0000, 'V'), (0x4000_0000, 'F')];

/// Larger than any file on an ext4 with these blocks.
const TOO_LONG: u64 = 1 << 44;
/// Limits for what is kept in memory: a folder's blocks, all names, and all attributes. A system with every
/// Debian package stays far below.
const LARGEST_FOLDER: u64 = 64 << 20;
const MOST_NAMES: u64 = 4_000_000;
const MOST_ATTRIBUTES: u64 = 256 << 20;

/// A file system opened for reading.
pub struct Ext4 {
    fs: Fs<Window>,
    file: Arc<File>,
    at: u64,
}

/// Part of a file, from an offset on.
struct Window(Arc<File>, u64);

impl ReadAt for Window {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        // A damaged file system may contain any offset.
        let at = self.1.checked_add(offset).ok_or(io::ErrorKind::UnexpectedEof)?;
        FileExt::read_exact_at(&*self.0, buffer, at)
    }
}

/// Returns whether an ext2, ext3 or ext4 starts at an offset.
pub fn is_there(file: &File, at: u64) -> bool {
    let mut magic = [0; 2];
    FileExt::read_exact_at(file, &mut magic, at + MAGIC_AT).is_ok() && magic == MAGIC
}

impl Ext4 {
    /// Opens a file system of at most `size` bytes.
    pub fn open(file: Arc<File>, at: u64, size: u64) -> Result<Ext4> {
        let raw = superblock(&file, at)?;
        let word = |at: usize| u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
        refuse(word(0x60), &INCOMPATIBLE)?;
        refuse(word(0x64), &READ_ONLY)?;
        let state = word(0x38) >> 16;
        let dirty = word(0x60) & spec::incompat::RECOVER != 0 || word(0x64) & ORPHANS != 0 || word(0xe8) != 0;
        ensure!(
            !dirty && state & u32::from(CLEAN) != 0,
            "was not unmounted cleanly: run `e2fsck -f` on it, or shut the machine \
             down before you copy its card"
        );
        ensure!(state & u32::from(ERRORS) == 0, "has errors: run `e2fsck -f` on it");
        let block = 1024_u64.checked_shl(word(0x18)).unwrap_or_default();
        ensure!(block == BLOCK, "unsupported block size {block}: create it again with `-b {BLOCK}`");
        let fs = Fs::open(Window(file.clone(), at))?;
        let blocks = fs.superblock().blocks_count;
        ensure!(
            blocks <= size / BLOCK,
            "has {blocks} blocks, but its partition only has room for {}",
            size / BLOCK
        );
        Ok(Ext4 { fs, file, at })
    }

    /// Returns the properties other than files.
    pub fn identity(&self) -> Result<Identity> {
        let superblock = self.fs.superblock();
        let label = superblock.volume_name.split(|byte| *byte == 0).next().unwrap_or_default();
        let reserved = superblock.r_blocks_count.saturating_mul(100).div_ceil(superblock.blocks_count);
        let journal = self.fs.inode(JOURNAL_INODE)?.size / BLOCK;
        Ok(Identity {
            label: String::from_utf8(label.to_vec()).context("its label is not UTF-8")?,
            uuid: superblock.uuid,
            hash_seed: superblock.hash_seed,
            epoch: superblock.mkfs_time.into(),
            reserved: reserved.min(50) as u8,
            inodes: superblock.inodes_count,
            journal: u32::try_from(journal).ok().filter(|blocks| *blocks > 0),
        })
    }

    /// Returns whether a path exists.
    pub fn has(&self, path: &str) -> bool {
        self.find(path).is_ok_and(|inode| inode.is_some())
    }

    fn find(&self, path: &str) -> Result<Option<u32>> {
        let (mut inode, mut room) = (spec::ROOT_INO, self.room());
        for name in path.split('/').filter(|name| !name.is_empty()) {
            self.measure(&self.fs.inode(inode)?, &mut room)?;
            match self.fs.lookup(inode, name.as_bytes())? {
                Some(next) => inode = next,
                None => return Ok(None),
            }
        }
        Ok(Some(inode))
    }

    fn room(&self) -> Room {
        let extents = self.fs.superblock().blocks_count;
        Room { extents, names: MOST_NAMES, attributes: MOST_ATTRIBUTES }
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.fs.superblock().blocks_count * BLOCK
    }

    /// Returns the number of free bytes.
    pub fn free(&self) -> u64 {
        self.fs.superblock().free_blocks_count.saturating_mul(BLOCK)
    }

    /// Reads the tree; file contents are read later.
    pub fn tree(&self) -> Result<Tree> {
        let root = self.fs.inode(spec::ROOT_INO)?;
        let mut room = self.room();
        let mut walk = Walk {
            fs: self,
            tree: Tree::new(self.node(spec::ROOT_INO, &root, &mut room)?),
            room,
            links: HashMap::new(),
            folders: HashSet::from([spec::ROOT_INO]),
        };
        let mut waiting = vec![("/".to_owned(), spec::ROOT_INO)];
        while let Some((path, inode)) = waiting.pop() {
            walk.folder(&path, inode, &mut waiting)?;
        }
        Ok(walk.tree)
    }

    /// Returns the byte ranges in use, relative to the start of the file system.
    pub fn used(&self) -> Result<Vec<(u64, u64)>> {
        let superblock = self.fs.superblock();
        let group_size = u64::from(superblock.blocks_per_group);
        let mut used: Vec<(u64, u64)> = Vec::new();
        let mut add = |from: u64, to: u64| match used.last_mut() {
            Some((_, end)) if *end == from => *end = to,
            _ => used.push((from, to)),
        };
        for group in 0..superblock.group_count() {
            let start = group * group_size;
            let end = (start + group_size).min(superblock.blocks_count);
            let description = self.fs.group_desc(group)?;
            if description.flags & bg_flags::BLOCK_UNINIT != 0 {
                add(start * BLOCK, end * BLOCK);
                continue;
            }
            let bitmap = self.fs.read_block(description.block_bitmap)?;
            for block in start..end {
                let bit = (block - start) as usize;
                if bitmap[bit / 8] & (1 << (bit % 8)) != 0 {
                    add(block * BLOCK, (block + 1) * BLOCK);
                }
            }
        }
        Ok(used)
    }

    /// Checks an inode's size before the reader keeps it in memory: a damaged one may refer to the same
    /// blocks again and again.
    fn measure(&self, inode: &Inode, room: &mut Room) -> Result<()> {
        ensure!(inode.size < TOO_LONG, "impossible file size: run `e2fsck -f` on it");
        ensure!(
            inode.mode & 0xf000 != 0x4000 || inode.size <= LARGEST_FOLDER,
            "folder larger than {LARGEST_FOLDER} bytes"
        );
        inode.extent_root().map_or(Ok(()), |root| self.measure_extents(root, room))
    }

    fn measure_extents(&self, node: &[u8], room: &mut Room) -> Result<()> {
        let header = ExtentHeader::decode(node)?;
        let most = (node.len() - ExtentHeader::LEN) / ExtentHeader::ENTRY_LEN;
        for number in 0..usize::from(header.entries).min(most) {
            // Each extent must refer to its own blocks.
            take(&mut room.extents, 1).context("shares blocks with other files: run `e2fsck -f` on it")?;
            if header.depth > 0 {
                let child = self.fs.read_block(ExtentIdx::decode(spec::extent::entry(node, number)).leaf)?;
                let depth = ExtentHeader::decode(&child)?.depth;
                ensure!(depth < header.depth, "has circular extents: run `e2fsck -f` on it");
                self.measure_extents(&child, room)?;
            }
        }
        Ok(())
    }

    fn node(&self, number: u32, inode: &Inode, room: &mut Room) -> Result<Node> {
        self.measure(inode, room)?;
        let marks: String =
            MARKS.iter().filter(|(bit, _)| inode.flags & bit != 0).map(|(_, letter)| *letter).collect();
        ensure!(
            marks.is_empty(),
            "has the attributes `{marks}` (lsattr), which would be lost: remove them with chattr"
        );
        let time = |seconds, extra| {
            let (seconds, nanoseconds) = Inode::timestamp(seconds, extra);
            Time { seconds, nanoseconds }
        };
        let mut xattrs = BTreeMap::new();
        for attribute in self.fs.xattrs(number)? {
            take(&mut room.attributes, attribute.value.len() as u64).with_context(|| {
                format!("more than {MOST_ATTRIBUTES} bytes of extended attributes in total")
            })?;
            let name = attribute.full_name().and_then(|name| String::from_utf8(name).ok());
            xattrs.insert(name.context("unknown kind of extended attribute")?, attribute.value);
        }
        Ok(Node {
            kind: self.kind(number, inode)?,
            mode: inode.mode & 0o7777,
            uid: inode.uid,
            gid: inode.gid,
            modified: time(inode.mtime, inode.mtime_extra),
            past: Some(Past {
                accessed: time(inode.atime, inode.atime_extra),
                changed: time(inode.ctime, inode.ctime_extra),
                born: time(inode.crtime, inode.crtime_extra),
            }),
            xattrs,
        })
    }

    fn kind(&self, number: u32, inode: &Inode) -> Result<Kind> {
        let device = || {
            let (major, minor) = inode.dev_numbers().context("has no device numbers")?;
            anyhow::Ok(Device { major, minor })
        };
        Ok(match inode.mode & 0xf000 {
            0x4000 => Kind::Dir,
            0x8000 => Kind::File(self.content(number, inode)?),
            0xa000 => {
                let target = self.fs.symlink_target(number)?;
                Kind::Symlink(String::from_utf8(target).context("its target is not UTF-8")?)
            }
            0x2000 => Kind::Char(device()?),
            0x6000 => Kind::Block(device()?),
            0x1000 => Kind::Fifo,
            0xc000 => Kind::Socket,
            other => bail!("unknown file type {other:#x}: run `e2fsck -f` on it"),
        })
    }

    fn content(&self, number: u32, inode: &Inode) -> Result<Content> {
        ensure!(
            inode.uses_extents() || inode.size == 0,
            "uses an ext3 block map, which is not supported: copy the files to a new ext4"
        );
        let blocks = self.fs.superblock().blocks_count;
        let mut pieces: Vec<Piece> = Vec::new();
        for extent in self.fs.extents(number, inode)? {
            let (at, place) = (u64::from(extent.logical) * BLOCK, extent.physical);
            ensure!(place + u64::from(extent.len) <= blocks, "extends beyond the end of the file system");
            ensure!(
                pieces.last().is_none_or(|last| last.at + last.size <= at),
                "uses a block twice: run `e2fsck -f` on it"
            );
            if extent.unwritten || at >= inode.size {
                continue;
            }
            let size = (u64::from(extent.len) * BLOCK).min(inode.size - at);
            let source = Source::File(self.file.clone(), self.at + place * BLOCK);
            pieces.push(Piece { at, size, source });
        }
        Ok(Content::sparse(inode.size, pieces))
    }
}

/// How much more may be read from a file system.
struct Room {
    extents: u64,
    names: u64,
    attributes: u64,
}

fn take(room: &mut u64, amount: u64) -> Option<()> {
    *room = room.checked_sub(amount)?;
    Some(())
}

struct Walk<'fs> {
    fs: &'fs Ext4,
    tree: Tree,
    room: Room,
    links: HashMap<u32, Id>,
    folders: HashSet<u32>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &str, inode: u32, waiting: &mut Vec<(String, u32)>) -> Result<()> {
        let entries = self.fs.fs.read_dir(inode).with_context(|| format!("`{folder}`"))?;
        for entry in entries {
            if entry.name == b"." || entry.name == b".." || entry.inode == 0 {
                continue;
            }
            let file_name = entry.name.escape_ascii();
            let name = std::str::from_utf8(&entry.name)
                .with_context(|| format!("`{folder}`: the file name {file_name} is not UTF-8: rename it"))?;
            let path = if folder == "/" { format!("/{name}") } else { format!("{folder}/{name}") };
            self.entry(&path, entry.inode, waiting).with_context(|| format!("`{path}`"))?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, number: u32, waiting: &mut Vec<(String, u32)>) -> Result<()> {
        take(&mut self.room.names, 1).with_context(|| format!("more than {MOST_NAMES} file names"))?;
        if let Some(id) = self.links.get(&number) {
            return self.tree.link(path, *id);
        }
        let inode = self.fs.fs.inode(number)?;
        let node = self.fs.node(number, &inode, &mut self.room)?;
        let folder = matches!(node.kind, Kind::Dir);
        ensure!(!folder || self.folders.insert(number), "is in two folders: run `e2fsck -f` on it");
        let id = self.tree.insert(path, node)?;
        if folder {
            waiting.push((path.to_owned(), number));
        } else if inode.links_count > 1 {
            self.links.insert(number, id);
        }
        Ok(())
    }
}

fn superblock(file: &File, at: u64) -> Result<[u8; 1024]> {
    let mut raw = [0; 1024];
    FileExt::read_exact_at(file, &mut raw, at + 1024).context("truncated")?;
    ensure!(raw[0x38..0x3a] == MAGIC, "not an ext4 file system");
    Ok(raw)
}

fn refuse(bits: u32, features: &[(u32, &str)]) -> Result<()> {
    let unsupported: Vec<&str> =
        features.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name).collect();
    ensure!(
        unsupported.is_empty(),
        "unsupported features ({}): create it again without them (`mke2fs -O ^{}`)",
        unsupported.join(", "),
        unsupported.join(",^")
    );
    Ok(())
}
