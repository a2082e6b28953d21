//! A .deb's last touch: takes what cargo-deb made, adds the `md5sums` of its files, by which `dpkg --verify` and
//! `debsums` find a damaged card. cargo-deb left them out in 3.0.

use std::io::{Cursor, Read, Write};

use anyhow::{Context, Result, ensure};
use lzma_rust2::{XzOptions, XzReader, XzWriter};
use md5::{Digest, Md5};

const MAGIC: &[u8] = b"!<arch>\n";
const HEAD: usize = 60;

/// The same package with `md5sums` in its control archive.
pub fn with_md5sums(deb: &[u8]) -> Result<Vec<u8>> {
    let members = members(deb).context("cargo-deb made no ar archive")?;
    let find = |name: &str| {
        members.iter().find(|m| m.name == name).with_context(|| format!("cargo-deb made no {name}"))
    };
    let sums = sums(&unxz(find("data.tar.xz")?.bytes)?)?;
    let control = xz(&with_file(&unxz(find("control.tar.xz")?.bytes)?, "md5sums", sums.as_bytes())?)?;
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

struct Member<'a> {
    name: &'a str,
    head: &'a [u8],
    bytes: &'a [u8],
}

fn members(deb: &[u8]) -> Result<Vec<Member<'_>>> {
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
            let sum: String = Md5::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
            sums.push_str(&format!("{sum}  {path}\n"));
        }
    }
    Ok(sums)
}

/// An archive with one more file, dated and owned like its first one.
fn with_file(tar: &[u8], name: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut model = None;
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        let header = entry.header().clone();
        if header.entry_type().is_file() {
            model.get_or_insert(header.clone());
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        builder.append(&header, content.as_slice())?;
    }
    let mut header = model.context("the control archive is empty")?;
    header.set_path(format!("./{name}"))?;
    header.set_mode(0o644);
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    builder.append(&header, bytes)?;
    Ok(builder.into_inner()?)
}

fn unxz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    XzReader::new(Cursor::new(bytes), true).read_to_end(&mut out)?;
    Ok(out)
}

fn xz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(6))?;
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}
