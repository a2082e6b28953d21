//! A .deb's last touch: takes what cargo-deb made, adds the `md5sums` of its files, by which `dpkg --verify` and
//! `debsums` find a damaged card. cargo-deb left them out in 3.0. And what a .deb says of itself.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail, ensure};
use common::checksum::hex;
use common::unpack;
use lzma_rust2::{XzOptions, XzWriter};
use md5::{Digest, Md5};

const MAGIC: &[u8] = b"!<arch>\n";
const HEAD: usize = 60;
const SUMS: &str = "md5sums";

/// The same package with `md5sums` in its control archive, for this processor: cargo-deb knows no `all`.
pub fn complete(deb: &[u8], architecture: &str) -> Result<Vec<u8>> {
    with_fields(deb, &[("Architecture: ", architecture)])
}

/// The same package with other values of these fields of its control file (`"Version: "`), and with fresh `md5sums`.
pub fn with_fields(deb: &[u8], fields: &[(&str, &str)]) -> Result<Vec<u8>> {
    let members = members(deb).context("cargo-deb made no ar archive")?;
    let find = |name: &str| {
        members.iter().find(|m| m.name == name).with_context(|| format!("cargo-deb made no {name}"))
    };
    let sums = sums(&unxz(find("data.tar.xz")?.bytes, unpack::FILES)?)?;
    let control = unxz(find("control.tar.xz")?.bytes, unpack::CONTROL)?;
    let control = xz(&with_control(&control, sums.as_bytes(), fields)?)?;
    let mut out = MAGIC.to_vec();
    for member in &members {
        let bytes = if member.name == "control.tar.xz" { &control } else { member.bytes };
        out.extend_from_slice(&member.head[..48]);
        out.extend_from_slice(format!("{:<10}`\n", bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
        if bytes.len() % 2 == 1 {
            out.push(b'\n');
        }
    }
    Ok(out)
}

/// The control file of a package.
pub fn control(deb: &[u8]) -> Result<String> {
    let bytes = control_file(deb, "control")?.context("it has no control file")?;
    String::from_utf8(bytes).context("its control file is not UTF-8")
}

/// A file of a package's control archive, if there is one of that name.
pub fn control_file(deb: &[u8], name: &str) -> Result<Option<Vec<u8>>> {
    let members = members(deb).context("it is no .deb")?;
    let archive =
        members.iter().find(|m| m.name.starts_with("control.tar")).context("it has no control.tar")?;
    let tar = match archive.name {
        "control.tar.xz" => unxz(archive.bytes, unpack::CONTROL)?,
        "control.tar.gz" => {
            let mut out = Vec::new();
            unpack::gzip(archive.bytes, unpack::CONTROL).read_to_end(&mut out)?;
            out
        }
        "control.tar" => archive.bytes.to_vec(),
        other => bail!("its `{other}` is packed in a way that is not read here: pack it with xz or gzip"),
    };
    for entry in tar::Archive::new(tar.as_slice()).entries()? {
        let mut entry = entry?;
        if entry.path()?.file_name().is_some_and(|file| file == name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// A file of a package's outer archive.
pub struct Member<'a> {
    /// Its name.
    pub name: &'a str,
    head: &'a [u8],
    /// What it holds.
    pub bytes: &'a [u8],
}

/// The files of a package's outer archive.
pub fn members(deb: &[u8]) -> Result<Vec<Member<'_>>> {
    let mut rest = deb.strip_prefix(MAGIC).context("it does not start like one")?;
    let mut members = Vec::new();
    while let Some((head, body)) = rest.split_at_checked(HEAD) {
        let name = std::str::from_utf8(&head[..16])?.trim_end().trim_end_matches('/');
        let size: usize = std::str::from_utf8(&head[48..58])?.trim_end().parse()?;
        ensure!(size <= body.len(), "`{name}` is cut short");
        members.push(Member { name, head, bytes: &body[..size] });
        rest = body.get(size + size % 2..).unwrap_or_default();
    }
    Ok(members)
}

/// `md5sum`'s lines for every file of a data archive.
fn sums(tar: &[u8]) -> Result<String> {
    let mut sums = String::new();
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let path = entry.path()?.to_string_lossy().trim_start_matches("./").to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            let sum = hex(&Md5::digest(&bytes));
            sums.push_str(&format!("{sum}  {path}\n"));
        }
    }
    Ok(sums)
}

/// A control archive with fresh sums, dated and owned like its first file, and fields of its control file changed.
fn with_control(tar: &[u8], sums: &[u8], fields: &[(&str, &str)]) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut model = None;
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        let mut header = entry.header().clone();
        if header.entry_type().is_file() {
            model.get_or_insert(header.clone());
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        let path = header.path()?.into_owned();
        if path.file_name().is_some_and(|name| name == SUMS) {
            continue;
        }
        if path.file_name().is_some_and(|name| name == "control") {
            for (field, value) in fields {
                content = replaced(&content, field, value);
            }
            header.set_size(content.len() as u64);
            header.set_cksum();
        }
        builder.append(&header, content.as_slice())?;
    }
    let mut header = model.context("the control archive is empty")?;
    header.set_path(format!("./{SUMS}"))?;
    header.set_mode(0o644);
    header.set_size(sums.len() as u64);
    header.set_cksum();
    builder.append(&header, sums)?;
    Ok(builder.into_inner()?)
}

/// A control file with another value of a field.
fn replaced(control: &[u8], field: &str, value: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(control.len());
    for line in control.split_inclusive(|byte| *byte == b'\n') {
        // cargo-deb writes the field even when there is nothing in it.
        if line == b"Depends: \n" {
            continue;
        }
        if line.starts_with(field.as_bytes()) {
            out.extend_from_slice(field.as_bytes());
            out.extend_from_slice(value.as_bytes());
            out.push(b'\n');
        } else {
            out.extend_from_slice(line);
        }
    }
    out
}

fn unxz(bytes: &[u8], most: u64) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    unpack::xz(bytes, most).read_to_end(&mut out)?;
    Ok(out)
}

fn xz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(6))?;
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}
