//! Signing keys: reads a key that `cargo xtask key new` or `gpg --export-secret-keys` wrote, and signs with it. Keys
//! are RSA, because RHEL 9 accepts no other key for packages.
//!
//! Only [`Key::write`] outputs the secret half.

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

/// Key lengths: at least what RHEL's and apt's policies accept, at most what `ring` supports.
const USUAL_BITS: RangeInclusive<usize> = 2048..=4096;
const RSA: u8 = 1;
const PRIVATE: &str = "PRIVATE KEY BLOCK";
const PUBLIC: &str = "PUBLIC KEY BLOCK";
/// Largest key file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

pub(super) const KEY_FLAGS: u8 = 27;
const MAY_SIGN: u8 = 2;

/// A subpacket of a certification.
const KEY_EXPIRES: u8 = 9;

/// A key pair that can sign.
#[derive(Clone)]
pub struct Key {
    secret: RsaPrivateKey,
    /// The same key for `ring`, which signs.
    signer: Arc<KeyPair>,
    created: u32,
    name: String,
    /// Packets of user IDs and their certifications.
    names: Vec<u8>,
}

impl Key {
    /// Returns a key without user IDs.
    pub(super) fn from_secret(secret: RsaPrivateKey, created: u32, name: &str) -> Result<Key> {
        let signer = make_signer(&secret)?;
        Ok(Key { secret, signer, created, name: name.to_owned(), names: Vec::new() })
    }

    /// Adds packets of user IDs and certifications.
    pub(super) fn add_packets(&mut self, packets: &[u8]) {
        self.names.extend(packets);
    }

    /// Reads a key file, and refuses one that other users can read.
    pub fn open(path: &Path, now: u32) -> Result<Key> {
        let file = path.display();
        let meta = fs::metadata(path).with_context(|| {
            format!("`{file}`: the key cannot be read: make one with `cargo xtask key new FILE`")
        })?;
        ensure!(meta.is_file(), "`{file}`: not a file: name the file of the key");
        ensure!(meta.len() <= LONGEST, "`{file}`: longer than any key: name the file of the key");
        ensure!(
            meta.mode() & 0o077 == 0,
            "`{file}`: other users can read the private key: run `chmod 600 {file}`"
        );
        let bytes = fs::read(path).with_context(|| format!("`{file}`: cannot be read"))?;
        Key::read(&bytes, now).with_context(|| format!("`{file}`: not a signing key"))
    }

