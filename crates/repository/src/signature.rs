//! OpenPGP signatures: takes a [`Key`] and content, and signs by RSA and SHA-512. This is the strongest pair that all
//! supported versions of apt and rpm accept.

use anyhow::Result;
use sha2::{Digest, Sha512};

use super::armor;
use super::key::Key;
use super::packet::{self, SIGNATURE};

/// Signature types.
const OF_BYTES: u8 = 0;
const OF_TEXT: u8 = 1;
pub(super) const OF_A_NAME: u8 = 0x13;

const RSA: u8 = 1;
const SHA512: u8 = 10;

const CREATED: u8 = 2;
const ISSUER: u8 = 16;
const ISSUER_FINGERPRINT: u8 = 33;

/// Returns a detached signature of each key, armored.
pub(super) fn detached(keys: &[Key], time: u32, bytes: &[u8]) -> Result<String> {
    let signatures: Result<Vec<Vec<u8>>> = keys.iter().map(|key| binary(key, time, bytes)).collect();
    Ok(armor::armor("SIGNATURE", &signatures?.concat()))
}

/// Returns a signature of bytes without armor, for an rpm's header.
pub(super) fn binary(key: &Key, time: u32, bytes: &[u8]) -> Result<Vec<u8>> {
    sign(key, OF_BYTES, time, &[], bytes.to_vec())
}

/// Returns a text with a cleartext signature of each key.
pub(super) fn inline(keys: &[Key], time: u32, text: &str) -> Result<String> {
    let mut cleartext = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n".to_owned();
    let mut canonical = String::new();
    for (i, line) in text.lines().enumerate() {
        cleartext.push_str(if line.starts_with('-') { "- " } else { "" });
        cleartext.push_str(line);
        cleartext.push('\n');
        canonical.push_str(if i == 0 { "" } else { "\r\n" });
        canonical.push_str(line.trim_end_matches([' ', '\t']));
    }
    let signatures: Result<Vec<Vec<u8>>> =
        keys.iter().map(|key| sign(key, OF_TEXT, time, &[], canonical.clone().into_bytes())).collect();
    Ok(cleartext + &armor::armor("SIGNATURE", &signatures?.concat()))
}

/// Signs content; `subpackets` are added to those that every signature has.
pub(super) fn sign(
    key: &Key,
    signature_type: u8,
    time: u32,
    subpackets: &[u8],
    mut content: Vec<u8>,
) -> Result<Vec<u8>> {
    let fingerprint = key.fingerprint_bytes();
    let hashed = [
        packet::property(CREATED, &time.to_be_bytes()),
        packet::property(ISSUER_FINGERPRINT, &[&[4][..], &fingerprint].concat()),
        subpackets.to_vec(),
    ]
    .concat();
    let mut body = vec![4, signature_type, RSA, SHA512];
    body.extend(short(hashed.len()));
    body.extend(hashed);
    content.extend(&body);
    content.extend([4, 0xff]);
    content.extend(u32::try_from(body.len()).expect("properties are short").to_be_bytes());
    let unhashed = packet::property(ISSUER, &fingerprint[12..]);
    body.extend(short(unhashed.len()));
    body.extend(unhashed);
    body.extend(&Sha512::digest(&content)[..2]);
    body.extend(packet::number(&key.sign(&content)?));
    Ok(packet::packet(SIGNATURE, &body))
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("properties are short").to_be_bytes()
}
