//! One .deb, unpacked: its files into a folder, its control files and what dpkg's database says of it kept.

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

/// What a package was, and where its files went.
#[derive(Debug, Default)]
pub(super) struct Unpacked {
    /// Its control file.
    pub(super) control: String,
    /// Its other control files: scripts, triggers, checksums.
    pub(super) info: BTreeMap<String, Vec<u8>>,
    /// Paths in the order of the archive, as dpkg lists them.
    pub(super) paths: Vec<String>,
    /// Its folders: the first package that has one says what it is like.
    pub(super) folders: Vec<(PathBuf, Folder)>,
}

/// What a folder is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folder {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Unpacks a package into a root.
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
    ensure!(!unpacked.control.is_empty(), "it has no control file");
    Ok(unpacked)
}

fn open<'a>(name: &str, bytes: &'a [u8], most: u64) -> Result<Box<dyn Read + 'a>> {
    Ok(match name.rsplit('.').next() {
        Some("xz") => Box::new(unpack::xz(bytes, most)),
        Some("gz") => Box::new(unpack::gzip(bytes, most)),
        Some("tar") => Box::new(bytes),
        _ => bail!("its `{name}` is packed in a way that is not read here"),
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
    let shown = if inner.as_os_str().is_empty() { "/.".to_owned() } else { format!("/{}", inner.display()) };
    let (mode, uid, gid) = (header.mode()? & 0o7777, id(header.uid()?)?, id(header.gid()?)?);
    let folder_or_link = matches!(header.entry_type(), EntryType::Directory | EntryType::Symlink);
    if filter.skips(&shown, folder_or_link) {
        // In dpkg's list all the same: it knows what it would have unpacked.
        unpacked.paths.push(shown);
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| parent.starts_with(root)) {
        fs::create_dir_all(parent)?;
    }
    let made = match header.entry_type() {
        EntryType::Directory => {
            let made = fs::create_dir_all(&path);
            unpacked.folders.push((inner, Folder { mode, uid, gid }));
            made
        }
        EntryType::Regular | EntryType::Continuous => regular(entry, &path, mode, uid, gid),
        EntryType::Symlink => {
            let target = about.target(&header)?;
            ensure!(!target.is_empty(), "`{shown}`: a symbolic link without a target");
            // A root begins with those that join `/bin` and `/usr/bin`, and a package has them too.
            match fs::read_link(&path) {
                Ok(there) if there == Path::new(&target) => Ok(()),
                _ => symlink(&target, &path).and_then(|()| lchown(&path, Some(uid), Some(gid))),
            }
        }
        EntryType::Link => {
            let target = about.target(&header)?;
            ensure!(!target.is_empty(), "`{shown}`: a hard link without a target");
            fs::hard_link(root.join(self::inner(Path::new(&target))?), &path)
        }
        other => bail!("`{shown}`: is a {other:?}, which is not unpacked here"),
    };
    made.with_context(|| format!("`{shown}`: cannot be written"))?;
    unpacked.paths.push(shown);
    Ok(())
}

fn regular<R: Read>(entry: &mut Entry<'_, R>, path: &Path, mode: u32, uid: u32, gid: u32) -> io::Result<()> {
    // Not over what is there: two packages with one file would depend on who is first.
    let mut file = File::create_new(path)?;
    io::copy(entry, &mut file)?;
    // In this order: a change of owner takes set-uid away.
    chown(path, Some(uid), Some(gid))?;
    file.set_permissions(Permissions::from_mode(mode))?;
    let modified = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(entry.header().mtime()?));
    file.set_modified(modified.ok_or(io::ErrorKind::InvalidData)?)
}

/// A path below the root, which leads nowhere else.
fn inner(path: &Path) -> Result<PathBuf> {
    let mut inner = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => inner.push(name),
            Component::CurDir | Component::RootDir => {}
            _ => bail!("`{}`: leads out of the root", path.display()),
        }
    }
    Ok(inner)
}

fn id(number: u64) -> Result<u32> {
    u32::try_from(number).context("an owner's number is too large")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use std::io::{Cursor, Read};
    use std::path::PathBuf;

    use lzma_rust2::{XzOptions, XzWriter};

    use super::{Filter, Unpacked};

    /// What a package that is unpacked nowhere near the system leads to.
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

    /// A package whose files are archives of the one file that is given.
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
        assert_eq!(format!("{error:#}"), "`/file`: cannot be written: invalid data");
    }

    /// A name of 3 GB, and scripts of 3 GB, are half a megabyte of zeros that were packed.
    #[test]
    fn a_name_and_a_script_are_read_up_to_a_bound() {
        let long = archive("././@LongLink", |header| {
            header.set_entry_type(tar::EntryType::GNULongName);
            header.set_size(3 << 30);
        });
        let data = package_of(&archive("control", |_| ()), "data.tar.xz", &packed(&long[..512], 2 << 20));
        let error = unpack("name", &data).expect_err("a name");
        assert_eq!(format!("{error:#}"), "an extension is longer than 1048576 bytes");
        let large = archive("control", |header| header.set_size(3 << 30));
        let deb = package_of(b"", "control.tar.xz", &packed(&large[..512], 80 << 20));
        let error = unpack("script", &deb).expect_err("a script");
        assert_eq!(format!("{error:#}"), "unpacks to more than the limit of 67108864 bytes");
    }

    /// That, and then zeros.
    fn packed(start: &[u8], zeros: u64) -> Vec<u8> {
        let mut packer = XzWriter::new(Vec::new(), XzOptions::with_preset(0)).expect("xz");
        std::io::copy(&mut Cursor::new(start).chain(std::io::repeat(0).take(zeros)), &mut packer)
            .expect("xz");
        packer.finish().expect("xz")
    }
}
