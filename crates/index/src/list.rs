//! An index as a list of entries. A published entry is a range of the published text; a new one has its own bytes.

use std::fmt;
use std::sync::Arc;

use memchr::memmem;

use crate::kind::{Kind, Row};

/// The entries of an index, sorted by the path of the package's file.
#[derive(Clone)]
pub struct List {
    pub(crate) kind: Kind,
    /// The published text, shared by lists that were cloned from the same one.
    pub(crate) text: Arc<Vec<u8>>,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Published { start: usize, end: usize },
    New(Arc<[u8]>),
}

impl List {
    /// Reads a published index.
    pub fn read(kind: Kind, text: Vec<u8>) -> List {
        let text = Arc::new(text);
        let begin = kind.begin().map_or(Some(0), |begin| memmem::find(&text, begin));
        let mut start = begin.unwrap_or(text.len());
        let mut entries = Vec::new();
        for at in memmem::find_iter(&text[start..], kind.end()).map(|at| at + start).collect::<Vec<_>>() {
            let end = at + kind.end().len();
            entries.push(Entry::Published { start, end });
            start = end;
        }
        List { kind, text, entries }
    }

    /// Returns a list without entries.
    pub fn empty(kind: Kind) -> List {
        List { kind, text: Arc::default(), entries: Vec::new() }
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the bytes of an entry, including its end mark.
    pub fn get(&self, i: usize) -> &[u8] {
        self.bytes(&self.entries[i])
    }

    /// Returns the path of an entry's file.
    pub fn place(&self, i: usize) -> &[u8] {
        self.kind.place(self.get(i))
    }

    /// Returns the paths of all files, in order.
    pub fn places(&self) -> Vec<&[u8]> {
        self.entries.iter().map(|entry| self.kind.place(self.bytes(entry))).collect()
    }

    /// Finds the entry of a file: `Ok` with its index, or `Err` with the index to insert it at.
    pub fn find(&self, place: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| self.kind.place(self.bytes(entry)).cmp(place))
    }

    /// Returns the indices of the entries of a version.
    pub fn positions(&self, name: &str, version: &str) -> Vec<usize> {
        let matches = |i: &usize| {
            let row = self.kind.row(self.get(*i));
            row.name == name && row.version == version
        };
        (0..self.len()).filter(matches).collect()
    }

    /// Inserts an entry before index `i`.
    pub fn insert(&mut self, i: usize, entry: &[u8]) {
        self.entries.insert(i, Entry::New(entry.into()));
    }

    /// Replaces an entry; an identical one keeps its piece unchanged.
    pub fn replace(&mut self, i: usize, entry: &[u8]) {
        if self.get(i) != entry {
            self.entries[i] = Entry::New(entry.into());
        }
    }

    /// Removes an entry.
    pub fn remove(&mut self, i: usize) {
        self.entries.remove(i);
    }

    /// Returns whether two lists share their published text and have the same entries.
    pub fn is(&self, other: &List) -> bool {
        Arc::ptr_eq(&self.text, &other.text) && self.entries == other.entries
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.entries.iter().map(|entry| self.kind.row(self.bytes(entry)))
    }

    pub(crate) fn bytes<'a>(&'a self, entry: &'a Entry) -> &'a [u8] {
        match entry {
            Entry::Published { start, end } => &self.text[*start..*end],
            Entry::New(bytes) => bytes,
        }
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "List({:?}, {})", self.kind, self.len())
    }
}
