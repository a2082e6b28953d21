//! Writes a folder as a reproducible tar: sorted, with numeric owners, and with no time after the plan's.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::buffer::spare_capacity;
use rustix::fs::{lgetxattr, llistxattr};
use tar::{Builder, EntryType, Header};
use walkdir::WalkDir;

/// Writes the whole folder.
pub(super) fn write(root: &Path, epoch: u64, out: impl Write) -> Result<()> {
    let mut builder = Builder::new(out);
    let mut seen: HashMap<(u64, u64), PathBuf> = HashMap::new();
    for entry in WalkDir::new(root).sort_by_file_name() {
        let entry = entry?;
        let path = entry.path();
        let inner = path.strip_prefix(root)?;
        let name = Path::new(".").join(inner);
        append(&mut builder, path, &name, epoch, &mut seen)
            .with_context(|| format!("`/{}`", inner.display()))?;
    }
    builder.into_inner()?.flush()?;
    Ok(())
}

fn append(
    builder: &mut Builder<impl Write>,
    path: &Path,
    name: &Path,
    epoch: u64,
    seen: &mut HashMap<(u64, u64), PathBuf>,
) -> Result<()> {
    let meta = fs::symlink_metadata(path)?;
    let kind = meta.file_type();
    let mut header = Header::new_gnu();
    header.set_mode(meta.mode() & 0o7777);
    header.set_uid(meta.uid().into());
    header.set_gid(meta.gid().into());
    header.set_mtime(u64::try_from(meta.mtime()).unwrap_or_default().min(epoch));
    header.set_size(0);
    if !kind.is_dir() && meta.nlink() > 1 {
        if let Some(first) = seen.get(&(meta.dev(), meta.ino())) {
            header.set_entry_type(EntryType::Link);
            return Ok(builder.append_link(&mut header, name, first)?);
        }
        seen.insert((meta.dev(), meta.ino()), name.to_owned());
    }
    if !kind.is_symlink() {
        let attributes = attributes(path)?;
        builder.append_pax_extensions(
            attributes.iter().map(|(name, value)| (name.as_str(), value.as_slice())),
        )?;
    }
    if kind.is_dir() {
        header.set_entry_type(EntryType::Directory);
        // tar writes folders with a trailing slash.
        builder.append_data(&mut header, name.join(""), std::io::empty())?;
    } else if kind.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        builder.append_link(&mut header, name, fs::read_link(path)?)?;
    } else if kind.is_file() {
        header.set_entry_type(EntryType::Regular);
        header.set_size(meta.len());
        builder.append_data(&mut header, name, File::open(path)?)?;
    } else if kind.is_fifo() {
        header.set_entry_type(EntryType::Fifo);
        builder.append_data(&mut header, name, std::io::empty())?;
    } else {
        bail!("unsupported file type");
    }
    Ok(())
}

/// Returns extended attributes under tar's names for them.
fn attributes(path: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut names = Vec::with_capacity(4096);
    llistxattr(path, spare_capacity(&mut names))?;
    let mut attributes = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = std::str::from_utf8(name)?;
        let mut value = Vec::with_capacity(65_536);
        lgetxattr(path, name, spare_capacity(&mut value))?;
        attributes.push((format!("SCHILY.xattr.{name}"), value));
    }
    attributes.sort();
    Ok(attributes)
}
