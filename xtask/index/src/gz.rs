//! gzip: each piece is a member, and members in a row are the whole (RFC 1952). How long a member is stands in its head,
//! in a field of its own that readers pass over.

use std::io::{self, Read, Write};
use std::ops::Range;

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};

/// What the field is called, and how long it is.
const FIELD: [u8; 4] = [b'S', b'Z', 4, 0];
/// A head's bytes up to the field's length: a magic number, deflate, a flag that says "further fields", no time.
const BEGIN: [u8; 8] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0];
/// Where the length of the member is.
const LENGTH: Range<usize> = 16..20;

/// The whole content.
pub fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(lengths(bytes).iter().sum());
    MultiGzDecoder::new(bytes).read_to_end(&mut text)?;
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

/// The members that were made here, and how long the content of each is; none when there is anything else.
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
