//! Unpacks a .deb: extracts its files into a folder and keeps its control files and the data for dpkg's
//! database.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use common::unpack;
use debian::deb::members;
use disk::tree::Extensions;
use tar::{Archive, Entry, EntryType};

use crate::pattern::Filter;

/// An unpacked package.
#[derive(Debug, Default)]
pub(super) struct Unpacked {
    pub(super) control: String,
    /// Other control files: scripts, triggers, checksums.
    pub(super) info: BTreeMap<String, Vec<u8>>,
    /// Paths in archive order, as dpkg lists them.
    pub(super) paths: Vec<String>,
    /// Folders in the package. The first package with a folder sets its owner and mode.
    pub(super) folders: Vec<(PathBuf, Folder)>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Folder {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Unpacks a package into a root file system.
pub(super) fn unpack(deb: &Path, root: &Path, filter: &Filter<'_>) -> Result<Unpacked> {
    let bytes = fs::read(deb).with_context(|| format!("`{}`", deb.display()))?;
    let mut unpacked = Unpacked::default();
    for member in members(&bytes)? {
        if member.name.starts_with("control.tar") {
            control(open(member.name, member.bytes, unpack::CONTROL)?, &mut unpacked)?;
        } else if member.name.starts_with("data.tar") {
            let mut archive = Archive::new(open(member.name, member.bytes, unpack::FILES)?);
            let mut about = Extensions::default();
            for entry in archive.entries()?.raw(true) {
                let mut entry = entry?;
                if !about.take(&mut entry)? {
                    file(&mut entry, &std::mem::take(&mut about), root, filter, &mut unpacked)?;
                }
            }
        }
    }
    ensure!(!unpacked.control.is_empty(), "no control file in it");
    Ok(unpacked)
}

fn open<'a>(name: &str, bytes: &'a [u8], most: u64) -> Result<Box<dyn Read + 'a>> {
    Ok(match name.rsplit('.').next() {
        Some("xz") => Box::new(unpack::xz(bytes, most)),
        Some("gz") => Box::new(unpack::gzip(bytes, most)),
        Some("tar") => Box::new(bytes),
        _ => bail!("unsupported compression of its `{name}`"),
    })
}

fn control(tar: impl Read, unpacked: &mut Unpacked) -> Result<()> {
    for entry in Archive::new(tar).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.file_name().map(|name| name.to_string_lossy().into_owned());
        let (Some(name), true) = (name, entry.header().entry_type().is_file()) else { continue };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        if name == "control" {
            unpacked.control = String::from_utf8(bytes).context("its control file is not UTF-8")?;
        } else {
            unpacked.info.insert(name, bytes);
        }
    }
    Ok(())
}

fn file<R: Read>(
    entry: &mut Entry<'_, R>,
    about: &Extensions,
    root: &Path,
    filter: &Filter<'_>,
    unpacked: &mut Unpacked,
) -> Result<()> {
    let header = entry.header().clone();
    about.size(entry)?;
    let inner = inner(Path::new(&about.path(&header)?))?;
    let path = root.join(&inner);
    let name = if inner.as_os_str().is_empty() { "/.".to_owned() } else { format!("/{}", inner.display()) };
    let (mode, uid, gid) = (header.mode()? & 0o7777, id(header.uid()?)?, id(header.gid()?)?);
    let folder_or_link = matches!(header.entry_type(), EntryType::Directory | EntryType::Symlink);
    if filter.skips(&name, folder_or_link) {
        // dpkg lists excluded paths as well.
        unpacked.paths.push(name);
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| parent.starts_with(root)) {
        fs::create_dir_all(parent)?;
    }
    let result = match header.entry_type() {
        EntryType::Directory => {
            let result = fs::create_dir_all(&path);
            unpacked.folders.push((inner, Folder { mode, uid, gid }));
            result
        }
        EntryType::Regular | EntryType::Continuous => regular(entry, &path, mode, uid, gid),
        EntryType::Symlink => {
            let target = about.target(&header)?;
            ensure!(!target.is_empty(), "`{name}`: symbolic link without a target");
            // A root starts with the links for merged /usr, which a package may also contain.
            match fs::read_link(&path) {
                Ok(there) if there == Path::new(&target) => Ok(()),
                _ => symlink(&target, &path).and_then(|()| lchown(&path, Some(uid), Some(gid))),
            }
        }
        EntryType::Link => {
            let target = about.target(&header)?;
            ensure!(!target.is_empty(), "`{name}`: hard link without a target");
            fs::hard_link(root.join(self::inner(Path::new(&target))?), &path)
        }
        other => bail!("`{name}`: unsupported file type {other:?}"),
    };
    result.with_context(|| format!("cannot write `{name}`"))?;
    unpacked.paths.push(name);
    Ok(())
}

