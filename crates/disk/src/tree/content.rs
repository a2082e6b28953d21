//! File contents: pieces in memory or in other files, with holes between them. Nothing is read before it is
//! needed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::{fmt, io};

/// The content of a file.
#[derive(Debug, Clone)]
pub struct Content {
    size: u64,
    pieces: Vec<Piece>,
}

/// A run of bytes that is present; the gaps between pieces are holes.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Offset in the content.
    pub at: u64,
    /// Length in bytes.
    pub size: u64,
    /// Location of the bytes.
    pub source: Source,
}

/// Where bytes are stored.
#[derive(Clone)]
pub enum Source {
    /// In memory.
    Memory(Arc<[u8]>),
    /// In another file, from this offset on.
    File(Arc<File>, u64),
}

impl Content {
    /// Creates content from bytes in memory.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Content {
        let bytes = bytes.into();
        let size = bytes.len() as u64;
        Content::sparse(size, vec![Piece { at: 0, size, source: Source::Memory(bytes) }])
    }

    /// Creates content from part of another file.
    pub fn stored(file: Arc<File>, at: u64, size: u64) -> Content {
        Content::sparse(size, vec![Piece { at: 0, size, source: Source::File(file, at) }])
    }

    /// Creates content with holes from pieces in order, none beyond the size.
    pub fn sparse(size: u64, mut pieces: Vec<Piece>) -> Content {
        pieces.retain(|piece| piece.size > 0);
        Content { size, pieces }
    }

    /// Returns the length, holes included.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the pieces that are present.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Reads the whole content.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let size = usize::try_from(self.size).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.resize(size, 0);
        self.read_at(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills the buffer from an offset on; holes leave the buffer unchanged.
    pub fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = at + buffer.len() as u64;
        for piece in &self.pieces {
            let (from, to) = (piece.at.max(at), (piece.at + piece.size).min(end));
            if from < to {
                let target = &mut buffer[(from - at) as usize..(to - at) as usize];
                piece.source.read(from - piece.at, target)?;
            }
        }
        Ok(())
    }

    /// Returns the block-aligned ranges that cover all pieces, with neighbors merged and the last one cut at
    /// the end of the file.
    pub fn ranges(&self, block: u64) -> Vec<(u64, u64)> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for piece in &self.pieces {
            let from = piece.at / block * block;
            let to = (piece.at + piece.size).next_multiple_of(block).min(self.size);
            match ranges.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                _ => ranges.push((from, to)),
            }
        }
        ranges
    }
}

impl Source {
    fn read(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Source::Memory(bytes) => {
                let at = at as usize;
                buffer.copy_from_slice(&bytes[at..at + buffer.len()]);
                Ok(())
            }
            Source::File(file, start) => file.read_exact_at(buffer, start + at),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Memory(bytes) => write!(f, "{} bytes", bytes.len()),
            Source::File(_, at) => write!(f, "a file from {at} on"),
        }
    }
}
