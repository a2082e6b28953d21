//! An index as a list of entries: those that were published are ranges of its text, new ones their own bytes.

use std::fmt;
use std::sync::Arc;

use memchr::memmem;

use crate::kind::{Kind, Row};

/// The entries of an index, sorted by the files of their packages.
#[derive(Clone)]
pub struct List {
    pub(crate) kind: Kind,
    /// The text as it was published; lists that began as the same one share it.
    pub(crate) text: Arc<Vec<u8>>,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Published { start: usize, end: usize },
    New(Arc<[u8]>),
}

impl List {
    /// The list of a text as it was published.
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

    /// One without entries.
    pub fn empty(kind: Kind) -> List {
        List { kind, text: Arc::default(), entries: Vec::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// An entry, with what ends it.
    pub fn get(&self, i: usize) -> &[u8] {
        self.bytes(&self.entries[i])
    }

    /// The file of an entry's package.
    pub fn place(&self, i: usize) -> &[u8] {
        self.kind.place(self.get(i))
    }

    /// The files of all packages.
    pub fn places(&self) -> Vec<&[u8]> {
        self.entries.iter().map(|entry| self.kind.place(self.bytes(entry))).collect()
    }

    /// Where the entry of this file is, or would be.
    pub fn find(&self, place: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| self.kind.place(self.bytes(entry)).cmp(place))
    }

    /// Where the entries of a version are.
    pub fn positions(&self, name: &str, version: &str) -> Vec<usize> {
        let is_meant = |i: &usize| {
            let row = self.kind.row(self.get(*i));
            row.name == name && row.version == version
        };
        (0..self.len()).filter(is_meant).collect()
    }

    /// Puts an entry in.
    pub fn insert(&mut self, i: usize, entry: &[u8]) {
        self.entries.insert(i, Entry::New(entry.into()));
    }

    /// Puts an entry in the place of another one.
    pub fn replace(&mut self, i: usize, entry: &[u8]) {
        if self.get(i) != entry {
            self.entries[i] = Entry::New(entry.into());
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, i: usize) {
        self.entries.remove(i);
    }

    /// Whether another list began as the same one, and has the same entries.
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
