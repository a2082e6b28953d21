//! Writes dpkg's database in `/var/lib/dpkg` for packages that are unpacked but not configured, from the data
//! that [`super::deb`] kept, and apt's list of automatically installed packages.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use common::checksum::hex;
use debian::stanza::{Stanza, stanzas};
use md5::{Digest, Md5};

use super::deb::Unpacked;

const SCRIPTS: [&str; 5] = ["preinst", "postinst", "prerm", "postrm", "config"];

/// Package data that its scripts need.
#[derive(Debug)]
pub(super) struct Entry {
    pub name: String,
    /// Prefix of its files in `info/`.
    pub(super) prefix: String,
    pub(super) architecture: String,
    /// Whether it has a preinst script.
    pub(super) preinst: bool,
    pub(super) essential: bool,
    pub(super) control: String,
    /// Suffixes of its files in `info/`.
    pub(super) kinds: Vec<String>,
}

/// Writes the database; returns the packages in order.
pub(super) fn write(root: &Path, packages: &[Unpacked]) -> Result<Vec<Entry>> {
    let dpkg = root.join("var/lib/dpkg");
    for folder in ["info", "triggers", "updates", "parts", "alternatives"] {
        fs::create_dir_all(dpkg.join(folder))?;
    }
    fs::write(dpkg.join("info/format"), "1\n")?;
    fs::write(dpkg.join("available"), "")?;
    let (mut status, mut entries) = (String::new(), Vec::new());
    let mut interest: BTreeMap<String, String> = BTreeMap::new();
    for package in packages {
        let entry = entry(package)?;
        let info = |kind: &str| dpkg.join(format!("info/{}.{kind}", entry.prefix));
        for (kind, bytes) in &package.info {
            fs::write(info(kind), bytes)?;
            let mode = if SCRIPTS.contains(&kind.as_str()) { 0o755 } else { 0o644 };
            fs::set_permissions(info(kind), Permissions::from_mode(mode))?;
        }
        fs::write(info("list"), package.paths.join("\n") + "\n")?;
        status.push_str(&paragraph(root, package)?);
        if let Some(triggers) = package.info.get("triggers") {
            triggers_of(&String::from_utf8_lossy(triggers), &entry.prefix, &mut interest);
        }
        entries.push(entry);
    }
    fs::write(dpkg.join("status"), status)?;
    for (file, lines) in interest {
        fs::write(dpkg.join("triggers").join(file), lines)?;
    }
    Ok(entries)
}

/// Returns every package with its status.
pub(super) fn states(root: &Path) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(root.join("var/lib/dpkg/status"))?;
    let of = |s: Stanza<'_>| Some((s.field("Package")?.to_owned(), s.field("Status")?.to_owned()));
    Ok(stanzas(&text).filter_map(of).collect())
}

/// Writes apt's list of automatically installed packages.
pub(super) fn automatic(root: &Path, architecture: &str, names: &[String]) -> Result<()> {
    let mut text = String::new();
    for name in names {
        let _ = write!(text, "Package: {name}\nArchitecture: {architecture}\nAuto-Installed: 1\n\n");
    }
    fs::create_dir_all(root.join("var/lib/apt"))?;
    Ok(fs::write(root.join("var/lib/apt/extended_states"), text)?)
}

fn entry(package: &Unpacked) -> Result<Entry> {
    let control = Stanza(&package.control);
    let name = control.field("Package").context("the control file has no `Package:`")?;
    let architecture = control.field("Architecture").context("the control file has no `Architecture:`")?;
    let same = control.field("Multi-Arch") == Some("same");
    Ok(Entry {
        name: name.to_owned(),
        prefix: if same { format!("{name}:{architecture}") } else { name.to_owned() },
        architecture: architecture.to_owned(),
        preinst: package.info.contains_key("preinst"),
        essential: control.field("Essential") == Some("yes"),
        control: package.control.clone(),
        kinds: package.info.keys().cloned().collect(),
    })
}

/// Returns the control file with the package's status and the checksums of its configuration files.
fn paragraph(root: &Path, package: &Unpacked) -> Result<String> {
    let (first, rest) =
        package.control.trim_end().split_once('\n').context("the control file has only one line")?;
    let mut text = format!("{first}\nStatus: install ok unpacked\n{rest}\n");
    let conffiles =
        package.info.get("conffiles").map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    if !conffiles.is_empty() {
        text.push_str("Conffiles:\n");
    }
    for path in conffiles.lines() {
        // Earlier versions had this file; dpkg removes it on upgrade.
        if let Some(gone) = path.strip_prefix("remove-on-upgrade ") {
            let _ = writeln!(text, " {gone} newconffile remove-on-upgrade");
            continue;
        }
        let bytes = fs::read(root.join(path.trim_start_matches('/'))).with_context(|| format!("`{path}`"))?;
        let sum = hex(&Md5::digest(&bytes));
        let _ = writeln!(text, " {path} {sum}");
    }
    text.push('\n');
    Ok(text)
}

/// Collects trigger interests in dpkg's format: paths in one file, named triggers in a file each.
fn triggers_of(triggers: &str, package: &str, interest: &mut BTreeMap<String, String>) {
    for line in triggers.lines() {
        let mut words = line.split_whitespace();
        let (Some(kind), Some(what)) = (words.next(), words.next()) else { continue };
        if !kind.starts_with("interest") {
            continue;
        }
        let suffix = if kind == "interest-noawait" { "/noawait" } else { "" };
        let (file, line) = match what.starts_with('/') {
            true => ("File", format!("{what} {package}{suffix}\n")),
            false => (what, format!("{package}{suffix}\n")),
        };
        interest.entry(file.to_owned()).or_default().push_str(&line);
    }
}
