//! gzip form of an index: each piece is a member, and the members one after the other are a gzip file (RFC 1952). An
//! extra field in a member's header holds the member's length; other readers ignore it.

use std::io::{self, Read, Write};
use std::ops::Range;

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};

/// Identifier and length of the extra field.
const FIELD: [u8; 4] = [b'S', b'Z', 4, 0];
/// Start of a member: magic number, deflate, the flag for extra fields, no time stamp.
const BEGIN: [u8; 8] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0];
/// Position of the member's length.
const LENGTH: Range<usize> = 16..20;

/// Size of an index with about a million packages. A larger one is damaged, or made to fill memory.
const LARGEST: u64 = 1 << 30;

/// Decompresses a gzip file, ours or any other.
pub fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let claimed = lengths(bytes).iter().fold(0, |sum: usize, length| sum.saturating_add(*length));
    // The claimed lengths are not trusted. Deflate compresses by a factor of 1032 at most.
    let mut text = Vec::with_capacity(claimed.min(bytes.len().saturating_mul(1032)).min(LARGEST as usize));
    MultiGzDecoder::new(bytes).take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("unpacks to more than the limit of {LARGEST} bytes")));
    }
    Ok(text)
}

pub(crate) fn compress(text: &[u8]) -> io::Result<Vec<u8>> {
    let field = [&FIELD[..], &[0; 4]].concat();
    let mut encoder = GzBuilder::new().mtime(0).extra(field).write(Vec::new(), Compression::default());
    encoder.write_all(text)?;
    let mut bytes = encoder.finish()?;
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    bytes[LENGTH].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Returns the range of each member and the length of its content, or nothing if any member is not ours.
pub(crate) fn find_members(bytes: &[u8]) -> Vec<(Range<usize>, usize)> {
    let mut members = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let rest = &bytes[start..];
        let is_ours = rest.len() > LENGTH.end && rest[..8] == BEGIN && rest[12..16] == FIELD;
        let length = is_ours.then(|| read_number(&rest[LENGTH]));
        let Some(member) = length.filter(|n| *n > LENGTH.end + 8).and_then(|n| rest.get(..n)) else {
            return Vec::new();
        };
        members.push((start..start + member.len(), read_number(&member[member.len() - 4..])));
        start += member.len();
    }
    members
}

fn lengths(bytes: &[u8]) -> Vec<usize> {
    find_members(bytes).into_iter().map(|(_, length)| length).collect()
}

fn read_number(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::{compress, unpack};

    /// Two hundred members with this length would be 800 GB.
    #[test]
    fn a_false_length_reserves_no_memory() {
        let mut bytes = compress(b"text").expect("gzip");
        assert_eq!(unpack(&bytes.repeat(200)).expect("gzip"), b"text".repeat(200));
        let end = bytes.len();
        bytes[end - 4..].fill(0xff);
        assert!(unpack(&bytes.repeat(200)).is_err());
    }
}
