//! Compresses disk images and computes their checksums. Compression runs in parallel on pieces of a fixed
//! size, so the result does not depend on the number of processors.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::num::NonZeroU64;
use std::path::Path;

use anyhow::{Context, Result, bail};
use common::checksum::hex;
use common::parallel::processors;
use common::unpack::{self, IMAGE};
use lzma_rust2::{XzOptions, XzWriterMt};
use sha2::{Digest, Sha256};

use crate::layout::{Draft, HOLE, put, read};

/// Size of a compressed piece: three dictionaries of xz.
const PIECE: u64 = 24 << 20;
const XZ_PRESET: u32 = 6;
const ZSTD_LEVEL: i32 = 3;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Compresses a file with xz.
pub fn write_xz(file: &Path, out: &Path) -> Result<()> {
    let mut options = XzOptions::with_preset(XZ_PRESET);
    options.set_block_size(NonZeroU64::new(PIECE));
    write_packed(file, out, |input, output| {
        let mut writer = XzWriterMt::new(output, options, processors() as u32)?;
        io::copy(input, &mut writer)?;
        writer.finish()?.flush()
    })
}

/// Compresses a file with zstd.
pub fn write_zst(file: &Path, out: &Path) -> Result<()> {
    write_packed(file, out, |input, output| {
        in_pieces(input, output, |piece| zstd::bulk::compress(piece, ZSTD_LEVEL))
    })
}

/// Returns the checksum of a file as `sha256sum` prints it.
pub fn sha256(file: &Path) -> Result<String> {
    Sum::default().finish(file)
}

/// A partial checksum over the start of a file.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    at: u64,
    hash: Sha256,
}

impl Sum {
    /// Completes the checksum of a file whose start was already read.
    pub fn finish(self, file: &Path) -> Result<String> {
        let input = File::open(file);
        let sum = input.and_then(|input| self.up_to(&input, input.metadata()?.len()));
        Ok(sum.with_context(|| format!("cannot read `{}`", file.display()))?.hex())
    }

    /// Continues the checksum up to `to`.
    pub fn up_to(mut self, file: &File, to: u64) -> io::Result<Sum> {
        read(file, self.at, to, |chunk, _| {
            self.hash.update(chunk);
            Ok(())
        })?;
        self.at = to;
        Ok(self)
    }

    /// Returns the checksum of a part of a file.
    pub(super) fn of_part(file: &File, from: u64, to: u64) -> io::Result<String> {
        Ok(Sum { at: from, ..Sum::default() }.up_to(file, to)?.hex())
    }

    fn hex(self) -> String {
        hex(&self.hash.finalize())
    }
}

/// Decompresses an image into a sparse file and returns its size.
pub fn unpack(packed: &Path, out: &File) -> Result<u64> {
    let display = packed.display();
    let mut input = BufReader::with_capacity(1 << 20, File::open(packed)?);
    let start = io::BufRead::fill_buf(&mut input)?.get(..6).unwrap_or_default().to_vec();
    let unpacked = match start.as_slice() {
        [0xfd, b'7', b'z', b'X', b'Z', 0] => sparse(unpack::xz(input, IMAGE), out),
        [0x1f, 0x8b, ..] => sparse(unpack::gzip(input, IMAGE), out),
        [a, b, c, d, ..] if [*a, *b, *c, *d] == ZSTD_MAGIC => sparse(unpack::zstd(input, IMAGE)?, out),
        _ => bail!("`{display}`: not an xz, zstd or gzip file"),
    };
    unpacked.map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::FileTooLarge => "cannot be decompressed",
            io::ErrorKind::OutOfMemory => "needs too much memory: compress it again with `xz -9` or lower",
            _ => "damaged or truncated: download it again",
        };
        anyhow::Error::new(error).context(format!("`{display}`: {why}"))
    })
}

fn write_packed(
    file: &Path,
    out: &Path,
    pack: impl FnOnce(&mut File, &mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    let mut input = File::open(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let draft = Draft::new(out, 0)?;
    let mut output = BufWriter::with_capacity(1 << 20, draft.file.try_clone()?);
    pack(&mut input, &mut output)
        .and_then(|()| output.flush())
        .with_context(|| format!("cannot write `{}`", out.display()))?;
    draft.keep()
}

/// Compresses pieces in parallel and writes them in order.
fn in_pieces(
    input: &mut impl Read,
    output: &mut impl Write,
    pack: impl Fn(&[u8]) -> io::Result<Vec<u8>> + Sync,
) -> io::Result<()> {
    let mut pieces = vec![Vec::new(); processors()];
    loop {
        for piece in &mut pieces {
            piece.clear();
            input.take(PIECE).read_to_end(piece)?;
        }
        let packed: io::Result<Vec<Vec<u8>>> = std::thread::scope(|scope| {
            let full = pieces.iter().filter(|piece| !piece.is_empty());
            let threads: Vec<_> = full.map(|piece| scope.spawn(|| pack(piece))).collect();
            threads.into_iter().map(|thread| thread.join().expect("packing does not panic")).collect()
        });
        let packed = packed?;
        packed.iter().try_for_each(|piece| output.write_all(piece))?;
        if packed.len() < pieces.len() {
            return Ok(());
        }
    }
}

/// Writes non-zero data and leaves holes elsewhere.
fn sparse(mut input: impl Read, out: &File) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match input.read(&mut buffer[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        for chunk in buffer[..filled].chunks(HOLE) {
            put(out, chunk, at)?;
            at += chunk.len() as u64;
        }
        if filled < buffer.len() {
            out.set_len(at)?;
            return Ok(at);
        }
    }
}
