//! Generates a signing key for repositories, with a user ID that it certifies itself.

use anyhow::{Context, Result, ensure};
use rsa::RsaPrivateKey;
use rsa::rand_core::OsRng;

use super::key::{KEY_FLAGS, Key};
use super::packet::{self, USER_ID};
use super::signature::{self, OF_A_NAME};

const BITS: usize = 4096;

// Subpackets of a certification.
const PREFERRED_CIPHERS: u8 = 11;
const PREFERRED_HASHES: u8 = 21;
const FEATURES: u8 = 30;
const MAY_CERTIFY_AND_SIGN: u8 = 3;

/// Generates a key with the user ID `Name <address>`.
pub fn generate_key(name: &str, created: u32) -> Result<Key> {
    let plain = !name.chars().any(char::is_control);
    ensure!(
        plain && name.len() <= 200 && name.ends_with('>') && name.contains(" <") && name.contains('@'),
        "invalid name `{}`: write \"Name <address>\"",
        name.escape_debug()
    );
    let secret = RsaPrivateKey::new(&mut OsRng, BITS).context("cannot generate a key")?;
    let mut key = Key::from_secret(secret, created, name)?;
    let length = u32::try_from(name.len())?.to_be_bytes();
    let certified = [&key.framed()[..], &[0xb4], &length, name.as_bytes()].concat();
    let subpackets = [
        packet::property(KEY_FLAGS, &[MAY_CERTIFY_AND_SIGN]),
        packet::property(PREFERRED_CIPHERS, &[9, 8, 7]),
        packet::property(PREFERRED_HASHES, &[10, 9, 8]),
        packet::property(FEATURES, &[1]),
    ];
    let certification = signature::sign(&key, OF_A_NAME, created, &subpackets.concat(), certified)?;
    key.add_packets(&[packet::packet(USER_ID, name.as_bytes()), certification].concat());
    Ok(key)
}
