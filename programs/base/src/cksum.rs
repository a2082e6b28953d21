//! The POSIX checksum that `cksum` prints, so that people can verify it.
//!
//! It detects changed files, but does not protect against deliberate manipulation.

const POLYNOMIAL: u32 = 0x04c1_1db7;

/// Returns the checksum of these bytes.
pub fn compute(bytes: &[u8]) -> u32 {
    let of_data = bytes.iter().fold(0, |sum, byte| step(sum, *byte));
    // The length follows, lowest byte first, without trailing zeros.
    let mut length = bytes.len();
    let mut sum = of_data;
    while length > 0 {
        sum = step(sum, (length & 0xff) as u8);
        length >>= 8;
    }
    !sum
}

fn step(sum: u32, byte: u8) -> u32 {
    let shift = |sum: u32, _| if sum >> 31 == 1 { sum << 1 ^ POLYNOMIAL } else { sum << 1 };
    (0..8).fold(sum ^ u32::from(byte) << 24, shift)
}

#[cfg(test)]
mod tests {
    use super::compute;

    #[test]
    fn as_the_command_prints_it() {
        assert_eq!(compute(b""), 4_294_967_295);
        assert_eq!(compute(b"123456789"), 930_766_865);
        assert_eq!(compute(&[b'a'; 300]), 1664553091);
    }
}
