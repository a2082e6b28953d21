//! Reads and writes OpenPGP packets (RFC 9580, version 4), as far as key files and signatures need them. `rsa` and
//! `ring` do the cryptography.

use anyhow::{Context, Result, bail, ensure};

/// Packet tags.
pub(super) const SIGNATURE: u8 = 2;
pub(super) const SECRET_KEY: u8 = 5;
pub(super) const PUBLIC_KEY: u8 = 6;
pub(super) const SECRET_SUBKEY: u8 = 7;
pub(super) const USER_ID: u8 = 13;
pub(super) const PUBLIC_SUBKEY: u8 = 14;

/// A packet of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

/// Returns every packet of a file, in order.
pub(super) fn read_packets(mut bytes: &[u8]) -> Result<Vec<Packet<'_>>> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let mut reader = Reader(bytes);
        let head = reader.byte()?;
        ensure!(head & 0x80 != 0, "not an OpenPGP file");
        let (tag, length) = if head & 0x40 != 0 {
            (head & 0x3f, read_length(&mut reader)?)
        } else {
            let length = match head & 3 {
                0 => usize::from(reader.byte()?),
                1 => reader.number(2)?,
                2 => reader.number(4)?,
                _ => bail!("a packet has no length"),
            };
            (head >> 2 & 0xf, length)
        };
        let body = reader.take(length)?;
        packets.push(Packet { tag, body });
        bytes = reader.0;
    }
    Ok(packets)
}

/// Writes a packet.
pub(super) fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a key or a signature is a few kilobytes");
    [&[0xc0 | tag, 0xff][..], &length.to_be_bytes(), body].concat()
}

/// Writes a multiprecision integer: its length in bits, then its bytes.
pub(super) fn number(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let bytes = &bytes[start..];
    let unused = bytes.first().map_or(0, |byte| byte.leading_zeros());
    let bits = u16::try_from(bytes.len() * 8).expect("no key is that long") - unused as u16;
    [&bits.to_be_bytes()[..], bytes].concat()
}

/// Writes a subpacket of a signature.
pub(super) fn property(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len() + 1).expect("properties of ours are short");
    [&[length, kind][..], value].concat()
}

/// Returns the type and value of every subpacket in an area of a signature.
pub(super) fn read_properties(area: &[u8]) -> Result<Vec<(u8, &[u8])>> {
    let mut reader = Reader(area);
    let mut properties = Vec::new();
    while !reader.0.is_empty() {
        let length = read_length(&mut reader)?;
        let (kind, value) = reader.take(length)?.split_first().context("a subpacket is empty")?;
        // The highest bit marks a critical subpacket.
        properties.push((kind & 0x7f, value));
    }
    Ok(properties)
}

/// Reads from the front of a slice.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).context("truncated")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn number(&mut self, bytes: usize) -> Result<usize> {
        Ok(self.take(bytes)?.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)))
    }

    /// Reads the bytes of a multiprecision integer.
    pub(super) fn large(&mut self) -> Result<&'a [u8]> {
        let bits = self.number(2)?;
        self.take(bits.div_ceil(8))
    }
}

fn read_length(reader: &mut Reader<'_>) -> Result<usize> {
    Ok(match reader.byte()? {
        short @ 0..=191 => usize::from(short),
        long @ 192..=223 => (usize::from(long) - 192) * 256 + usize::from(reader.byte()?) + 192,
        255 => reader.number(4)?,
        _ => bail!("a packet has a partial length, which no key has"),
    })
}
