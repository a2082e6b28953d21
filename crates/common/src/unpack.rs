//! Readers for untrusted compressed data. They fail before memory is full, because a kilobyte can unpack to a terabyte.
//! Every use has a limit:
//!
//! | data | limit | used in |
//! |---|---|---|
//! | `Packages.xz` of an archive | size in the signed release, at most 256 MiB | `debian/archive/index.rs` |
//! | control archive of a package | [`CONTROL`] | `debian/deb.rs`, `image/root/deb.rs` |
//! | files of a package | [`FILES`] | `image/root/deb.rs` |
//! | image to modify or to boot | [`IMAGE`] | `disk/pack.rs` |
//! | kernel to boot, initramfs to inspect | [`KERNEL`] | `trial/boot/unpack.rs`, `trial/check/initramfs.rs` |
//! | index of our own repository | 1 GiB | crate `repo-index` |
//!
//! `debian/archive/fetch.rs` limits downloads. `disk/ext4/read.rs`, `trial/card/volume.rs` and `disk/tree/tar.rs` limit
//! the content of file systems and tar archives.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use zstd::Decoder;

/// Limit for a package's control archive: its scripts and the checksums of its files.
pub const CONTROL: u64 = 64 << 20;
/// Limit for a package's files.
pub const FILES: u64 = 8 << 30;
/// Limit for a card image.
pub const IMAGE: u64 = 256 << 30;
/// Limit for a kernel, or for an initramfs with its modules.
pub const KERNEL: u64 = 1 << 30;

/// Largest dictionary or window that a decoder keeps in memory. `xz -9` and `zstd --ultra` need this much, and `zstd`
/// accepts no more by default.
const DICTIONARY: u64 = 128 << 20;

/// A reader that returns an error once its input exceeds a limit.
#[derive(Debug)]
pub struct Bounded<R> {
    input: R,
    most: u64,
    left: u64,
}

/// Limits a stream that is not compressed.
pub fn bound<R: Read>(input: R, most: u64) -> Bounded<R> {
    Bounded { input, most, left: most }
}

/// Decompresses xz up to a limit.
pub fn xz<R: Read>(packed: R, most: u64) -> Bounded<XzReader<R>> {
    bound(XzReader::new_mem_limit(packed, true, (DICTIONARY >> 10) as u32 + 1024), most)
}

/// Decompresses gzip up to a limit.
pub fn gzip<R: Read>(packed: R, most: u64) -> Bounded<MultiGzDecoder<R>> {
    bound(MultiGzDecoder::new(packed), most)
}

/// Decompresses zstd up to a limit.
pub fn zstd<R: Read>(packed: R, most: u64) -> io::Result<Bounded<Decoder<'static, BufReader<R>>>> {
    let mut decoder = Decoder::new(packed)?;
    decoder.window_log_max(DICTIONARY.ilog2())?;
    Ok(bound(decoder, most))
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left > 0 {
            let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
            let read = self.input.read(&mut buffer[..room])?;
            self.left -= read as u64;
            return Ok(read);
        }
        if buffer.is_empty() || self.input.read(&mut [0])? == 0 {
            return Ok(0);
        }
        let why = format!("unpacks to more than the limit of {} bytes", self.most);
        Err(io::Error::new(io::ErrorKind::FileTooLarge, why))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::{gzip, xz, zstd};

    #[test]
    fn a_stream_fails_at_its_limit() {
        let zeros = vec![0; 4 << 20];
        let mut packer =
            lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).expect("xz");
        packer.write_all(&zeros).expect("xz");
        let packed_xz = packer.finish().expect("xz");
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&zeros).expect("gzip");
        let packed_gz = packer.finish().expect("gzip");
        let packed_zst = ::zstd::encode_all(zeros.as_slice(), 1).expect("zstd");
        let open = |most: u64| -> [Box<dyn Read + '_>; 3] {
            [
                Box::new(xz(packed_xz.as_slice(), most)),
                Box::new(gzip(packed_gz.as_slice(), most)),
                Box::new(zstd(packed_zst.as_slice(), most).expect("zstd")),
            ]
        };
        for mut stream in open(4 << 20) {
            let mut whole = Vec::new();
            assert_eq!(stream.read_to_end(&mut whole).map_err(|error| error.to_string()), Ok(4 << 20));
        }
        for mut stream in open((4 << 20) - 1) {
            let mut whole = Vec::new();
            let error = stream.read_to_end(&mut whole).expect_err("too much");
            assert_eq!(error.to_string(), "unpacks to more than the limit of 4194303 bytes");
            assert_eq!(whole.len(), (4 << 20) - 1);
        }
    }
}
