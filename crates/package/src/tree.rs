//! The files of a product in memory. [`crate::render`] makes a tree, and [`crate::stage`] writes it to disk.
//!
//! `root/` has the files that a package installs. `deb/` and `rpm/` have the maintainer scripts and other files of one
//! format.

use std::collections::BTreeMap;
use std::fmt::Write;

use common::checksum::hex;
use sha2::{Digest, Sha256};

/// A rendered product: files by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<String, File>);

/// A file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Permission bits.
    pub mode: u32,
    /// Content of the file.
    pub bytes: Vec<u8>,
}

impl Tree {
    /// Adds a file. Panics if the path exists, because each path comes from one template.
    pub fn add(&mut self, path: String, mode: u32, bytes: impl Into<Vec<u8>>) {
        let earlier = self.0.insert(path, File { mode, bytes: bytes.into() });
        assert!(earlier.is_none(), "two templates make one path");
    }

    /// Returns a line `MODE PATH` for every file.
    pub fn manifest(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (path, file)| {
            let _ = writeln!(text, "{:04o} {path}", file.mode);
            text
        })
    }

    /// Returns the SHA-256 of all paths, modes and contents.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for (path, file) in &self.0 {
            digest.update(format!("{path}\0{:o} {}\0", file.mode, file.bytes.len()));
            digest.update(&file.bytes);
        }
        hex(&digest.finalize())
    }

    /// Returns the installed files with their absolute paths.
    pub fn installed(&self) -> impl Iterator<Item = (&str, &File)> {
        self.0.iter().filter_map(|(path, file)| Some((path.strip_prefix("root")?, file)))
    }
}
