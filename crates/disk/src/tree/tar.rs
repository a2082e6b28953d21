//! Reads trees from tar files in the formats that dpkg, GNU tar and this toolchain write. Attributes are read
//! by length, because a capability may contain a line feed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use tar::{Entry, EntryType, Header};

use super::{Content, Device, Kind, Node, Time, Tree};
use crate::tree;

/// Limit for an extension header; paths and attributes take a few kilobytes.
const LONGEST_EXTENSION: u64 = 1 << 20;
const ATTRIBUTE: &str = "SCHILY.xattr.";

impl Tree {
    /// Reads the tree of a tar file, which must exist as long as the tree. If the root is not the first
    /// entry, it is owned by root with mode 755.
    pub fn from_tar(path: &Path) -> Result<Tree> {
        let display = path.display();
        let file = File::open(path).with_context(|| format!("cannot read `{display}`"))?;
        Tree::from_tar_file(Arc::new(file)).with_context(|| format!("`{display}`: invalid system tar"))
    }

    /// Reads the tree of an open tar file.
    pub fn from_tar_file(file: Arc<File>) -> Result<Tree> {
        read(file, false)
    }

    /// Reads part of a system from a tar file; missing parent folders are owned by root.
    pub fn from_partial_tar(file: Arc<File>) -> Result<Tree> {
        read(file, true)
    }
}

/// Reads headers and skips the data between them.
struct Skimmer {
    file: BufReader<File>,
    at: u64,
}

impl Read for Skimmer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Skimmer {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if let SeekFrom::Current(by) = to {
            self.file.seek_relative(by)?;
            self.at = self.at.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        } else {
            self.at = self.file.seek(to)?;
        }
        Ok(self.at)
    }
}

/// Extension headers that apply to the next entry.
#[derive(Debug, Default)]
pub struct Extensions {
    records: BTreeMap<String, Vec<u8>>,
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
}

fn read(file: Arc<File>, partial: bool) -> Result<Tree> {
    let length = file.metadata()?.len();
    let mut tree = Tree::new(Node::new(Kind::Dir, 0o755, 0));
    let mut archive = tar::Archive::new(Skimmer { file: BufReader::new(file.try_clone()?), at: 0 });
    let mut extensions = Extensions::default();
    let mut ended = 0;
    for entry in archive.entries_with_seek()?.raw(true) {
        let mut entry = entry.context("truncated or damaged")?;
        if extensions.take(&mut entry)? {
            continue;
        }
        let about = std::mem::take(&mut extensions);
        let size = about.size(&entry)?;
        ended = entry.raw_file_position() + size;
        let path = about.path(entry.header())?;
        if partial {
            make_folders(&mut tree, tree::parent(&path))?;
        }
        about
            .add(
                &mut tree,
                &path,
                entry.header(),
                Content::stored(file.clone(), entry.raw_file_position(), size),
            )
            .with_context(|| format!("entry `{}`", path.escape_debug()))?;
    }
    ensure!(ended <= length, "truncated");
    Ok(tree)
}

fn make_folders(tree: &mut Tree, folder: &str) -> Result<()> {
    if tree.get(folder).is_none() {
        make_folders(tree, tree::parent(folder))?;
        tree.insert(folder, Node::new(Kind::Dir, 0o755, 0))?;
    }
    Ok(())
}

