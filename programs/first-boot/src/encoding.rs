//! Decodes a file that any editor may have written, and encodes it again with the same length.
//!
//! Windows editors put a byte order mark before UTF-8, write UTF-16, or write a one-byte encoding that they
//! call ANSI.

/// The text of a file and its encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The decoded text.
    pub text: String,
    encoding: Encoding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf8WithMark,
    Utf16,
    Latin1,
}

const MARK: &[u8] = &[0xef, 0xbb, 0xbf];
const MARK_16: &[u8] = &[0xff, 0xfe];

impl Decoded {
    /// Decodes the bytes; returns `None` if they are not text.
    pub fn read(bytes: &[u8]) -> Option<Decoded> {
        if let Some(rest) = bytes.strip_prefix(MARK_16) {
            let (pairs, odd) = rest.as_chunks::<2>();
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
            let text = String::from_utf16(&units).ok().filter(|_| odd.is_empty())?;
            return readable(text, Encoding::Utf16);
        }
        let (rest, encoding) = match bytes.strip_prefix(MARK) {
            Some(rest) => (rest, Encoding::Utf8WithMark),
            None => (bytes, Encoding::Utf8),
        };
        match std::str::from_utf8(rest) {
            Ok(text) => readable(text.to_owned(), encoding),
            Err(_) if encoding == Encoding::Utf8WithMark => None,
            Err(_) => readable(bytes.iter().map(|byte| char::from(*byte)).collect(), Encoding::Latin1),
        }
    }

    /// Returns whether the encoding is a guess.
    pub fn guessed(&self) -> bool {
        self.encoding == Encoding::Latin1
    }

    /// Encodes a text, including the byte order mark.
    pub fn encode(&self, text: &str) -> Vec<u8> {
        match self.encoding {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            Encoding::Utf8WithMark => [MARK, text.as_bytes()].concat(),
            Encoding::Utf16 => {
                let units = text.encode_utf16().flat_map(u16::to_le_bytes);
                MARK_16.iter().copied().chain(units).collect()
            }
            // Text that is not from the file itself is ASCII.
            Encoding::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        }
    }

    /// Returns how many one-unit characters need the same space as this text.
    pub fn room(&self, text: &str) -> usize {
        match self.encoding {
            Encoding::Utf8 | Encoding::Utf8WithMark => text.len(),
            Encoding::Utf16 => text.encode_utf16().count(),
            Encoding::Latin1 => text.chars().count(),
        }
    }
}

fn readable(text: String, encoding: Encoding) -> Option<Decoded> {
    (!text.contains('\0')).then_some(Decoded { text, encoding })
}

#[cfg(test)]
mod tests {
    use super::Decoded;

    #[test]
    fn what_editors_write() {
        let sixteen: Vec<u8> = "\u{feff}a = \"ü\"\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, guessed) in [
            (&b"a = \"\xc3\xbc\"\r\n"[..], false),
            (b"\xef\xbb\xbfa = \"\xc3\xbc\"\r\n", false),
            (&sixteen, false),
            (b"a = \"\xfc\"\r\n", true),
        ] {
            let decoded = Decoded::read(bytes).unwrap();
            assert_eq!((decoded.text.as_str(), decoded.guessed()), ("a = \"ü\"\r\n", guessed));
            assert_eq!(decoded.encode(&decoded.text), bytes);
        }
        assert_eq!(Decoded::read(b"a\0b"), None);
        assert_eq!(Decoded::read(b"\xff\xfea"), None);
        assert_eq!(Decoded::read(b"\xef\xbb\xbf\xff"), None);
        assert_eq!(Decoded::read(b"").map(|d| d.text).as_deref(), Some(""));
    }
}