    /// Reads a key from the content of its file, with or without armor.
    pub fn read(bytes: &[u8], now: u32) -> Result<Key> {
        let dearmored;
        let bytes = if bytes.first().is_some_and(|first| first & 0x80 != 0) {
            bytes
        } else {
            let text = str::from_utf8(bytes).context("neither text nor OpenPGP")?;
            dearmored = armor::dearmor(PRIVATE, text)?;
            &dearmored
        };
        let packets = packet::read_packets(bytes)?;
        let (first, rest) = packets.split_first().context("empty")?;
        ensure!(first.tag == SECRET_KEY, "does not start with a secret key");
        let (secret, created) = read_secret(first.body)?;
        let mut key = Key::from_secret(secret, created, "")?;
        // Packets after a subkey belong to that subkey, and this toolchain does not sign with subkeys.
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

    /// Writes the secret half to a new file that only its owner can read.
    pub fn write(&self, path: &Path) -> Result<()> {
        let name = path.display();
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(|| {
                format!("`{name}`: cannot be created: name a new file in a folder that you can write to")
            })?;
        if let Err(error) = file.write_all(self.armor_secret().as_bytes()).and_then(|()| file.sync_all()) {
            let _ = fs::remove_file(path);
            return Err(error).with_context(|| format!("`{name}`: cannot be written"));
        }
        Ok(())
    }

    /// Returns the secret half, armored. It has no passphrase, because an unattended run would have to store that too.
    fn armor_secret(&self) -> String {
        let (p, q) = match self.secret.primes() {
            [p, q, ..] if p < q => (p, q),
            [q, p, ..] => (p, q),
            _ => unreachable!("an RSA key has two primes"),
        };
        // The inverse of p modulo q, by Fermat's little theorem.
        let inverse = p.modpow(&(q - BigUint::from(2_u8)), q);
        let secret: Vec<u8> = [self.secret.d(), p, q, &inverse]
            .into_iter()
            .flat_map(|n| packet::number(&n.to_bytes_be()))
            .collect();
        let sum = secret.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        let body = [&self.body()[..], &[0], &secret, &sum.to_be_bytes()].concat();
        armor::armor(PRIVATE, &[packet::packet(SECRET_KEY, &body), self.names.clone()].concat())
    }

    /// Returns the public halves of the keys in one armored block, because apt reads only one.
    pub fn public(keys: &[Key]) -> String {
        armor::armor(PUBLIC, &Key::certificates(keys))
    }

    /// Returns the public halves of the keys without armor.
    pub(super) fn certificates(keys: &[Key]) -> Vec<u8> {
        keys.iter()
            .flat_map(|key| [packet::packet(PUBLIC_KEY, &key.body()), key.names.clone()].concat())
            .collect()
    }

    /// Returns the fingerprint as 40 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        self.fingerprint_bytes().iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// Returns the first user ID.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the creation time in seconds since 1970. A signature of this key must not be older.
    pub(super) fn created(&self) -> u32 {
        self.created
    }

    /// Signs the SHA-512 of the content by PKCS #1 v1.5.
    pub(super) fn sign(&self, content: &[u8]) -> Result<Vec<u8>> {
        let mut signature = vec![0; self.signer.public().modulus_len()];
        let signed = self.signer.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), content, &mut signature);
        signed.map_err(|_| anyhow!("the key cannot sign"))?;
        Ok(signature)
    }

    pub(super) fn fingerprint_bytes(&self) -> [u8; 20] {
        Sha1::digest(self.framed()).into()
    }

    /// Returns the public half in the framing that fingerprints and certifications hash.
    pub(super) fn framed(&self) -> Vec<u8> {
        let body = self.body();
        let length = u16::try_from(body.len()).expect("a public key is short");
        [&[0x99][..], &length.to_be_bytes(), &body].concat()
    }

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

/// Reads the secret half and the creation time of a version 4 RSA key.
fn read_secret(body: &[u8]) -> Result<(RsaPrivateKey, u32)> {
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

/// Converts a key for `ring`, which signs in constant time and four times as fast as `rsa`. `ring` cannot generate
/// keys.
fn make_signer(secret: &RsaPrivateKey) -> Result<Arc<KeyPair>> {
    let ([p, q], Some(d_p), Some(d_q), Some(inverse)) =
        (secret.primes(), secret.dp(), secret.dq(), secret.crt_coefficient())
    else {
        bail!("has unusual RSA parameters: make one with `cargo xtask key new`");
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
    let signer = KeyPair::from_components(&components).map_err(|error| {
        anyhow!("has unusual RSA parameters: {error}: make one with `cargo xtask key new`")
    })?;
    Ok(Arc::new(signer))
}

/// Checks in a certification by the key itself that the key may sign and has not expired.
fn check(packet: &Packet<'_>, key: &Key, now: u32) -> Result<()> {
    let mut reader = Reader(packet.body);
    let (version, signature_type) = (reader.byte()?, reader.byte()?);
    let (_, hash) = (reader.byte()?, reader.byte()?);
    if version != 4 || !(0x10..=0x13).contains(&signature_type) {
        return Ok(());
    }
    let hashed = reader.number(2)?;
    let hashed = packet::read_properties(reader.take(hashed)?)?;
    let unhashed = reader.number(2)?;
    let unhashed = packet::read_properties(reader.take(unhashed)?)?;
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
                    "may not sign, only its subkeys may: make one with `cargo xtask key new`"
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
