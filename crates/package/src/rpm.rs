//! An .rpm's last touch: takes what cargo-generate-rpm made, adds the entries of its header that cargo-generate-rpm has
//! no option for (description, packager, group, build host and changelog), and takes relations out that it makes of
//! sysusers.d and that do harm.
//!
//! An rpm is a lead, a signature header (digests), the main header and the payload. A header is an index of
//! (tag, type, offset, count) over a store of values, closed by a region that says what a signature covers.

use anyhow::{Context, Result, ensure};
use catalog::model::Product;
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
/// The tag of the name.
pub const NAME: u32 = 1000;
/// The tag of the version.
pub const VERSION: u32 = 1001;
const DESCRIPTION: u32 = 1005;
const BUILD_HOST: u32 = 1007;
const PACKAGER: u32 = 1015;
const GROUP: u32 = 1016;
/// Of each kind of relation: names, flags, versions.
const PROVIDES: [u32; 3] = [1047, 1112, 1113];
const REQUIRES: [u32; 3] = [1049, 1048, 1050];
/// Which file is the reason for which relation, by their places; nobody has to say.
const REASONS: [u32; 3] = [1143, 1144, 1145];
const CHANGELOG_TIME: u32 = 1080;
const CHANGELOG_NAME: u32 = 1081;
const CHANGELOG_TEXT: u32 = 1082;

const INT16: u32 = 3;
const INT32: u32 = 4;
const INT64: u32 = 5;
const STRING: u32 = 6;
const BINARY: u32 = 7;
const STRINGS: u32 = 8;
const TRANSLATED: u32 = 9;

/// A value of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    tag: u32,
    kind: u32,
    count: u32,
    bytes: Vec<u8>,
}

impl Entry {
    /// An entry of one text.
    pub fn text(tag: u32, text: &str) -> Entry {
        texts_entry(tag, STRING, &[text.to_owned()])
    }
}

/// What a product says of itself beyond cargo-generate-rpm's options.
pub fn head(product: &Product) -> Vec<Entry> {
    let noon = |epoch: u64| u32::try_from(epoch + 43_200).unwrap_or(u32::MAX);
    let names: Vec<String> = product
        .releases
        .iter()
        .map(|r| format!("{} - {}-1", product.maintainer, r.package_version()))
        .collect();
    let changes =
        |changes: &[String]| changes.iter().map(|c| format!("- {c}")).collect::<Vec<_>>().join("\n");
    let texts: Vec<String> = product.releases.iter().map(|r| changes(&r.changes)).collect();
    let times: Vec<u8> = product.releases.iter().flat_map(|r| noon(r.epoch).to_be_bytes()).collect();
    let count = u32::try_from(product.releases.len()).unwrap_or(u32::MAX);
    vec![
        texts_entry(DESCRIPTION, TRANSLATED, &[wrap_paragraphs(&product.description)]),
        // The same package comes from every machine.
        texts_entry(BUILD_HOST, STRING, &["reproducible".to_owned()]),
        texts_entry(PACKAGER, STRING, std::slice::from_ref(&product.maintainer)),
        texts_entry(GROUP, TRANSLATED, &["System Environment/Daemons".to_owned()]),
        Entry { tag: CHANGELOG_TIME, kind: INT32, count, bytes: times },
        texts_entry(CHANGELOG_NAME, STRINGS, &names),
        texts_entry(CHANGELOG_TEXT, STRINGS, &texts),
    ]
}

/// The same package with these entries in its header, in place of earlier ones of the same tags.
pub fn with_head(rpm: &[u8], head: &[Entry]) -> Result<Vec<u8>> {
    let context = "cargo-generate-rpm made no rpm that can be read";
    let Rpm { lead, mut signature, mut main, payload, .. } = Rpm::parse(rpm).context(context)?;
    main.retain(|entry| head.iter().all(|new| new.tag != entry.tag) && !REASONS.contains(&entry.tag));
    main.extend_from_slice(head);
    // Of `m` lines rpm 4.20 makes the members before their `u` lines, by its sysusers.sh with the wrong group and home.
    // They come true after it, by systemd's own program.
    without(&mut main, PROVIDES, |name| name.starts_with("groupmember(")).context(context)?;
    // No distribution says before rpm 4.19 which groups it has, RHEL 9 among them, and sysusers.d makes them.
    without(&mut main, REQUIRES, |name| name.starts_with("group(") || name.starts_with("user("))
        .context(context)?;
    let main = write(main, IMMUTABLE);
    let size = u32::try_from(main.len() + payload.len()).context("the package is larger than 4 GB")?;
    for entry in &mut signature {
        entry.bytes = match entry.tag {
            SIG_SHA1 => text(&hex(&Sha1::digest(&main))),
            SIG_SHA256 => text(&sha256(&main)),
            SIG_SIZE => size.to_be_bytes().to_vec(),
            _ => continue,
        };
    }
    Ok([lead, &padded(signature), &main, payload].concat())
}

