//! gzip: each piece is a member, and concatenated members form the whole file (RFC 1952). A member's length
//! is stored in an extra field of its header, which readers ignore.

use std::io::{self, Read, Write};
use std::ops::Range;

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};

/// ID and length of the extra field.
const FIELD: [u8; 4] = [b'S', b'Z', 4, 0];
/// The header up to the length of the extra fields: magic number, deflate, the flag for extra fields, no
/// time.
const BEGIN: [u8; 8] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0];
/// Position of the member's length.
const LENGTH: Range<usize> = 16..20;

/// Enough for a million packages. A larger one is damaged, or an attempt to fill the memory.
const LARGEST: u64 = 1 << 30;

/// Decompresses the whole file.
pub fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let announced = lengths(bytes).iter().fold(0, |sum: usize, length| sum.saturating_add(*length));
    // The announced length is not trusted: deflate expands by a factor of at most 1032.
    let mut text = Vec::with_capacity(announced.min(bytes.len().saturating_mul(1032)).min(LARGEST as usize));
    MultiGzDecoder::new(bytes).take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("unpacks to more than the limit of {LARGEST} bytes")));
    }
    Ok(text)
}

pub(crate) fn member(text: &[u8]) -> io::Result<Vec<u8>> {
    let field = [&FIELD[..], &[0; 4]].concat();
    let mut encoder = GzBuilder::new().mtime(0).extra(field).write(Vec::new(), Compression::default());
    encoder.write_all(text)?;
    let mut bytes = encoder.finish()?;
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    bytes[LENGTH].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Returns the members written by this module, with their uncompressed sizes; empty if there is anything
/// else.
pub(crate) fn members(bytes: &[u8]) -> Vec<(Range<usize>, usize)> {
    let mut members = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let rest = &bytes[start..];
        let is_ours = rest.len() > LENGTH.end && rest[..8] == BEGIN && rest[12..16] == FIELD;
        let length = is_ours.then(|| number(&rest[LENGTH]));
        let Some(member) = length.filter(|n| *n > LENGTH.end + 8).and_then(|n| rest.get(..n)) else {
            return Vec::new();
        };
        members.push((start..start + member.len(), number(&member[member.len() - 4..])));
        start += member.len();
    }
    members
}

fn lengths(bytes: &[u8]) -> Vec<usize> {
    members(bytes).into_iter().map(|(_, length)| length).collect()
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::{member, unpack};

    /// Two hundred such members would take 800 GB.
    #[test]
    fn a_member_is_not_as_long_as_it_says() {
        let mut bytes = member(b"text").expect("gzip");
        assert_eq!(unpack(&bytes.repeat(200)).expect("gzip"), b"text".repeat(200));
        let end = bytes.len();
        bytes[end - 4..].fill(0xff);
        assert!(unpack(&bytes.repeat(200)).is_err());
    }
}
