//! Images and kernels as they are shipped, packed: takes the packed file, gives it as a machine reads it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use common::unpack::{KERNEL, bound};
use disk::pack;
use flate2::read::GzDecoder;

use super::copy::Scratch;

/// What packed images begin with: gzip, xz, zstd.
const PACKED: [&[u8]; 3] = [&[0x1f, 0x8b], b"\xfd7zXZ\0", &[0x28, 0xb5, 0x2f, 0xfd]];

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
    let name = || format!("`{}`: cannot be read", image.display());
    let file = File::open(image).with_context(name)?;
    if !file.metadata().with_context(name)?.is_file() {
        bail!("`{}`: is no file: name an image", image.display());
    }
    let mut head = Vec::new();
    file.take(8).read_to_end(&mut head).with_context(name)?;
    if !PACKED.iter().any(|magic| head.starts_with(magic)) {
        return Ok(Raw::Given(image.to_owned()));
    }
    let scratch = Scratch::make(parent)?;
    let unpacked = scratch.path().join("image");
    let file = File::create_new(&unpacked).with_context(|| format!("`{}`", unpacked.display()))?;
    let size = pack::unpack(image, &file)?;
    file.set_len(size)?;
    Ok(Raw::Unpacked(scratch))
}

/// A kernel as an emulator takes it; firmware unpacks it by itself.
pub(super) fn kernel(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if !bytes.starts_with(PACKED[0]) {
        return Ok(bytes);
    }
    let mut kernel = Vec::new();
    // What follows it is no part of it, so not what other files are unpacked with.
    bound(GzDecoder::new(&bytes[..]), KERNEL)
        .read_to_end(&mut kernel)
        .context("the kernel cannot be unpacked")?;
    Ok(kernel)
}
