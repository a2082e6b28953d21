//! xz form of an index: each piece is a block of a single stream, because apt reads only the first stream of a file. A
//! stream has a header, blocks, an index with the length of each block, and a footer. This module writes all but the
//! blocks, as described in "The .xz File Format" 1.2.

use std::io::{self, Write};
use std::ops::Range;

use flate2::Crc;
use lzma_rust2::{XzOptions, XzWriter};

/// Length of a stream's header, and of its footer.
const EDGE: usize = 12;
const FOOT: &[u8; 2] = b"YZ";

pub(crate) struct Block {
    pub bytes: Vec<u8>,
    /// Length without padding.
    pub(crate) unpadded: usize,
}

/// Position of a block in a stream.
pub(crate) struct BlockPosition {
    /// The block with its padding.
    pub(crate) range: Range<usize>,
    /// Length without padding.
    pub(crate) unpadded: usize,
    /// Length of the content.
    pub(crate) length: usize,
}

pub(crate) fn compress(text: &[u8]) -> io::Result<Block> {
    let stream = write_stream(text)?;
    let blocks = find_blocks(&stream);
    let [BlockPosition { range, unpadded, .. }] = &blocks[..] else {
        return Err(io::Error::other("the compressor made more than one block"));
    };
    Ok(Block { bytes: stream[range.clone()].to_vec(), unpadded: *unpadded })
}

/// Makes a stream of blocks. `blocks` has their bytes one after the other; `lengths` has the length of each without
/// padding, and the length of its content.
pub(crate) fn join(blocks: &[u8], lengths: &[(usize, usize)]) -> io::Result<Vec<u8>> {
    let empty = write_stream(b"")?;
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

/// Returns the blocks of a stream, or nothing if this module did not write it.
pub(crate) fn find_blocks(stream: &[u8]) -> Vec<BlockPosition> {
    read_index(stream).unwrap_or_default()
}

fn read_index(stream: &[u8]) -> Option<Vec<BlockPosition>> {
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
        blocks.push(BlockPosition { range: at..end, unpadded, length });
        at = end;
    }
    (at == start).then_some(blocks)
}

fn write_stream(text: &[u8]) -> io::Result<Vec<u8>> {
    // An index has many versions of few packages, so even the fastest preset compresses it well.
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(0))?;
    writer.write_all(text)?;
    writer.finish()
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_le_bytes()
}

/// Writes seven bits per byte, lowest first; the eighth bit marks that more follow.
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
