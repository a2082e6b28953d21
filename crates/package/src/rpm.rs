//! Reads, changes and signs .rpm packages.
//!
//! An rpm consists of a lead, a signature header (digests), the main header and the payload. A header is an index of
//! (tag, type, offset, count) over a store of values. Its region entry marks what a signature covers.

pub(crate) mod write;

use anyhow::{Context, Result, ensure};
use common::checksum::{hex, sha256};
use sha1::{Digest, Sha1};

const LEAD: usize = 96;
const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
const ENTRY: usize = 16;

const SIGNATURES: u32 = 62;
const IMMUTABLE: u32 = 63;
const SIG_RSA: u32 = 268;
const SIG_LONG_UNPACKED: u32 = 271;
const SIG_SHA1: u32 = 269;
const SIG_SHA256: u32 = 273;
const SIG_SIZE: u32 = 1000;
const SIG_UNPACKED: u32 = 1007;
/// Tag of the package's name.
pub const NAME: u32 = 1000;
/// Tag of the package's version.
pub const VERSION: u32 = 1001;
/// Tags of a kind of relation: names, flags and versions.
const PROVIDES: [u32; 3] = [1047, 1112, 1113];
const REQUIRES: [u32; 3] = [1049, 1048, 1050];
/// Tags that map files to their relations by index. They are optional, and wrong once a relation is removed.
const REASONS: [u32; 3] = [1143, 1144, 1145];

const INT16: u32 = 3;
const INT32: u32 = 4;
const INT64: u32 = 5;
const STRING: u32 = 6;
const BINARY: u32 = 7;
const STRINGS: u32 = 8;
const TRANSLATED: u32 = 9;

/// An entry of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    tag: u32,
    kind: u32,
    count: u32,
    bytes: Vec<u8>,
}

impl Entry {
    /// Returns an entry with a single string.
    pub fn text(tag: u32, text: &str) -> Entry {
        texts_entry(tag, STRING, &[text.to_owned()])
    }
}

/// Returns the package with a signature of its main header, which contains the digest of the payload.
pub fn sign(rpm: &[u8], sign: impl FnOnce(&[u8]) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let Rpm { lead, mut signature, header, payload, .. } = Rpm::parse(rpm)?;
    let bytes = sign(header)?;
    signature.retain(|entry| entry.tag != SIG_RSA);
    signature.push(Entry { tag: SIG_RSA, kind: BINARY, count: length(&bytes), bytes });
    Ok([lead, &write_signature(signature), header, payload].concat())
}

/// The size of a payload in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// As it is in the package.
    pub packed: u64,
    /// As a cpio archive.
    pub unpacked: u64,
}

/// The parts of an rpm.
#[derive(Debug)]
pub struct Rpm<'a> {
    lead: &'a [u8],
    signature: Vec<Entry>,
    main: Vec<Entry>,
    /// The main header's bytes, which a signature covers.
    pub header: &'a [u8],
    /// Offset of the main header in the file.
    pub start: usize,
    /// The compressed files.
    pub payload: &'a [u8],
}

impl<'a> Rpm<'a> {
    /// Parses a package.
    pub fn parse(rpm: &'a [u8]) -> Result<Rpm<'a>> {
        let (lead, rest) = rpm.split_at_checked(LEAD).context("shorter than any rpm")?;
        let (signature, used) = parse_header(rest)?;
        let start = LEAD + used.next_multiple_of(8);
        let rest = rpm.get(start..).context("ends before its main header")?;
        let (main, used) = parse_header(rest)?;
        let (header, payload) = rest.split_at(used);
        Ok(Rpm { lead, signature, main, header, start, payload })
    }

    /// Returns a string of the main header, or an empty one if the tag is missing.
    pub fn text(&self, tag: u32) -> String {
        self.texts(tag).into_iter().next().unwrap_or_default()
    }

    /// Returns a list of strings of the main header.
    pub fn texts(&self, tag: u32) -> Vec<String> {
        let entry =
            self.main.iter().find(|e| e.tag == tag && [STRING, STRINGS, TRANSLATED].contains(&e.kind));
        let Some(entry) = entry else { return Vec::new() };
        let texts = entry.bytes.split(|byte| *byte == 0).take(entry.count as usize);
        texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    /// Returns a list of numbers of the main header.
    pub fn numbers(&self, tag: u32) -> Vec<u64> {
        read_numbers(&self.main, tag)
    }

    /// Adds an entry to the main header, or replaces the one with its tag.
    pub fn set(&mut self, entry: Entry) {
        self.main.retain(|other| other.tag != entry.tag);
        self.main.push(entry);
    }

    /// Returns everything before the payload, with the current entries of the main header. An earlier signature is lost.
    pub fn write_head(&self, payload: Size) -> Vec<u8> {
        let main = write_header(self.main.clone(), IMMUTABLE);
        // Sizes of 4 GB and more need other tags; `pack` refuses such packages.
        let number = |size: u64| u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes().to_vec();
        let entry = |tag, kind, count, bytes| Entry { tag, kind, count, bytes };
        let signature = vec![
            entry(SIG_SHA1, STRING, 1, text(&hex(&Sha1::digest(&main)))),
            entry(SIG_SHA256, STRING, 1, text(&sha256(&main))),
            entry(SIG_SIZE, INT32, 1, number(main.len() as u64 + payload.packed)),
            entry(SIG_UNPACKED, INT32, 1, number(payload.unpacked)),
        ];
        [self.lead, &write_signature(signature), &main].concat()
    }

    /// Returns the unpacked size of the payload, which is in the signature header.
    pub fn unpacked(&self) -> Option<u64> {
        [SIG_UNPACKED, SIG_LONG_UNPACKED]
            .iter()
            .find_map(|tag| read_numbers(&self.signature, *tag).first().copied())
    }
}

fn read_numbers(entries: &[Entry], tag: u32) -> Vec<u64> {
    let Some(entry) = entries.iter().find(|entry| entry.tag == tag) else { return Vec::new() };
    let width = match entry.kind {
        INT16 => 2,
        INT32 => 4,
        INT64 => 8,
        _ => return Vec::new(),
    };
    entry.bytes.chunks(width).map(|bytes| bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))).collect()
}

