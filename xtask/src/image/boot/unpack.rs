//! Images and kernels as they are shipped, packed: takes the packed file, gives it as a machine reads it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::read::{GzDecoder, MultiGzDecoder};
use lzma_rust2::XzReader;

use super::copy::Scratch;

const BLOCK: usize = 1 << 16;

/// An image that is not packed, or was unpacked.
#[derive(Debug)]
pub(super) enum Raw {
    Given(PathBuf),
    Unpacked(Scratch),
}

impl Raw {
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Raw::Given(path) => path.clone(),
            Raw::Unpacked(scratch) => scratch.path().join("image"),
        }
    }
}

/// The image itself, or what is packed in it.
pub(super) fn raw(parent: &Path, image: &Path) -> Result<Raw> {
    let name = || format!("`{}`", image.display());
    let mut file = File::open(image).with_context(name)?;
    if !file.metadata().with_context(name)?.is_file() {
        bail!("{}: is no file: name an image", name());
    }
    let mut head = [0; 6];
    let read = file.read(&mut head).with_context(name)?;
    file.seek(SeekFrom::Start(0))?;
    let file = BufReader::with_capacity(1 << 20, file);
    let stream: Box<dyn Read> = match &head[..read] {
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(XzReader::new(file, true)),
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(
            ruzstd::decoding::StreamingDecoder::new(file)
                .with_context(|| format!("{}: is no zstd stream", name()))?,
        ),
        _ => return Ok(Raw::Given(image.to_owned())),
    };
    let scratch = Scratch::make(parent)?;
    sparse(stream, &scratch.path().join("image"))
        .with_context(|| format!("{}: cannot be unpacked", name()))?;
    Ok(Raw::Unpacked(scratch))
}

/// Writes what is not zero.
fn sparse(mut stream: impl Read, path: &Path) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let mut block = vec![0; BLOCK];
    let mut size = 0;
    loop {
        let mut filled = 0;
        while filled < BLOCK {
            match stream.read(&mut block[filled..])? {
                0 => break,
                more => filled += more,
            }
        }
        if block[..filled].iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(size))?;
            file.write_all(&block[..filled])?;
        }
        size += filled as u64;
        if filled < BLOCK {
            return file.set_len(size);
        }
    }
}

/// A kernel as an emulator takes it; firmware unpacks it by itself.
pub(super) fn kernel(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut kernel = Vec::new();
    GzDecoder::new(&bytes[..]).read_to_end(&mut kernel).context("the kernel cannot be unpacked")?;
    Ok(kernel)
}
