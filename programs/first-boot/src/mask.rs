//! Overwrites secrets in place with a star, without changing the length of the file.
//!
//! FAT has no transactions. Writing a new file could lose it in a power loss, fail without free space, or
//! leave the old bytes on the card.

use std::ops::Range;

use crate::document::MASK;
use crate::encoding::Decoded;
use crate::secret;
use crate::settings::LONGEST;

/// Returns the file without its secrets, at the same length. A file that cannot be decoded stays unchanged.
pub fn masked(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.len() > LONGEST {
        return bytes;
    }
    // Overwriting can change how the rest is parsed, so repeat until no secret is found. Each round leaves
    // fewer characters outside a mask.
    while let Some(decoded) = Decoded::read(&bytes) {
        let secrets = secret::find(&decoded.text);
        if secrets.is_empty() {
            break;
        }
        bytes = overwritten(&decoded, &secrets);
    }
    bytes
}

fn overwritten(decoded: &Decoded, secrets: &[Range<usize>]) -> Vec<u8> {
    let text = &decoded.text;
    let (mut made, mut from) = (String::with_capacity(text.len()), 0);
    for secret in secrets {
        made.push_str(&text[from..secret.start]);
        let room = decoded.room(&text[secret.clone()]);
        let quoted = format!("\"{MASK}\"");
        // An invalid line may be too short for the quoted mask.
        let star = if room >= quoted.len() { quoted } else { MASK.repeat(room) };
        made.push_str(&format!("{star:room$}"));
        from = secret.end;
    }
    made.push_str(&text[from..]);
    decoded.encode(&made)
}

#[cfg(test)]
mod tests {
    use super::masked;
    use crate::encoding::Decoded;

    #[test]
    fn it_keeps_its_length_and_says_nothing() {
        let text = "[user]\r\npassword = \"gräm\" # c\r\n[wlan]\r\npassword = '''a\r\nb'''\r\n[x]\r\npassword = \"open\r\npwd =x\r\n";
        let expected = "[user]\r\npassword = \"*\"    # c\r\n[wlan]\r\npassword = \"*\"       \r\n[x]\r\npassword =\"*\"   \r\npwd =*\r\n";
        let sixteen: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
        for bytes in [text.as_bytes(), &sixteen, &latin] {
            let once = masked(bytes);
            assert_eq!(once.len(), bytes.len());
            let spaces = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(spaces(&Decoded::read(&once).unwrap().text), spaces(expected));
            assert_eq!(masked(&once), once);
        }
    }
}
