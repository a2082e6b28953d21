//! Compressed indices: the same bytes for the same text.

use std::io::{Read, Write};

use anyhow::Result;
use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use lzma_rust2::{XzOptions, XzWriter};

pub(super) fn gz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

pub(super) fn ungz(bytes: &[u8]) -> Result<String> {
    let mut text = String::new();
    MultiGzDecoder::new(bytes).read_to_string(&mut text)?;
    Ok(text)
}

pub(super) fn xz(bytes: &[u8]) -> Result<Vec<u8>> {
    // An index of many versions of few packages packs well however little one tries.
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(0))?;
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}
