//! Checks the initramfs: it must contain no programs for another processor (such as the build host's), and
//! the modules needed to find the root file system.

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::{Context, Result, bail, ensure};
use common::unpack::{self, KERNEL};

use super::{Needs, elf_machine};
use crate::card::root::Root;

const HEADER: usize = 110;
const LAST: &str = "TRAILER!!!";

pub(super) fn check(name: &str, packed: &[u8], root: &Root<'_>, needs: &Needs, faults: &mut Vec<String>) {
    let files = match files(packed) {
        Ok(files) => files,
        Err(error) => return faults.push(format!("`{name}`: {error:#}")),
    };
    for (file, content) in &files {
        let machine = elf_machine(content);
        if machine.is_some_and(|machine| machine != needs.machine.elf()) {
            faults.push(format!("`{name}`: `{file}` is not a program for {}", needs.machine.name()));
        }
    }
    if !files.contains_key("init") {
        faults.push(format!("`{name}`: no `init` in it"));
    }
    modules(name, &files, needs, faults);
    let installed = root.names("/usr/lib/modules").unwrap_or_default();
    match version(&files) {
        None => faults.push(format!("`{name}`: no kernel modules in it")),
        Some(version) if !installed.contains(&version) => {
            faults.push(format!(
                "`{name}`: its modules are for kernel {version}, but those of the root file system for {}",
                installed.join(", ")
            ));
        }
        Some(_) => {}
    }
}

fn modules(name: &str, files: &BTreeMap<String, Vec<u8>>, needs: &Needs, faults: &mut Vec<String>) {
    let mut present: Vec<String> = files.keys().filter_map(|file| module(file)).collect();
    for (file, content) in files {
        // Lists built-in modules, one path per line.
        if file.ends_with("/modules.builtin") {
            present.extend(String::from_utf8_lossy(content).lines().filter_map(module));
        }
    }
    for module_name in &needs.storage {
        if !present.contains(&module_name.replace('-', "_")) {
            faults.push(format!(
                "`{name}`: module `{module_name}` is missing, so the board cannot find the card"
            ));
        }
    }
}

/// Returns a module's name as the kernel spells it.
fn module(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let (stem, end) = file.split_once(".ko")?;
    ["", ".xz", ".zst", ".gz"].contains(&end).then(|| stem.replace('-', "_"))
}

/// Returns the kernel version of the modules.
fn version(files: &BTreeMap<String, Vec<u8>>) -> Option<String> {
    files.keys().find_map(|file| {
        let rest = file.strip_prefix("usr/").unwrap_or(file).strip_prefix("lib/modules/")?;
        Some(rest.split_once('/')?.0.to_owned())
    })
}

/// Returns every regular file in all archives of an initramfs; some start with an uncompressed archive.
pub(super) fn files(packed: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut rest = packed;
    loop {
        rest = &rest[rest.iter().position(|byte| *byte != 0).unwrap_or(rest.len())..];
        if rest.is_empty() {
            return Ok(files);
        }
        if rest.starts_with(b"07070") {
            rest = &rest[archive(rest, &mut files)?..];
            continue;
        }
        let whole = unpacked(rest)?;
        let mut inner = &whole[..];
        while inner.starts_with(b"07070") {
            inner = &inner[archive(inner, &mut files)?..];
            inner = &inner[inner.iter().position(|byte| *byte != 0).unwrap_or(inner.len())..];
        }
        ensure!(inner.is_empty(), "it contains data other than archives");
        return Ok(files);
    }
}

fn unpacked(packed: &[u8]) -> Result<Vec<u8>> {
    let mut stream: Box<dyn Read + '_> = match packed {
        [0x1f, 0x8b, ..] => Box::new(unpack::gzip(packed, KERNEL)),
        [0xfd, b'7', b'z', ..] => Box::new(unpack::xz(packed, KERNEL)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(unpack::zstd(packed, KERNEL)?),
        _ => bail!("unsupported compression: expected gzip, xz or zstd"),
    };
    let mut whole = Vec::new();
    stream.read_to_end(&mut whole).context("cannot decompress it")?;
    Ok(whole)
}

/// Reads one archive and returns its end.
fn archive(bytes: &[u8], files: &mut BTreeMap<String, Vec<u8>>) -> Result<usize> {
    let mut at = 0;
    loop {
        let header = bytes.get(at..at + HEADER).context("its archive is truncated")?;
        ensure!(header.starts_with(b"07070"), "its archive is damaged at byte {at}");
        let field = |index: usize| -> Result<usize> {
            let digits = std::str::from_utf8(&header[6 + 8 * index..14 + 8 * index])?;
            usize::from_str_radix(digits, 16).with_context(|| format!("its archive is damaged at byte {at}"))
        };
        let (mode, size, name_size) = (field(1)?, field(6)?, field(11)?);
        let from = at + HEADER;
        let name = bytes.get(from..from + name_size.saturating_sub(1)).context("its archive is truncated")?;
        let name = String::from_utf8_lossy(name).trim_start_matches("./").to_owned();
        let begin = (from + name_size).next_multiple_of(4);
        let content = bytes.get(begin..begin + size).context("its archive is truncated")?;
        at = (begin + size).next_multiple_of(4);
        if name == LAST {
            return Ok(at.min(bytes.len()));
        }
        if mode & 0o170_000 == 0o100_000 {
            files.insert(name, content.to_vec());
        }
    }
}