impl Extensions {
    /// Consumes a raw entry if it is an extension header; returns whether it was one.
    pub fn take<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<bool> {
        let kind = entry.header().entry_type();
        if !matches!(kind, EntryType::XHeader | EntryType::GNULongName | EntryType::GNULongLink) {
            return Ok(kind == EntryType::XGlobalHeader);
        }
        ensure!(entry.size() <= LONGEST_EXTENSION, "extension header longer than {LONGEST_EXTENSION} bytes");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).context("truncated")?;
        match kind {
            EntryType::XHeader => self.records = records(&bytes)?,
            EntryType::GNULongName => self.path = Some(cut(&bytes).to_vec()),
            _ => self.target = Some(cut(&bytes).to_vec()),
        }
        Ok(true)
    }

    fn add(self, tree: &mut Tree, path: &str, header: &Header, content: Content) -> Result<()> {
        let device = || -> Result<Device> {
            let numbers =
                header.device_major()?.zip(header.device_minor()?).context("has no device numbers")?;
            Ok(Device { major: numbers.0, minor: numbers.1 })
        };
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous => Kind::File(content),
            EntryType::Directory => Kind::Dir,
            EntryType::Symlink => Kind::Symlink(self.target(header)?),
            EntryType::Link => {
                let target = absolute(&self.target(header)?);
                let id =
                    tree.id(&target).with_context(|| format!("link to `{target}`, which does not exist"))?;
                return tree.link(path, id);
            }
            EntryType::Char => Kind::Char(device()?),
            EntryType::Block => Kind::Block(device()?),
            EntryType::Fifo => Kind::Fifo,
            other => {
                bail!("unsupported entry type {:?}: write the tar without `--sparse`", other.as_byte())
            }
        };
        let node = Node {
            kind,
            mode: (header.mode()? & 0o7777) as u16,
            uid: self.number("uid")?.map_or_else(|| owner(header.uid()), |uid| owner(Ok(uid)))?,
            gid: self.number("gid")?.map_or_else(|| owner(header.gid()), |gid| owner(Ok(gid)))?,
            modified: self.time(header)?,
            past: None,
            xattrs: self.records.iter().filter_map(attribute).collect(),
        };
        tree.insert(path, node).map(drop)
    }

    /// Returns the path, relative to the archive's root.
    pub fn path(&self, header: &Header) -> Result<String> {
        let in_header = header.path_bytes();
        let bytes = self.records.get("path").or(self.path.as_ref()).map_or(&*in_header, Vec::as_slice);
        Ok(absolute(&text(bytes)?))
    }

    /// Returns the target of a link.
    pub fn target(&self, header: &Header) -> Result<String> {
        let in_header = header.link_name_bytes().unwrap_or_default();
        let bytes = self.records.get("linkpath").or(self.target.as_ref()).map_or(&*in_header, Vec::as_slice);
        text(bytes)
    }

    /// Returns the size, which must match the header's.
    pub fn size<R: Read>(&self, entry: &Entry<'_, R>) -> Result<u64> {
        ensure!(
            !self.records.keys().any(|key| key.starts_with("GNU.sparse.")),
            "sparse files are not supported: write the tar without `--sparse`"
        );
        let size = self.number("size")?.map_or_else(|| entry.header().entry_size(), Ok)?;
        ensure!(size == entry.size(), "files of 8 GiB or more are not supported");
        Ok(size)
    }

    fn time(&self, header: &Header) -> Result<Time> {
        let Some(value) = self.records.get("mtime") else {
            return Ok(Time { seconds: header.mtime()? as i64, nanoseconds: 0 });
        };
        let value = text(value)?;
        let (seconds, fraction) = value.split_once('.').unwrap_or((&value, "0"));
        let parsed: Option<(i64, u32)> = seconds.parse().ok().zip(format!("{fraction:0<9.9}").parse().ok());
        let (seconds, nanoseconds) = parsed.with_context(|| format!("invalid time `{value}`"))?;
        Ok(Time { seconds, nanoseconds })
    }

    fn number(&self, key: &str) -> Result<Option<u64>> {
        let Some(value) = self.records.get(key) else { return Ok(None) };
        let value = text(value)?;
        Ok(Some(value.parse().with_context(|| format!("{key} `{value}` is not a number"))?))
    }
}

/// Parses the records of a pax header: `LENGTH KEY=VALUE` and a line feed each.
fn records(mut bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut records = BTreeMap::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ');
        let length: Option<usize> =
            space.and_then(|space| std::str::from_utf8(&bytes[..space]).ok()?.parse().ok());
        let record = space.zip(length).and_then(|(space, length)| bytes.get(space + 1..length));
        let record =
            record.and_then(|record| record.strip_suffix(b"\n")).context("damaged extension header")?;
        let equals = record.iter().position(|byte| *byte == b'=').context("damaged extension header")?;
        records.insert(text(&record[..equals])?, record[equals + 1..].to_vec());
        bytes = &bytes[length.unwrap_or_default()..];
    }
    Ok(records)
}

fn attribute((key, value): (&String, &Vec<u8>)) -> Option<(String, Vec<u8>)> {
    Some((key.strip_prefix(ATTRIBUTE)?.to_owned(), value.clone()))
}

fn owner(number: std::io::Result<u64>) -> Result<u32> {
    let number = number?;
    u32::try_from(number).with_context(|| format!("invalid owner {number}"))
}

fn text(bytes: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(bytes);
    Ok(text.with_context(|| format!("the file name {} is not UTF-8", bytes.escape_ascii()))?.to_owned())
}

fn cut(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Turns `./usr/bin/` into `/usr/bin`.
fn absolute(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("/{}", parts.join("/"))
}
