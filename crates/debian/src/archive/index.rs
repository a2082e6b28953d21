//! Fetches a suite's index: checks `InRelease` with the distribution's keys and follows its hashes to the
//! packages.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use base::date::{Date, format_timestamp};
use common::unpack;

use super::fetch::{self, Wanted, fetch};
use super::package::Package;
use crate::stanza::{Stanza, stanzas};

/// Debian's have 140 kB.
const LARGEST_RELEASE: u64 = 4 << 20;
/// All of Debian's packages for one processor take 57 MB, or 10 MB compressed.
const LARGEST_INDEX: u64 = 256 << 20;
/// Tolerance for a host clock that is behind the signer's.
const CLOCKS_DIFFER: u64 = 86_400;
/// Start of a signed text. gpgv also accepts compressed input, which could have any size.
const SIGNED: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";

/// A suite on a mirror.
#[derive(Debug, Clone)]
pub struct Pocket<'a> {
    /// Base URL of the archive.
    pub mirror: &'a str,
    /// Suite name, such as `trixie-security`.
    pub suite: &'a str,
    /// Components, such as `main`.
    pub components: &'a [String],
    /// Keyring with the keys that sign it.
    pub keyring: &'a Path,
    /// When the last known index was signed; older ones are rejected.
    pub known: Option<u64>,
}

/// The packages of a suite for one processor.
#[derive(Debug)]
pub struct Index {
    /// The packages.
    pub packages: Vec<Package>,
    /// Time of the signature, in seconds since 1970.
    pub date: u64,
}

impl Index {
    /// Fetches and checks an index; unchanged files come from the cache.
    pub fn fetch(pocket: &Pocket<'_>, architecture: &str, cache: &Path) -> Result<Index> {
        let suite = format!("{}/dists/{}", pocket.mirror, pocket.suite);
        let url = format!("{suite}/InRelease");
        let release = verified(&fetch::text(&url, LARGEST_RELEASE)?, pocket.keyring)
            .with_context(|| format!("`{url}`"))?;
        let release = Stanza(&release);
        let date = check_date(release, pocket).with_context(|| format!("`{url}`"))?;
        let sums = release.field("SHA256").with_context(|| format!("`{url}`: no SHA256 hashes in it"))?;
        let mut packages = Vec::new();
        for component in pocket.components {
            let name = format!("{component}/binary-{architecture}/Packages.xz");
            let Some((sha256, size)) = sum(sums, &name) else {
                ensure!(component != "main", "`{url}`: no packages for {architecture}");
                continue;
            };
            let download = Wanted {
                // The by-hash path stays valid while the suite is updated.
                url: format!("{suite}/{component}/binary-{architecture}/by-hash/SHA256/{sha256}"),
                sha256: sha256.to_owned(),
                size,
                name: format!("{}'s {name}", pocket.suite),
            };
            ensure!(
                size <= LARGEST_INDEX,
                "{}: {} is too large for an index: use another mirror",
                download.name,
                fetch::megabytes(size)
            );
            fetch(std::slice::from_ref(&download), cache)?;
            let packed = fs::read(fetch::cached(cache, sha256))?;
            let plain = sum(sums, &format!("{component}/binary-{architecture}/Packages"));
            let most = plain.map_or(LARGEST_INDEX, |(_, size)| size.min(LARGEST_INDEX));
            let mut text = String::new();
            unpack::xz(packed.as_slice(), most)
                .read_to_string(&mut text)
                .with_context(|| format!("cannot decompress {}", download.name))?;
            for stanza in stanzas(&text) {
                packages.push(Package::read(stanza, Some(pocket.suite))?);
            }
        }
        Ok(Index { packages, date })
    }
}

