//! Reads .deb files, and rewrites their control archive.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail, ensure};
use common::unpack;
use lzma_rust2::{XzOptions, XzWriter};

const MAGIC: &[u8] = b"!<arch>\n";
const HEAD: usize = 60;

/// Returns the package with these fields of the control file replaced (`"Version: "`), and with these files in its
/// control archive, which replace files of the same name.
pub fn with_control(deb: &[u8], fields: &[(&str, &str)], files: &[(&str, &[u8])]) -> Result<Vec<u8>> {
    let mut out = MAGIC.to_vec();
    for member in members(deb)? {
        match member.name.starts_with("control.tar") {
            true => {
                let tar = rewrite(&unpack_control(&member)?, fields, files)?;
                let packed = xz(&tar)?;
                out.extend(member.rename("control.tar.xz", packed.len() as u64));
                append(&mut out, &packed);
            }
            false => {
                out.extend_from_slice(member.head);
                append(&mut out, member.bytes);
            }
        }
    }
    Ok(out)
}

/// Members begin at even offsets.
fn append(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
    if bytes.len() % 2 == 1 {
        out.push(b'\n');
    }
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
    let tar = unpack_control(archive)?;
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
#[derive(Debug)]
pub struct Member<'a> {
    /// Name of the member.
    pub name: &'a str,
    head: &'a [u8],
    /// Content of the member.
    pub bytes: &'a [u8],
}

impl Member<'_> {
    /// Returns the header of a member with another name and size, and with the date and owner of this one.
    pub fn rename(&self, name: &str, size: u64) -> Vec<u8> {
        [format!("{name:<16}").as_bytes(), &self.head[16..48], format!("{size:<10}`\n").as_bytes()].concat()
    }
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

fn unpack_control(member: &Member<'_>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    match member.name {
        "control.tar.xz" => unpack::xz(member.bytes, unpack::CONTROL).read_to_end(&mut out)?,
        "control.tar.gz" => unpack::gzip(member.bytes, unpack::CONTROL).read_to_end(&mut out)?,
        "control.tar" => member.bytes.take(unpack::CONTROL).read_to_end(&mut out)?,
        other => bail!("unsupported compression of its `{other}`: use xz or gzip"),
    };
    Ok(out)
}

/// Returns the control archive with changed fields and new files, which get the date and owner of the first one.
fn rewrite(tar: &[u8], fields: &[(&str, &str)], files: &[(&str, &[u8])]) -> Result<Vec<u8>> {
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
        let is = |file: &str| path.file_name().is_some_and(|name| name == file);
        if files.iter().any(|(name, _)| is(name)) {
            continue;
        }
        if is("control") {
            for (field, value) in fields {
                content = replaced(&content, field, value);
            }
            header.set_size(content.len() as u64);
            header.set_cksum();
        }
        builder.append(&header, content.as_slice())?;
    }
    let mut header = model.context("the control archive is empty")?;
    for (name, content) in files {
        header.set_path(format!("./{name}"))?;
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, *content)?;
    }
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

fn xz(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(6))?;
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}
