//! File names on a FAT: the short name in capital letters that every file has, and the long name that people
//! see.

use std::collections::HashSet;

use anyhow::{Result, bail, ensure};

/// A long name is stored in pieces of thirteen UTF-16 units.
const UNITS: usize = 13;
const UNIT_PLACES: [usize; UNITS] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
const ENTRY: usize = 32;

/// The names in one folder.
#[derive(Default)]
pub(super) struct Names {
    short: HashSet<[u8; 11]>,
    long: HashSet<String>,
}

impl Names {
    /// Returns a short name that is unique in the folder.
    pub(super) fn short(&mut self, name: &str) -> Result<[u8; 11]> {
        check(name)?;
        ensure!(
            self.long.insert(name.to_lowercase()),
            "differs from another name only in case, which FAT ignores: rename one"
        );
        let upper = name.to_ascii_uppercase();
        let (stem, extension) = match upper.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, extension),
            _ => (upper.as_str(), ""),
        };
        if is_short(stem, 8) && (extension.is_empty() != upper.contains('.')) && is_short(extension, 3) {
            let short = joined(stem, extension);
            if self.short.insert(short) {
                return Ok(short);
            }
        }
        let (stem, extension) = (shorten(stem), shorten(extension));
        let extension = &extension[..extension.len().min(3)];
        for number in 1..=999_999 {
            let tail = format!("~{number}");
            let short = joined(&format!("{}{tail}", &stem[..stem.len().min(8 - tail.len())]), extension);
            if self.short.insert(short) {
                return Ok(short);
            }
        }
        bail!("too many similar names in its folder")
    }
}

/// Returns the number of extra entries for a long name.
pub(super) fn slots(name: &str) -> usize {
    name.encode_utf16().count().div_ceil(UNITS)
}

/// Returns the entries of a long name, last part first; none if the short name is the same.
pub(super) fn long(name: &str, short: &[u8; 11]) -> Vec<u8> {
    if name.as_bytes() == describe(short).as_bytes() {
        return Vec::new();
    }
    let sum = short.iter().fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let mut units: Vec<u16> = name.encode_utf16().collect();
    let slots = units.len().div_ceil(UNITS);
    if !units.len().is_multiple_of(UNITS) {
        units.push(0);
        units.resize(slots * UNITS, 0xffff);
    }
    let mut entries = Vec::with_capacity(slots * ENTRY);
    for (number, units) in units.chunks(UNITS).enumerate().rev() {
        let mut entry = [0; ENTRY];
        let last = if number + 1 == slots { 0x40 } else { 0 };
        entry[0] = (number as u8 + 1) | last;
        entry[11] = 0x0f;
        entry[13] = sum;
        for (unit, place) in units.iter().zip(UNIT_PLACES) {
            entry[place..place + 2].copy_from_slice(&unit.to_le_bytes());
        }
        entries.extend(entry);
    }
    entries
}

fn check(name: &str) -> Result<()> {
    let bad = |c: char| c < ' ' || c == '\u{7f}' || "\"*/:<>?\\|".contains(c);
    ensure!(!name.contains(bad), "a character in its name is not allowed on FAT");
    ensure!(!name.ends_with(['.', ' ']), "ends in a dot or a space, which FAT drops");
    ensure!(name.encode_utf16().count() <= 255, "file name longer than 255 characters");
    Ok(())
}

fn is_short(part: &str, longest: usize) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'()-@^_`{}~".contains(&byte);
    part.len() <= longest && part.bytes().all(good) && (longest == 3 || !part.is_empty())
}

/// Returns the characters of a name that a short name may contain.
fn shorten(part: &str) -> String {
    let kept = part.chars().filter(|c| !". ".contains(*c));
    let plain: String = kept.map(|c| if is_short(c.encode_utf8(&mut [0; 4]), 8) { c } else { '_' }).collect();
    plain
}

fn joined(stem: &str, extension: &str) -> [u8; 11] {
    let mut name = [b' '; 11];
    name[..stem.len()].copy_from_slice(stem.as_bytes());
    name[8..8 + extension.len()].copy_from_slice(extension.as_bytes());
    name
}

/// Returns a short name in readable form.
fn describe(short: &[u8; 11]) -> String {
    let part = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match (part(&short[..8]), part(&short[8..])) {
        (stem, extension) if extension.is_empty() => stem,
        (stem, extension) => format!("{stem}.{extension}"),
    }
}
