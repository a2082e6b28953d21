//! xz: each piece is a block of a single stream, because apt does not read a second one. A stream has a
//! header, blocks, an index of their sizes, and a footer. This module writes all but the blocks, according to
//! "The .xz File Format" 1.2.

use std::io::{self, Write};
use std::ops::Range;

use flate2::Crc;
use lzma_rust2::{XzOptions, XzWriter};

/// Size of a stream's header and of its footer.
const EDGE: usize = 12;
const FOOT: &[u8; 2] = b"YZ";

/// A block and its unpadded size.
pub(crate) struct Block {
    pub bytes: Vec<u8>,
    pub(crate) unpadded: usize,
}

/// A block in a stream.
pub(crate) struct Found {
    /// Range of the block, with padding.
    pub(crate) range: Range<usize>,
    pub(crate) unpadded: usize,
    /// Uncompressed size.
    pub(crate) length: usize,
}

pub(crate) fn block(text: &[u8]) -> io::Result<Block> {
    let stream = stream(text)?;
    let blocks = blocks(&stream);
    let [Found { range, unpadded, .. }] = &blocks[..] else {
        return Err(io::Error::other("the compressor made more than one block"));
    };
    Ok(Block { bytes: stream[range.clone()].to_vec(), unpadded: *unpadded })
}

/// Returns a stream of the concatenated blocks. `lengths` has the unpadded and the uncompressed size of each.
pub(crate) fn joined(blocks: &[u8], lengths: &[(usize, usize)]) -> io::Result<Vec<u8>> {
    let empty = stream(b"")?;
    let head = &empty[..EDGE];
    let mut index = vec![0];
    write_number(&mut index, lengths.len());
    for (unpadded, length) in lengths {
        write_number(&mut index, *unpadded);
        write_number(&mut index, *length);
    }
    index.resize(index.len().next_multiple_of(4), 0);
    index.extend(crc(&index));
    let size = u32::try_from(index.len() / 4 - 1).map_err(io::Error::other)?;
    let foot = [&size.to_le_bytes()[..], &head[6..8]].concat();
    Ok([head, blocks, &index, &crc(&foot), &foot, FOOT].concat())
}

/// Returns the blocks of a stream written by this module; empty if it is anything else.
pub(crate) fn blocks(stream: &[u8]) -> Vec<Found> {
    find(stream).unwrap_or_default()
}

fn find(stream: &[u8]) -> Option<Vec<Found>> {
    let (rest, foot) = stream.split_at_checked(stream.len().checked_sub(EDGE)?)?;
    let size = u32::from_le_bytes(foot[4..8].try_into().ok()?);
    let size = (usize::try_from(size).ok()? + 1) * 4;
    let start = rest.len().checked_sub(size).filter(|start| *start >= EDGE)?;
    let index = &rest[start..];
    let (index, sum) = index.split_at(index.len() - 4);
    if foot[10..] != *FOOT || foot[8..10] != stream[6..8] || sum != crc(index) || index[0] != 0 {
        return None;
    }
    let mut reader = &index[1..];
    let count = read_number(&mut reader)?;
    let (mut blocks, mut at) = (Vec::new(), EDGE);
    for _ in 0..count {
        let (unpadded, length) = (read_number(&mut reader)?, read_number(&mut reader)?);
        let end = at.checked_add(unpadded.checked_next_multiple_of(4)?)?;
        blocks.push(Found { range: at..end, unpadded, length });
        at = end;
    }
    (at == start).then_some(blocks)
}

fn stream(text: &[u8]) -> io::Result<Vec<u8>> {
    // The fastest preset is enough: an index with many versions of few packages compresses well.
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(0))?;
    writer.write_all(text)?;
    writer.finish()
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_le_bytes()
}

/// Writes a variable-length integer: seven bits per byte, the lowest first.
fn write_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..usize::BITS - 7).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