/// Returns when a release was signed, after checking that it is the requested one. A mirror or proxy could
/// serve another suite or an old release, with valid signatures.
fn check_date(release: Stanza<'_>, pocket: &Pocket<'_>) -> Result<u64> {
    let named = ["Codename", "Suite"].map(|field| release.field(field).unwrap_or_default());
    ensure!(
        named.contains(&pocket.suite),
        "is for suite `{}` (`{}`), not `{}`: use another mirror",
        named[0],
        named[1],
        pocket.suite
    );
    let date_in = |field: &str| -> Result<Option<u64>> {
        let Some(text) = release.field(field) else { return Ok(None) };
        Ok(Some(date(text).with_context(|| format!("invalid date `{field}: {text}`"))?))
    };
    let signed = date_in("Date")?.context("no date in it")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    ensure!(
        signed <= now + CLOCKS_DIFFER,
        "signed on {}, but the clock says {}: set this machine's clock",
        format_timestamp(signed),
        format_timestamp(now)
    );
    if let Some(end) = date_in("Valid-Until")? {
        ensure!(
            now <= end,
            "expired on {}, and the clock says {}: use another mirror, or set this machine's clock",
            format_timestamp(end),
            format_timestamp(now)
        );
    }
    if let Some(known) = pocket.known {
        ensure!(
            signed >= known,
            "signed on {}, but the lock is from {}: use another mirror, or remove the lock to go back",
            format_timestamp(signed),
            format_timestamp(known)
        );
    }
    Ok(signed)
}

/// Returns the signed text after checking its signature with the keyring.
fn verified(signed: &[u8], keyring: &Path) -> Result<String> {
    ensure!(
        signed.starts_with(SIGNED),
        "not signed by a key of `{}`: not a signed text: use another mirror",
        keyring.display()
    );
    let mut child = Command::new("gpgv")
        .args(["--quiet", "--status-fd", "2", "--output", "-", "--keyring"])
        .arg(keyring)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start `gpgv`: apt-get install gpgv")?;
    let mut input = child.stdin.take().context("no pipe for the stdin of the child")?;
    let ended = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(signed));
        child.wait_with_output()
    })?;
    // Not by exit status, because a release may also have signatures of newer keys that the keyring lacks.
    let stderr = String::from_utf8_lossy(&ended.stderr);
    let status = |word: &str| {
        stderr.lines().filter_map(|l| l.strip_prefix("[GNUPG:] ")).any(|l| l.split(' ').next() == Some(word))
    };
    let good = status("GOODSIG") && !status("BADSIG");
    if !good || ended.stdout.is_empty() {
        let why = stderr.lines().rfind(|l| l.starts_with("gpgv: ")).unwrap_or("gpgv: no signature");
        let why = why.trim_start_matches("gpgv: ");
        bail!(
            "not signed by a key of `{}`: {why}: install the newest debian-archive-keyring, or use another mirror",
            keyring.display()
        );
    }
    String::from_utf8(ended.stdout).context("is not UTF-8")
}

/// Returns hash and size of a file named in a release.
fn sum<'a>(sums: &'a str, name: &str) -> Option<(&'a str, u64)> {
    sums.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (sha256, size, path) = (words.next()?, words.next()?, words.next()?);
        (path == name && sha256.len() == 64).then_some((sha256, size.parse().ok()?))
    })
}

/// `Sat, 12 Sep 2026 07:55:41 UTC`
fn date(text: &str) -> Option<u64> {
    let mut words = text.split_whitespace().skip(1);
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|m| *m == month)? as u64 + 1;
    let (day, year): (u64, u64) = (day.parse().ok()?, year.parse().ok()?);
    let mut parts = time.split(':').map(str::parse::<u64>);
    let (hour, minute, second) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = Date::parse(&format!("{year:04}-{month:02}-{day:02}"))?.epoch() / 86_400;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::{date, sum};

    #[test]
    fn a_release_is_read() {
        assert_eq!(date("Sat, 12 Sep 2026 07:55:41 UTC"), Some(1_789_199_741));
        assert_eq!(date("Thu, 01 Jan 1970 00:00:00 UTC"), Some(0));
        assert_eq!(date("Thu, 29 Feb 2024 12:00:00 UTC"), Some(1_709_208_000));
        assert_eq!(date("yesterday"), None);
        assert_eq!(date("Sat, 12 Sep 2026 18446744073709551615:00:00 UTC"), None);
        let hash = "a".repeat(64);
        let sums = format!("\n {hash} 12 main/x\n {hash}  7 main/y.xz");
        assert_eq!(sum(&sums, "main/y.xz"), Some((hash.as_str(), 7)));
        assert_eq!(sum(&sums, "main/y"), None);
    }
}