fn regular<R: Read>(entry: &mut Entry<'_, R>, path: &Path, mode: u32, uid: u32, gid: u32) -> io::Result<()> {
    // Does not overwrite: if two packages had the same file, the result would depend on their order.
    let mut file = File::create_new(path)?;
    io::copy(entry, &mut file)?;
    // In this order, because a change of owner clears set-uid.
    chown(path, Some(uid), Some(gid))?;
    file.set_permissions(Permissions::from_mode(mode))?;
    let modified = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(entry.header().mtime()?));
    file.set_modified(modified.ok_or(io::ErrorKind::InvalidData)?)
}

/// Returns a relative path; an error if it leads out of the root.
fn inner(path: &Path) -> Result<PathBuf> {
    let mut inner = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => inner.push(name),
            Component::CurDir | Component::RootDir => {}
            _ => bail!("`{}`: leads out of the root file system", path.display()),
        }
    }
    Ok(inner)
}

fn id(number: u64) -> Result<u32> {
    u32::try_from(number).context("the owner's ID is too large")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use std::io::{Cursor, Read};
    use std::path::PathBuf;

    use lzma_rust2::{XzOptions, XzWriter};

    use super::{Filter, Unpacked};

    /// Unpacks a package into a temporary folder.
    fn unpack(name: &str, deb: &[u8]) -> anyhow::Result<Unpacked> {
        struct Folder(PathBuf);
        impl Drop for Folder {
            fn drop(&mut self) {
                let _ = fs::remove_dir_all(&self.0);
            }
        }
        let folder = Folder(std::env::temp_dir().join(format!("deb-{name}-{}", std::process::id())));
        fs::create_dir_all(folder.0.join("root")).expect("a folder");
        fs::write(folder.0.join("a.deb"), deb).expect("a package");
        super::unpack(&folder.0.join("a.deb"), &folder.0.join("root"), &Filter { leave_out: &[], keep: &[] })
    }

    /// Builds a package whose archives contain the given file.
    fn package(control: &[u8], data: &[u8]) -> Vec<u8> {
        package_of(control, "data.tar", data)
    }

    fn package_of(control: &[u8], name: &str, bytes: &[u8]) -> Vec<u8> {
        let mut deb = b"!<arch>\n".to_vec();
        for (name, bytes) in [("debian-binary", &b"2.0\n"[..]), ("control.tar", control), (name, bytes)] {
            deb.extend(
                format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, bytes.len()).bytes(),
            );
            deb.extend(bytes);
            deb.resize(deb.len().next_multiple_of(2), b'\n');
        }
        deb
    }

    fn archive(name: &str, change: impl FnOnce(&mut tar::Header)) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).expect("a path");
        header.set_size(4);
        header.set_mode(0o644);
        header.set_uid(rustix::process::geteuid().as_raw().into());
        header.set_gid(rustix::process::getegid().as_raw().into());
        change(&mut header);
        header.set_cksum();
        let mut archive = tar::Builder::new(Vec::new());
        archive.append(&header, &b"text"[..]).expect("an archive");
        archive.into_inner().expect("an archive")
    }

    #[test]
    fn a_time_that_no_clock_has_is_an_error() {
        let deb = package(&archive("control", |_| ()), &archive("file", |header| header.set_mtime(u64::MAX)));
        let error = unpack("time", &deb).expect_err("a time");
        assert_eq!(format!("{error:#}"), "cannot write `/file`: invalid data");
    }

    /// Half a megabyte of compressed zeros unpacks to a 3 GB name and to 3 GB scripts.
    #[test]
    fn a_name_and_a_script_are_read_up_to_a_bound() {
        let long = archive("././@LongLink", |header| {
            header.set_entry_type(tar::EntryType::GNULongName);
            header.set_size(3 << 30);
        });
        let data = package_of(&archive("control", |_| ()), "data.tar.xz", &packed(&long[..512], 2 << 20));
        let error = unpack("name", &data).expect_err("a name");
        assert_eq!(format!("{error:#}"), "extension header longer than 1048576 bytes");
        let large = archive("control", |header| header.set_size(3 << 30));
        let deb = package_of(b"", "control.tar.xz", &packed(&large[..512], 80 << 20));
        let error = unpack("script", &deb).expect_err("a script");
        assert_eq!(format!("{error:#}"), "unpacks to more than the limit of 67108864 bytes");
    }

    /// Compresses the start, followed by zeros.
    fn packed(start: &[u8], zeros: u64) -> Vec<u8> {
        let mut packer = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).expect("xz");
        std::io::copy(&mut Cursor::new(start).chain(std::io::repeat(0).take(zeros)), &mut packer)
            .expect("xz");
        packer.finish().expect("xz")
    }
}
