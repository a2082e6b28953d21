//! The files, symbolic links and directories that a package installs. Contents of payloads stay on disk until they are
//! packed, because a payload can be larger than the memory of the machine.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use common::checksum::hex;
use md5::Md5;
use sha2::{Digest, Sha256};

const CHUNK: usize = 1 << 18;

/// A file, link or directory that a package installs. It belongs to root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Absolute path on the machine.
    pub path: String,
    /// What it is.
    pub kind: Kind,
}

/// The kind of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Where its content is.
        content: Content,
        /// Permission bits.
        mode: u32,
        /// Size in bytes.
        size: u64,
        /// MD5 in hexadecimal digits, which a .deb lists.
        md5: String,
        /// SHA-256 in hexadecimal digits, which an .rpm lists.
        sha256: String,
    },
    /// A symbolic link to this target.
    Link(String),
    /// A directory with these permission bits.
    Directory(u32),
}

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// In memory, for files that this toolchain renders.
    Bytes(Vec<u8>),
    /// In a file of this machine, for files of a payload.
    Path(PathBuf),
}

impl Entry {
    /// Returns an entry for a file with this content.
    pub fn bytes(path: String, bytes: Vec<u8>, mode: u32) -> Entry {
        let (md5, sha256) = (hex(&Md5::digest(&bytes)), hex(&Sha256::digest(&bytes)));
        let size = bytes.len() as u64;
        Entry { path, kind: Kind::File { content: Content::Bytes(bytes), mode, size, md5, sha256 } }
    }

    /// Returns an entry for a file, and reads it once for its checksums.
    pub fn file(path: String, source: &Path, mode: u32) -> Result<Entry> {
        let (mut md5, mut sha256, mut size) = (Md5::new(), Sha256::new(), 0);
        let mut buffer = vec![0; CHUNK];
        let unreadable = || format!("`{}`: cannot be read", source.display());
        let mut file = File::open(source).with_context(unreadable)?;
        loop {
            let length = file.read(&mut buffer).with_context(unreadable)?;
            if length == 0 {
                break;
            }
            md5.update(&buffer[..length]);
            sha256.update(&buffer[..length]);
            size += length as u64;
        }
        let (md5, sha256) = (hex(&md5.finalize()), hex(&sha256.finalize()));
        Ok(Entry {
            path,
            kind: Kind::File { content: Content::Path(source.to_owned()), mode, size, md5, sha256 },
        })
    }

    /// Returns the directories above it, from the top.
    pub(crate) fn parents(&self) -> impl Iterator<Item = &str> {
        self.path.match_indices('/').skip(1).map(|(end, _)| &self.path[..end])
    }

    /// Returns the size of its content.
    pub fn size(&self) -> u64 {
        match self.kind {
            Kind::File { size, .. } => size,
            _ => 0,
        }
    }

    /// Returns whether a person may change it on the machine.
    pub(crate) fn is_configuration(&self) -> bool {
        matches!(self.kind, Kind::File { .. }) && self.path.starts_with("/etc/")
    }

    /// Returns a line that differs whenever the packed entry differs.
    pub(crate) fn fingerprint(&self) -> String {
        let path = &self.path;
        match &self.kind {
            Kind::File { mode, sha256, .. } => format!("f {mode:o} {sha256} {path}"),
            Kind::Link(target) => format!("l {target}\0{path}"),
            Kind::Directory(mode) => format!("d {mode:o} {path}"),
        }
    }
}

impl Content {
    /// Opens the content. The size was determined earlier, so a file that has changed since is an error.
    pub(crate) fn open(&self, size: u64) -> io::Result<Box<dyn Read + '_>> {
        match self {
            Content::Bytes(bytes) => Ok(Box::new(bytes.as_slice())),
            Content::Path(path) => {
                let file = File::open(path)?;
                if file.metadata()?.len() != size {
                    let why = format!("`{}`: changed while it was packed: try again", path.display());
                    return Err(io::Error::other(why));
                }
                Ok(Box::new(file.take(size)))
            }
        }
    }
}
