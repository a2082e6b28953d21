//! Reads and completes .deb files. It adds the `md5sums` that cargo-deb 3.0 leaves out; `dpkg --verify` and
//! `debsums` use them to find a damaged card.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail, ensure};
use common::checksum::hex;
use common::unpack;
use lzma_rust2::{XzOptions, XzWriter};
use md5::{Digest, Md5};

const MAGIC: &[u8] = b"!<arch>\n";
const HEAD: usize = 60;
const SUMS: &str = "md5sums";

/// Returns the package with `md5sums` and this architecture, because cargo-deb cannot write `all`.
pub fn complete(deb: &[u8], architecture: &str) -> Result<Vec<u8>> {
    with_fields(deb, &[("Architecture: ", architecture)])
}

/// Returns the package with these fields of the control file replaced (`"Version: "`), and with new
/// `md5sums`.
pub fn with_fields(deb: &[u8], fields: &[(&str, &str)]) -> Result<Vec<u8>> {
    let members = members(deb).context("cargo-deb did not write an ar archive")?;
    let find = |name: &str| {
        members.iter().find(|m| m.name == name).with_context(|| format!("cargo-deb did not write {name}"))
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

/// Returns the control file of a package.
pub fn control(deb: &[u8]) -> Result<String> {
    let bytes = control_file(deb, "control")?.context("no control file in it")?;
    String::from_utf8(bytes).context("its control file is not UTF-8")
}

/// Returns a file of the control archive, if it exists.
pub fn control_file(deb: &[u8], name: &str) -> Result<Option<Vec<u8>>> {
    let members = members(deb).context("not a .deb")?;
    let archive =
        members.iter().find(|m| m.name.starts_with("control.tar")).context("no control.tar in it")?;
    let tar = match archive.name {
        "control.tar.xz" => unxz(archive.bytes, unpack::CONTROL)?,
        "control.tar.gz" => {
            let mut out = Vec::new();
            unpack::gzip(archive.bytes, unpack::CONTROL).read_to_end(&mut out)?;
            out
        }
        "control.tar" => archive.bytes.to_vec(),
        other => bail!("unsupported compression of its `{other}`: use xz or gzip"),
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

/// A member of a package's ar archive.
pub struct Member<'a> {
    /// Name of the member.
    pub name: &'a str,
    head: &'a [u8],
    /// Content of the member.
    pub bytes: &'a [u8],
}

/// Returns the members of a package's ar archive.
pub fn members(deb: &[u8]) -> Result<Vec<Member<'_>>> {
    let mut rest = deb.strip_prefix(MAGIC).context("no ar header")?;
    let mut members = Vec::new();
    while let Some((head, body)) = rest.split_at_checked(HEAD) {
        let name = std::str::from_utf8(&head[..16])?.trim_end().trim_end_matches('/');
        let size: usize = std::str::from_utf8(&head[48..58])?.trim_end().parse()?;
        ensure!(size <= body.len(), "`{name}` is truncated");
        members.push(Member { name, head, bytes: &body[..size] });
        rest = body.get(size + size % 2..).unwrap_or_default();
    }
    Ok(members)
}

/// Returns `md5sum` lines for every file of a data archive.
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

/// Returns the control archive with new checksums and changed fields. New files get the date and owner of the
/// first one.
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

/// Returns a control file with a field replaced.
fn replaced(control: &[u8], field: &str, value: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(control.len());
    for line in control.split_inclusive(|byte| *byte == b'\n') {
        // cargo-deb writes this field even when it is empty.
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
