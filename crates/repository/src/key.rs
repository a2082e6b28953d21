//! A key that repositories are signed with: made here, or read from a file that this or `gpg --export-secret-keys`
//! wrote. RSA, because RHEL 9 takes no other key for packages.
//!
//! Its secret half is written by [`Key::private`] alone, and never shown.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::RangeInclusive;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA512;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey};
use sha1::{Digest, Sha1};

use super::armor;
use super::packet::{
    self, PUBLIC_KEY, PUBLIC_SUBKEY, Packet, Reader, SECRET_KEY, SECRET_SUBKEY, SIGNATURE, USER_ID,
};

/// What RHEL and apt's policies still accept, up to what `ring` computes with.
const USUAL_BITS: RangeInclusive<usize> = 2048..=4096;
const RSA: u8 = 1;
const PRIVATE: &str = "PRIVATE KEY BLOCK";
const PUBLIC: &str = "PUBLIC KEY BLOCK";
/// The longest key file that is read.
const LONGEST: u64 = 1 << 20;

pub(super) const KEY_FLAGS: u8 = 27;
const MAY_SIGN: u8 = 2;

/// A property of a certification.
const KEY_EXPIRES: u8 = 9;

/// A key with its secret half.
#[derive(Clone)]
pub struct Key {
    secret: RsaPrivateKey,
    /// The same, as what signs has it.
    signer: Arc<KeyPair>,
    created: u32,
    name: String,
    /// User names and what certifies them, as packets.
    names: Vec<u8>,
}

impl Key {
    /// A key that nothing certifies yet.
    pub(super) fn from_secret(secret: RsaPrivateKey, created: u32, name: &str) -> Result<Key> {
        let signer = signer(&secret)?;
        Ok(Key { secret, signer, created, name: name.to_owned(), names: Vec::new() })
    }

    /// Adds packets that say and certify whose key it is.
    pub(super) fn add_packets(&mut self, packets: &[u8]) {
        self.names.extend(packets);
    }

    /// Reads a key file that belongs to one person only.
    pub fn open(path: &Path, now: u32) -> Result<Key> {
        let shown = path.display();
        let meta = fs::metadata(path).with_context(|| {
            format!("`{shown}`: the key cannot be read: make one with `cargo xtask key new FILE`")
        })?;
        ensure!(meta.is_file(), "`{shown}`: not a file: name the file of the key");
        ensure!(meta.len() <= LONGEST, "`{shown}`: longer than any key: name the file of the key");
        ensure!(
            meta.mode() & 0o077 == 0,
            "`{shown}`: other users can read the private key: run `chmod 600 {shown}`"
        );
        let bytes = fs::read(path).with_context(|| format!("`{shown}`: cannot be read"))?;
        Key::read(&bytes, now).with_context(|| format!("`{shown}`: not a key to sign with"))
    }

    /// Reads a key from the content of its file.
    pub fn read(bytes: &[u8], now: u32) -> Result<Key> {
        let dearmored;
        let bytes = if bytes.first().is_some_and(|first| first & 0x80 != 0) {
            bytes
        } else {
            let text = str::from_utf8(bytes).context("neither text nor OpenPGP")?;
            dearmored = armor::bytes(PRIVATE, text)?;
            &dearmored
        };
        let packets = packet::packets(bytes)?;
        let (first, rest) = packets.split_first().context("empty")?;
        ensure!(first.tag == SECRET_KEY, "does not start with a secret key");
        let (secret, created) = secret(first.body)?;
        let mut key = Key::from_secret(secret, created, "")?;
        // What follows a subkey belongs to that, and subkeys do not sign here.
        for packet in rest.iter().take_while(|p| ![SECRET_SUBKEY, PUBLIC_SUBKEY, SECRET_KEY].contains(&p.tag))
        {
            match packet.tag {
                USER_ID if key.name.is_empty() => {
                    key.name = str::from_utf8(packet.body).context("the user ID is not UTF-8")?.to_owned();
                }
                USER_ID => {}
                SIGNATURE => check(packet, &key, now)?,
                _ => continue,
            }
            key.add_packets(&packet::packet(packet.tag, packet.body));
        }
        ensure!(!key.name.is_empty(), "has no user ID");
        Ok(key)
    }

    /// Writes the secret half into a new file that only its owner may read.
    pub fn write(&self, path: &Path) -> Result<()> {
        let shown = path.display();
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(|| {
                format!("`{shown}`: cannot be created: name a new file in a folder of yours")
            })?;
        if let Err(error) = file.write_all(self.private().as_bytes()).and_then(|()| file.sync_all()) {
            let _ = fs::remove_file(path);
            return Err(error).with_context(|| format!("`{shown}`: cannot be written"));
        }
        Ok(())
    }

    /// The secret half, armored. Kept without a passphrase: what signs by itself would have to keep that as well.
    fn private(&self) -> String {
        let (p, q) = match self.secret.primes() {
            [p, q, ..] if p < q => (p, q),
            [q, p, ..] => (p, q),
            _ => unreachable!("an RSA key has two primes"),
        };
        // By Fermat: what p has to be multiplied by to be 1 modulo q.
        let inverse = p.modpow(&(q - BigUint::from(2_u8)), q);
        let secret: Vec<u8> = [self.secret.d(), p, q, &inverse]
            .into_iter()
            .flat_map(|n| packet::number(&n.to_bytes_be()))
            .collect();
        let sum = secret.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        let body = [&self.body()[..], &[0], &secret, &sum.to_be_bytes()].concat();
        armor::armor(PRIVATE, &[packet::packet(SECRET_KEY, &body), self.names.clone()].concat())
    }

    /// What everybody may have, armored; of several keys one block, because apt reads one.
    pub fn public(keys: &[Key]) -> String {
        armor::armor(PUBLIC, &Key::certificates(keys))
    }

