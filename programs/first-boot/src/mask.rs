//! Secrets overwritten where they stand: takes bytes, makes as many in which a secret is a star.
//!
//! The file keeps its length and its place on the card: a FAT file system knows no transaction, and a file that is
//! written anew could be lost with the current, or not find room, or leave the old one's bytes behind.

use std::ops::Range;

use crate::document::MASK;
use crate::encoding::Decoded;
use crate::secret;
use crate::settings::LONGEST;

/// The bytes of the file without its secrets, of the same length; a file of which nothing is read stays as it is.
pub fn masked(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.len() > LONGEST {
        return bytes;
    }
    // What is overwritten can change how the rest is read, so it is read until nothing is found. Each round leaves fewer
    // characters that are no part of a mask.
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
        // A line that was no good before is none of the shortest either.
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
