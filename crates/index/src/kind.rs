//! Kinds of index: where an entry begins and ends, and the few fields that the toolchain reads from it.

use std::str;

use memchr::{memchr, memmem};

/// A kind of index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// apt's `Packages`.
    Packages,
    /// dnf's `primary`.
    Primary,
    /// dnf's other lists, which have the packages in the order of `primary`.
    Further,
}

/// The fields of an entry that a list of versions shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row<'a> {
    pub name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) processor: &'a str,
    pub(crate) phase: Option<&'a str>,
}

impl Kind {
    /// Returns the bytes that begin every entry, for kinds with a header before the first one.
    pub(crate) fn begin(self) -> Option<&'static [u8]> {
        match self {
            Kind::Packages => None,
            Kind::Primary | Kind::Further => Some(b"<package "),
        }
    }

    /// Returns the bytes that end every entry.
    pub(crate) fn end(self) -> &'static [u8] {
        match self {
            Kind::Packages => b"\n\n",
            Kind::Primary | Kind::Further => b"</package>\n",
        }
    }

    /// Returns the path of the package's file, which is the sort key of entries.
    pub(crate) fn place(self, entry: &[u8]) -> &[u8] {
        match self {
            Kind::Packages => between(entry, b"\nFilename: ", b'\n'),
            Kind::Primary => between(entry, b"<location href=\"", b'"'),
            Kind::Further => b"",
        }
    }

    /// Returns whether a piece ends after this entry. The package's hash decides, for one entry in [`PIECE`].
    pub(crate) fn is_edge(self, entry: &[u8]) -> bool {
        let hash = match self {
            Kind::Packages => between(entry, b"\nSHA256: ", b'\n'),
            Kind::Primary => between(entry, b"pkgid=\"YES\">", b'<'),
            Kind::Further => between(entry, b"pkgid=\"", b'"'),
        };
        let number = hash.iter().rev().take(4).rev().try_fold(0, |sum, digit| {
            let value = (*digit as char).to_digit(16)?;
            Some(sum * 16 + value)
        });
        number.is_some_and(|number| number % PIECE == 0)
    }

    pub(crate) fn row(self, entry: &[u8]) -> Row<'_> {
        match self {
            Kind::Packages => read_paragraph(entry),
            Kind::Primary | Kind::Further => Row {
                name: text(between(entry, b"<name>", b'<')),
                version: text(between(entry, b" ver=\"", b'"')),
                processor: text(between(entry, b"<arch>", b'<')),
                phase: None,
            },
        }
    }
}

/// Average number of entries in a piece. A piece is small enough to compress at once, and large enough to compress
/// nearly as well as the whole index.
const PIECE: u32 = 128;

/// Reads the fields of a paragraph in one pass, because there can be a million paragraphs.
fn read_paragraph(entry: &[u8]) -> Row<'_> {
    let mut row = Row { name: "", version: "", processor: "", phase: None };
    let mut rest = entry;
    while let Some(end) = memchr(b'\n', rest) {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        match line.first() {
            Some(b'P') => {
                if let Some(value) = line.strip_prefix(b"Package: ") {
                    row.name = text(value);
                } else if let Some(value) = line.strip_prefix(b"Phased-Update-Percentage: ") {
                    row.phase = Some(text(value));
                }
            }
            Some(b'V') => {
                if let Some(value) = line.strip_prefix(b"Version: ") {
                    row.version = text(value);
                }
            }
            Some(b'A') => {
                if let Some(value) = line.strip_prefix(b"Architecture: ") {
                    row.processor = text(value);
                }
            }
            _ => {}
        }
    }
    row
}

/// Returns the bytes between a mark and the next `end`, or nothing if the mark is missing.
fn between<'a>(entry: &'a [u8], mark: &[u8], end: u8) -> &'a [u8] {
    let Some(at) = memmem::find(entry, mark) else { return b"" };
    let rest = &entry[at + mark.len()..];
    &rest[..memchr(end, rest).unwrap_or(rest.len())]
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes.trim_ascii()).unwrap_or_default()
}