    /// The same without armor.
    pub(super) fn certificates(keys: &[Key]) -> Vec<u8> {
        keys.iter()
            .flat_map(|key| [packet::packet(PUBLIC_KEY, &key.body()), key.names.clone()].concat())
            .collect()
    }

    /// Forty hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        self.fingerprint_bytes().iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// Whose it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was made, in seconds since 1970: no signature of it may be older.
    pub(super) fn created(&self) -> u32 {
        self.created
    }

    /// What only who has the key can make of a content: a signature by PKCS #1, of its SHA-512.
    pub(super) fn power(&self, content: &[u8]) -> Result<Vec<u8>> {
        let mut signature = vec![0; self.signer.public().modulus_len()];
        let signed = self.signer.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), content, &mut signature);
        signed.map_err(|_| anyhow!("the key cannot sign"))?;
        Ok(signature)
    }

    pub(super) fn fingerprint_bytes(&self) -> [u8; 20] {
        Sha1::digest(self.framed()).into()
    }

    /// The public half as certifications and the fingerprint begin.
    pub(super) fn framed(&self) -> Vec<u8> {
        let body = self.body();
        let length = u16::try_from(body.len()).expect("a public key is short");
        [&[0x99][..], &length.to_be_bytes(), &body].concat()
    }

    /// The public half.
    fn body(&self) -> Vec<u8> {
        let mut body = vec![4];
        body.extend(self.created.to_be_bytes());
        body.push(RSA);
        body.extend(packet::number(&self.secret.n().to_bytes_be()));
        body.extend(packet::number(&self.secret.e().to_bytes_be()));
        body
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.fingerprint())
    }
}

/// The secret half of a version 4 RSA key.
fn secret(body: &[u8]) -> Result<(RsaPrivateKey, u32)> {
    let mut reader = Reader(body);
    ensure!(reader.byte()? == 4, "not a version 4 key: make one with `cargo xtask key new`");
    let created = u32::try_from(reader.number(4)?)?;
    let kind = reader.byte()?;
    if kind != RSA {
        bail!("not an RSA key, which RHEL 9 requires: make one with `cargo xtask key new`");
    }
    let (n, e) = (reader.large()?, reader.large()?);
    let protected = reader.byte()?;
    ensure!(
        protected == 0,
        "has a passphrase: export it without one (gpg: `--edit-key`, `passwd`), or make one with `cargo xtask key new`"
    );
    let (d, p, q, _) = (reader.large()?, reader.large()?, reader.large()?, reader.large()?);
    let number = BigUint::from_bytes_be;
    let secret = RsaPrivateKey::from_components(number(n), number(e), number(d), vec![number(p), number(q)])
        .context("not a valid RSA key")?;
    secret.validate().context("not a valid RSA key")?;
    let bits = secret.n().bits();
    let (fewest, most) = USUAL_BITS.into_inner();
    ensure!(bits >= fewest, "has {bits} bits, which is too short: make one with `cargo xtask key new`");
    ensure!(bits <= most, "has {bits} bits, and the limit is {most}: make one with `cargo xtask key new`");
    Ok((secret, created))
}

/// The key for `ring`, whose time says nothing of it, and which is four times quicker than `rsa`. That makes keys.
fn signer(secret: &RsaPrivateKey) -> Result<Arc<KeyPair>> {
    let unusual = "its numbers are no RSA key's as everybody makes them";
    let ([p, q], Some(d_p), Some(d_q), Some(inverse)) =
        (secret.primes(), secret.dp(), secret.dq(), secret.crt_coefficient())
    else {
        bail!("{unusual}");
    };
    let bytes = BigUint::to_bytes_be;
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: bytes(secret.n()), e: bytes(secret.e()) },
        d: bytes(secret.d()),
        p: bytes(p),
        q: bytes(q),
        dP: bytes(d_p),
        dQ: bytes(d_q),
        qInv: bytes(&inverse),
    };
    let signer = KeyPair::from_components(&components).map_err(|error| anyhow!("{unusual}: {error}"))?;
    Ok(Arc::new(signer))
}

/// Looks at what the key says of itself: whether it may sign, and until when.
fn check(packet: &Packet<'_>, key: &Key, now: u32) -> Result<()> {
    let mut reader = Reader(packet.body);
    let (version, about) = (reader.byte()?, reader.byte()?);
    let (_, hash) = (reader.byte()?, reader.byte()?);
    if version != 4 || !(0x10..=0x13).contains(&about) {
        return Ok(());
    }
    let hashed = reader.number(2)?;
    let hashed = packet::properties(reader.take(hashed)?)?;
    let unhashed = reader.number(2)?;
    let unhashed = packet::properties(reader.take(unhashed)?)?;
    let own = |(kind, value): &(u8, &[u8])| *kind == 16 && *value == &key.fingerprint_bytes()[12..];
    if !hashed.iter().chain(&unhashed).any(own) {
        return Ok(());
    }
    ensure!(
        (8..=10).contains(&hash),
        "certifies itself with a hash that apt refuses: make one with `cargo xtask key new`"
    );
    for (kind, value) in hashed {
        match (kind, value) {
            (KEY_FLAGS, [flags, ..]) => {
                ensure!(
                    flags & MAY_SIGN != 0,
                    "may not sign, only its subkeys may: make a key for this repository"
                );
            }
            (KEY_EXPIRES, [_, _, _, _]) => {
                let seconds = value.iter().fold(0_u32, |n, byte| n << 8 | u32::from(*byte));
                let expired = seconds != 0 && key.created.saturating_add(seconds) <= now;
                ensure!(!expired, "has expired: extend it, or make one with `cargo xtask key new`");
            }
            _ => {}
        }
    }
    Ok(())
}
