//! Decompresses images and kernels into the form that a machine reads.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use common::unpack::{KERNEL, bound};
use disk::pack;
use flate2::read::GzDecoder;

use super::copy::Scratch;

/// Magic numbers of gzip, xz and zstd.
const PACKED: [&[u8]; 3] = [&[0x1f, 0x8b], b"\xfd7zXZ\0", &[0x28, 0xb5, 0x2f, 0xfd]];

/// An uncompressed image: the file itself or a temporary copy.
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

/// Returns the image, decompressed if necessary.
pub(super) fn raw(parent: &Path, image: &Path) -> Result<Raw> {
    let name = || format!("cannot read `{}`", image.display());
    let file = File::open(image).with_context(name)?;
    if !file.metadata().with_context(name)?.is_file() {
        bail!("`{}`: not a regular file: name an image", image.display());
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

/// Returns a kernel as an emulator loads it; firmware decompresses it.
pub(super) fn kernel(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if !bytes.starts_with(PACKED[0]) {
        return Ok(bytes);
    }
    let mut kernel = Vec::new();
    // The compressed data is followed by other data, so only one member is read.
    bound(GzDecoder::new(&bytes[..]), KERNEL)
        .read_to_end(&mut kernel)
        .context("cannot decompress the kernel")?;
    Ok(kernel)
}