/// Writes a signature header, padded to the alignment of the main header.
fn write_signature(signature: Vec<Entry>) -> Vec<u8> {
    let mut bytes = write_header(signature, SIGNATURES);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// Removes the relations whose name matches. A relation has the same index in all three lists.
fn remove_relations(entries: &mut [Entry], lists: [u32; 3], matches: impl Fn(&str) -> bool) -> Option<()> {
    let names = entries.iter().find(|entry| entry.tag == lists[0])?;
    let names = names.bytes.split(|byte| *byte == 0).take(names.count as usize);
    let kept: Vec<bool> = names.map(|name| !matches(&String::from_utf8_lossy(name))).collect();
    let count = u32::try_from(kept.iter().filter(|kept| **kept).count()).ok()?;
    for entry in entries.iter_mut().filter(|entry| lists.contains(&entry.tag)) {
        let values: Vec<&[u8]> = match entry.kind {
            INT32 => entry.bytes.chunks(4).collect(),
            _ => entry.bytes.split_inclusive(|byte| *byte == 0).collect(),
        };
        entry.bytes = values
            .into_iter()
            .zip(&kept)
            .filter(|(_, kept)| **kept)
            .flat_map(|(value, _)| value.to_vec())
            .collect();
        entry.count = count;
    }
    Some(())
}

/// Returns the entries of a header without its region, and the header's length.
fn parse_header(bytes: &[u8]) -> Result<(Vec<Entry>, usize)> {
    ensure!(bytes.len() >= ENTRY && bytes[..8] == MAGIC, "a header is missing");
    let (count, length) = (read_number(bytes, 8) as usize, read_number(bytes, 12) as usize);
    let store = ENTRY + count * ENTRY;
    ensure!(bytes.len() >= store + length, "a header is truncated");
    let values = &bytes[store..store + length];
    let mut entries = Vec::new();
    for i in 1..count {
        let at = ENTRY + i * ENTRY;
        let (tag, kind, offset, count) = (
            read_number(bytes, at),
            read_number(bytes, at + 4),
            read_number(bytes, at + 8) as usize,
            read_number(bytes, at + 12),
        );
        let value = values.get(offset..).context("an entry is outside its header")?;
        let size = size(kind, count as usize, value);
        let bytes = value.get(..size).context("an entry is truncated")?.to_vec();
        entries.push(Entry { tag, kind, count, bytes });
    }
    Ok((entries, store + length))
}

fn write_header(mut entries: Vec<Entry>, region: u32) -> Vec<u8> {
    entries.sort_by_key(|entry| entry.tag);
    let (mut index, mut store) = (Vec::new(), Vec::new());
    for entry in &entries {
        let alignment = match entry.kind {
            INT16 => 2,
            INT32 => 4,
            INT64 => 8,
            _ => 1,
        };
        store.resize(store.len().next_multiple_of(alignment), 0);
        push(&mut index, &[entry.tag, entry.kind, length(&store), entry.count]);
        store.extend_from_slice(&entry.bytes);
    }
    let (count, entry) = (length(&entries) + 1, ENTRY as u32);
    let mut out = MAGIC.to_vec();
    push(&mut out, &[count, length(&store) + entry, region, BINARY, length(&store), entry]);
    out.extend(index);
    out.extend(store);
    // The region's end points back to its start by a negative offset.
    push(&mut out, &[region, BINARY, (count * entry).wrapping_neg(), entry]);
    out
}

fn push(out: &mut Vec<u8>, numbers: &[u32]) {
    out.extend(numbers.iter().flat_map(|n| n.to_be_bytes()));
}

fn length<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).expect("a header is far smaller than 4 GB")
}

fn read_number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |n, b| n << 8 | u32::from(*b))
}

fn size(kind: u32, count: usize, value: &[u8]) -> usize {
    let texts = |n: usize| value.split_inclusive(|b| *b == 0).take(n).map(<[u8]>::len).sum();
    match kind {
        INT16 => count * 2,
        INT32 => count * 4,
        INT64 => count * 8,
        STRING => texts(1),
        STRINGS | TRANSLATED => texts(count),
        _ => count,
    }
}

fn texts_entry(tag: u32, kind: u32, texts: &[String]) -> Entry {
    let count = u32::try_from(texts.len()).unwrap_or(u32::MAX);
    Entry { tag, kind, count, bytes: texts.iter().flat_map(|t| text(t)).collect() }
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}
