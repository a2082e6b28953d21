//! Signatures: takes a [`Key`] and what is signed, makes OpenPGP signatures by RSA and SHA-512, the strongest pair that
//! every apt and every rpm in use accepts.

use anyhow::{Context, Result};
use rsa::Pkcs1v15Sign;
use rsa::rand_core::OsRng;
use sha2::{Digest, Sha512};

use super::armor;
use super::key::Key;
use super::packet::{self, SIGNATURE};

/// What a signature is about.
const OF_BYTES: u8 = 0;
const OF_TEXT: u8 = 1;
pub(super) const OF_A_NAME: u8 = 0x13;

const RSA: u8 = 1;
const SHA512: u8 = 10;
/// How PKCS #1 names SHA-512, in front of the digest.
const DIGEST_INFO: [u8; 19] =
    [0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 0x40];

const CREATED: u8 = 2;
const ISSUER: u8 = 16;
const ISSUER_FINGERPRINT: u8 = 33;

/// Signatures beside a file: one of each key.
pub(super) fn detached(keys: &[Key], time: u32, bytes: &[u8]) -> Result<String> {
    let signatures: Result<Vec<Vec<u8>>> = keys.iter().map(|key| binary(key, time, bytes)).collect();
    Ok(armor::armored("SIGNATURE", &signatures?.concat()))
}

/// A signature of bytes, not armored: what a package carries.
pub(super) fn binary(key: &Key, time: u32, bytes: &[u8]) -> Result<Vec<u8>> {
    signed(key, OF_BYTES, time, &[], Sha512::new_with_prefix(bytes))
}

/// A text that carries its signatures.
pub(super) fn inline(keys: &[Key], time: u32, text: &str) -> Result<String> {
    let mut shown = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n".to_owned();
    let mut canonical = String::new();
    for (i, line) in text.lines().enumerate() {
        shown.push_str(if line.starts_with('-') { "- " } else { "" });
        shown.push_str(line);
        shown.push('\n');
        canonical.push_str(if i == 0 { "" } else { "\r\n" });
        canonical.push_str(line.trim_end_matches([' ', '\t']));
    }
    let signatures: Result<Vec<Vec<u8>>> =
        keys.iter().map(|key| signed(key, OF_TEXT, time, &[], Sha512::new_with_prefix(&canonical))).collect();
    Ok(shown + &armor::armored("SIGNATURE", &signatures?.concat()))
}

/// A signature of what the hash has seen so far, with further properties.
pub(super) fn signed(key: &Key, about: u8, time: u32, further: &[u8], mut hash: Sha512) -> Result<Vec<u8>> {
    let fingerprint = key.fingerprint_bytes();
    let hashed = [
        packet::property(CREATED, &time.to_be_bytes()),
        packet::property(ISSUER_FINGERPRINT, &[&[4][..], &fingerprint].concat()),
        further.to_vec(),
    ]
    .concat();
    let mut body = vec![4, about, RSA, SHA512];
    body.extend(short(hashed.len()));
    body.extend(hashed);
    hash.update(&body);
    hash.update([4, 0xff]);
    hash.update(u32::try_from(body.len()).expect("properties are short").to_be_bytes());
    let digest = hash.finalize();
    let unhashed = packet::property(ISSUER, &fingerprint[12..]);
    body.extend(short(unhashed.len()));
    body.extend(unhashed);
    body.extend(&digest[..2]);
    let scheme = Pkcs1v15Sign { hash_len: Some(digest.len()), prefix: DIGEST_INFO.into() };
    // Blinded by random numbers: how long it takes says nothing of the key. The signature does not depend on them.
    let signature = key.secret().sign_with_rng(&mut OsRng, scheme, &digest).context("the key cannot sign")?;
    body.extend(packet::number(&signature));
    Ok(packet::packet(SIGNATURE, &body))
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("properties are short").to_be_bytes()
}
