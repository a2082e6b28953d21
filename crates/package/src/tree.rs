//! The files of a product, in memory: path → mode and bytes. Made by [`crate::render`], written by [`crate::stage`].
//!
//! `root/…` is what lands on the machine; `deb/` and `rpm/` hold the maintainer scripts and what only one format has.

use std::collections::BTreeMap;
use std::fmt::Write;

use common::checksum::hex;
use sha2::{Digest, Sha256};

/// A rendered product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<String, File>);

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Permissions.
    pub mode: u32,
    /// Content.
    pub bytes: Vec<u8>,
}

impl Tree {
    /// Adds a file; every path is made by one template only.
    pub fn add(&mut self, path: String, mode: u32, bytes: impl Into<Vec<u8>>) {
        let earlier = self.0.insert(path, File { mode, bytes: bytes.into() });
        assert!(earlier.is_none(), "two templates make one path");
    }

    /// `MODE PATH` of every file, a line each.
    pub fn manifest(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (path, file)| {
            let _ = writeln!(text, "{:04o} {path}", file.mode);
            text
        })
    }

    /// SHA-256 of every path, mode and content.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for (path, file) in &self.0 {
            digest.update(format!("{path}\0{:o} {}\0", file.mode, file.bytes.len()));
            digest.update(&file.bytes);
        }
        hex(&digest.finalize())
    }

    /// The files that land on the machine, by their absolute path there.
    pub fn installed(&self) -> impl Iterator<Item = (&str, &File)> {
        self.0.iter().filter_map(|(path, file)| Some((path.strip_prefix("root")?, file)))
    }
}
