//! OpenPGP's ASCII armor: base64 between two lines that name the content.

use anyhow::{Context, Result, bail, ensure};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Armors bytes under a label, such as `SIGNATURE`.
pub(super) fn armor(what: &str, bytes: &[u8]) -> String {
    let mut text = format!("-----BEGIN PGP {what}-----\n\n");
    for line in base64(bytes).as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    // Newer standards omit the checksum; rpm before 4.18 requires it.
    let sum = checksum(bytes).to_be_bytes();
    text.push_str(&format!("={}\n-----END PGP {what}-----\n", base64(&sum[1..])));
    text
}

/// Reads the bytes of an armor with the label `what`.
pub(super) fn dearmor(what: &str, text: &str) -> Result<Vec<u8>> {
    let (begin, end) = (format!("-----BEGIN PGP {what}-----"), format!("-----END PGP {what}-----"));
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != begin);
    ensure!(lines.next().is_some(), "no line `{begin}`");
    let mut lines = lines.skip_while(|line| line.contains(": ")).peekable();
    let (mut code, mut sum, mut ended) = (String::new(), None, false);
    for line in &mut lines {
        if line == end {
            ended = true;
            break;
        }
        match line.strip_prefix('=') {
            Some(code) if code.len() == 4 => sum = Some(decode(code)?),
            _ => code.push_str(line),
        }
    }
    ensure!(ended, "no line `{end}`");
    let bytes = decode(&code)?;
    let expected = checksum(&bytes).to_be_bytes();
    ensure!(sum.is_none_or(|sum| sum == expected[1..]), "wrong checksum: the file is damaged");
    Ok(bytes)
}

/// Encodes bytes as base64 without line breaks.
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let number = (0..3).fold(0_u32, |n, i| n << 8 | u32::from(three.get(i).copied().unwrap_or(0)));
        for i in 0..4 {
            let digit = ALPHABET[(number >> (18 - 6 * i) & 63) as usize];
            text.push(if i > three.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

fn decode(code: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(code.len() / 4 * 3);
    let (mut number, mut bits) = (0_u32, 0);
    for digit in code.trim_end_matches('=').bytes() {
        let Some(value) = ALPHABET.iter().position(|known| *known == digit) else {
            bail!("contains a character that is not base64");
        };
        number = number << 6 | u32::try_from(value).context("below 64")?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((number >> bits & 0xff) as u8);
        }
    }
    Ok(bytes)
}

/// Computes the CRC-24 that ends an armor.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x00b7_04ce, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 16, |sum, _| {
            let next = sum << 1;
            if next & 0x0100_0000 == 0 { next } else { next ^ 0x0186_4cfb }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{armor, dearmor};

    #[test]
    fn an_armor_reads_back() {
        for length in 0..70 {
            let bytes: Vec<u8> = (0..length).map(|i: u8| i.wrapping_mul(37)).collect();
            let text = armor("SIGNATURE", &bytes);
            assert_eq!(dearmor("SIGNATURE", &text).ok(), Some(bytes), "{text}");
        }
        let text = armor("SIGNATURE", b"some bytes");
        assert!(dearmor("SIGNATURE", &text.replacen('c', "d", 1)).is_err());
        assert!(dearmor("SIGNATURE", &text[..text.len() - 10]).is_err());
    }
}