/// The same package with a signature of its main header, which names the digest of everything else.
pub fn sign(rpm: &[u8], sign: impl FnOnce(&[u8]) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    let Rpm { lead, mut signature, header, payload, .. } = Rpm::parse(rpm)?;
    let bytes = sign(header)?;
    signature.retain(|entry| entry.tag != SIG_RSA);
    signature.push(Entry { tag: SIG_RSA, kind: BINARY, count: length(&bytes), bytes });
    Ok([lead, &padded(signature), header, payload].concat())
}

/// The parts of a package.
#[derive(Debug)]
pub struct Rpm<'a> {
    lead: &'a [u8],
    signature: Vec<Entry>,
    main: Vec<Entry>,
    /// The main header as it stands in the file: what a signature covers.
    pub header: &'a [u8],
    /// Where that begins.
    pub start: usize,
    payload: &'a [u8],
}

impl<'a> Rpm<'a> {
    /// Finds them.
    pub fn parse(rpm: &'a [u8]) -> Result<Rpm<'a>> {
        let (lead, rest) = rpm.split_at_checked(LEAD).context("shorter than any rpm")?;
        let (signature, used) = parse(rest)?;
        let start = LEAD + used.next_multiple_of(8);
        let rest = rpm.get(start..).context("ends before its main header")?;
        let (main, used) = parse(rest)?;
        let (header, payload) = rest.split_at(used);
        Ok(Rpm { lead, signature, main, header, start, payload })
    }

    /// A text of the main header; empty when it has none.
    pub fn text(&self, tag: u32) -> String {
        self.texts(tag).into_iter().next().unwrap_or_default()
    }

    /// A list of texts of the main header.
    pub fn texts(&self, tag: u32) -> Vec<String> {
        let entry =
            self.main.iter().find(|e| e.tag == tag && [STRING, STRINGS, TRANSLATED].contains(&e.kind));
        let Some(entry) = entry else { return Vec::new() };
        let texts = entry.bytes.split(|byte| *byte == 0).take(entry.count as usize);
        texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    /// A list of numbers of the main header.
    pub fn numbers(&self, tag: u32) -> Vec<u64> {
        numbers(&self.main, tag)
    }

    /// The size of the payload, unpacked: written beside the signatures.
    pub fn unpacked(&self) -> Option<u64> {
        [SIG_UNPACKED, SIG_LONG_UNPACKED]
            .iter()
            .find_map(|tag| numbers(&self.signature, *tag).first().copied())
    }
}

fn numbers(entries: &[Entry], tag: u32) -> Vec<u64> {
    let Some(entry) = entries.iter().find(|entry| entry.tag == tag) else { return Vec::new() };
    let width = match entry.kind {
        INT16 => 2,
        INT32 => 4,
        INT64 => 8,
        _ => return Vec::new(),
    };
    entry.bytes.chunks(width).map(|bytes| bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))).collect()
}

/// A signature header, up to where the main header may begin.
fn padded(signature: Vec<Entry>) -> Vec<u8> {
    let mut bytes = write(signature, SIGNATURES);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// Takes out the relations whose name is meant; each is the same place in three lists.
fn without(entries: &mut [Entry], lists: [u32; 3], meant: impl Fn(&str) -> bool) -> Option<()> {
    let names = entries.iter().find(|entry| entry.tag == lists[0])?;
    let names = names.bytes.split(|byte| *byte == 0).take(names.count as usize);
    let kept: Vec<bool> = names.map(|name| !meant(&String::from_utf8_lossy(name))).collect();
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

/// The entries of a header without its region, and the header's length.
fn parse(bytes: &[u8]) -> Result<(Vec<Entry>, usize)> {
    ensure!(bytes.len() >= ENTRY && bytes[..8] == MAGIC, "a header is missing");
    let (count, length) = (number(bytes, 8) as usize, number(bytes, 12) as usize);
    let store = ENTRY + count * ENTRY;
    ensure!(bytes.len() >= store + length, "a header is truncated");
    let values = &bytes[store..store + length];
    let mut entries = Vec::new();
    for i in 1..count {
        let at = ENTRY + i * ENTRY;
        let (tag, kind, offset, count) = (
            number(bytes, at),
            number(bytes, at + 4),
            number(bytes, at + 8) as usize,
            number(bytes, at + 12),
        );
        let value = values.get(offset..).context("an entry is outside its header")?;
        let size = size(kind, count as usize, value);
        let bytes = value.get(..size).context("an entry is truncated")?.to_vec();
        entries.push(Entry { tag, kind, count, bytes });
    }
    Ok((entries, store + length))
}

fn write(mut entries: Vec<Entry>, region: u32) -> Vec<u8> {
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

fn number(bytes: &[u8], at: usize) -> u32 {
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

/// Paragraphs in lines of at most 79 characters.
fn wrap_paragraphs(paragraphs: &[String]) -> String {
    paragraphs.iter().map(|p| crate::render::wrap(p, 79).join("\n")).collect::<Vec<_>>().join("\n\n")
}
