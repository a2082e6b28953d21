//! Writes a .deb. cargo-deb writes the control archive; it gets no installed files, because it would keep all of them
//! in memory. This module adds the files and their metadata: sizes, checksums, and the list of configuration files.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use cargo_deb::compress::{CompressConfig, Format};
use cargo_deb::config::BuildOptions;
use cargo_deb::listener::NoOpListener;
use cargo_deb::{CargoDeb, OutputPath};
use debian::deb;
use lzma_rust2::{XzOptions, XzWriterMt};
use tar::{EntryType, Header};
use workspace::target::Target;

use crate::effort::Effort;
use crate::entry::{Entry, Kind};
use crate::stage::Stage;

const XZ_PRESET: u32 = 6;
const XZ_QUICK_PRESET: u32 = 0;
/// Half of what the preset has: packages become 2 % larger, and each thread needs half the memory.
const XZ_DICTIONARY: u32 = 4 << 20;
/// Half of the length in the preset: packages become 0.5 % larger, and compressing them takes a third less time.
const XZ_NICE_LENGTH: u32 = 32;
/// Size of a part that one thread compresses. It decides the bytes, which therefore do not depend on the number of
/// processors.
const XZ_BLOCK: u64 = 16 << 20;
/// Longest path that fits into the header of a tar entry.
const TAR_NAME: usize = 100;

/// Writes a package to `out`. `stage` has the maintainer scripts and the manifest for cargo-deb.
pub(crate) fn write(
    stage: &Stage,
    target: Target,
    entries: &[Entry],
    epoch: u64,
    effort: Effort,
    out: &Path,
) -> Result<()> {
    let skeleton = run_cargo_deb(stage, target)?;
    let (sums, configuration) = (list_sums(entries), list_configuration(entries));
    let size = count_kibibytes(entries).to_string();
    let mut files = vec![("md5sums", sums.as_bytes())];
    if !configuration.is_empty() {
        files.push(("conffiles", configuration.as_bytes()));
    }
    let head =
        deb::with_control(&skeleton, &[("Architecture: ", target.deb), ("Installed-Size: ", &size)], &files)
            .context("cargo-deb wrote an unreadable package")?;
    let members = deb::members(&head)?;
    let data = members.iter().find(|m| m.name.starts_with("data.tar")).context("cargo-deb wrote no data")?;
    let before = head.len() - data.bytes.len().next_multiple_of(2);

    let mut file = File::create(out).with_context(|| format!("`{}`: cannot be written", out.display()))?;
    file.write_all(&head[..before])?;
    write_data(entries, epoch, effort, &mut file).with_context(|| format!("`{}`", out.display()))?;
    let size = file.stream_position()? - before as u64;
    if size % 2 == 1 {
        file.write_all(b"\n")?;
    }
    let member = data.rename("data.tar.xz", size);
    file.seek(SeekFrom::Start((before - member.len()) as u64))?;
    Ok(file.write_all(&member)?)
}

/// Returns a package with the control archive of a product, and without its files.
fn run_cargo_deb(stage: &Stage, target: Target) -> Result<Vec<u8>> {
    let path = stage.dir.with_extension("deb");
    let manifest = stage.dir.join("Cargo.toml");
    let cargo_deb = CargoDeb {
        no_build: true,
        deb_output: Some(OutputPath { path: &path, is_dir: false }),
        compress_config: CompressConfig {
            fast: true,
            // Both archives are a few kilobytes, and are unpacked again.
            compress_type: Format::Gzip,
            compress_system: false,
            rsyncable: false,
        },
        options: BuildOptions {
            manifest_path: Some(&manifest),
            rust_target_triples: vec![target.triple],
            ..BuildOptions::default()
        },
        ..CargoDeb::default()
    };
    cargo_deb.process(&NoOpListener).map_err(|error| anyhow!("cargo-deb: {error}"))?;
    let bytes = fs::read(&path).with_context(|| format!("`{}`", path.display()))?;
    fs::remove_file(&path)?;
    Ok(bytes)
}

/// Writes the installed files as a compressed tar archive, with every directory before its content.
fn write_data(entries: &[Entry], epoch: u64, effort: Effort, file: &mut File) -> io::Result<()> {
    let mut options = XzOptions::with_preset(effort.compression.pick(XZ_PRESET, XZ_QUICK_PRESET));
    options.lzma_options.dict_size = XZ_DICTIONARY;
    options.lzma_options.nice_len = XZ_NICE_LENGTH;
    options.set_block_size(NonZeroU64::new(XZ_BLOCK));
    let writer = XzWriterMt::new(BufWriter::new(file), options, effort.threads)?;
    let mut tar = tar::Builder::new(writer);
    append(&mut tar, "", &header(EntryType::Directory, 0o755, 0, epoch), io::empty())?;
    let explicit: BTreeSet<&str> =
        entries.iter().filter(|e| matches!(e.kind, Kind::Directory(_))).map(|e| e.path.as_str()).collect();
    let mut there = BTreeSet::new();
    for entry in entries {
        for parent in entry.parents() {
            if there.insert(parent) && !explicit.contains(parent) {
                append(&mut tar, parent, &header(EntryType::Directory, 0o755, 0, epoch), io::empty())?;
            }
        }
        match &entry.kind {
            Kind::File { content, mode, size, .. } => {
                let header = header(EntryType::Regular, *mode, *size, epoch);
                append(&mut tar, &entry.path, &header, content.open(*size)?)?;
            }
            Kind::Link(target) => {
                let mut header = header(EntryType::Symlink, 0o777, 0, epoch);
                if target.len() > TAR_NAME {
                    append_long(&mut tar, b'K', target)?;
                }
                let field = &mut header.as_old_mut().linkname;
                let short = &target.as_bytes()[..target.len().min(TAR_NAME)];
                field[..short.len()].copy_from_slice(short);
                append(&mut tar, &entry.path, &header, io::empty())?;
            }
            Kind::Directory(mode) => {
                append(&mut tar, &entry.path, &header(EntryType::Directory, *mode, 0, epoch), io::empty())?;
            }
        }
    }
    tar.into_inner()?.finish()?.flush()
}

fn header(kind: EntryType, mode: u32, size: u64, epoch: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(epoch);
    header.set_uid(0);
    header.set_gid(0);
    for set in [Header::set_username, Header::set_groupname] {
        set(&mut header, "root").expect("a short name");
    }
    header
}

/// Appends an entry. Its name begins with `./`, as dpkg-deb writes it.
fn append(
    tar: &mut tar::Builder<impl Write>,
    path: &str,
    header: &Header,
    content: impl Read,
) -> io::Result<()> {
    let slash = if header.entry_type() == EntryType::Directory { "/" } else { "" };
    let name = format!(".{path}{slash}");
    if name.len() > TAR_NAME {
        append_long(tar, b'L', &name)?;
    }
    let mut header = header.clone();
    let short = &name.as_bytes()[..name.len().min(TAR_NAME)];
    header.as_old_mut().name[..short.len()].copy_from_slice(short);
    header.set_cksum();
    tar.append(&header, content)
}

/// Appends the long name (`L`) or link target (`K`) of the next entry, as GNU tar does.
fn append_long(tar: &mut tar::Builder<impl Write>, kind: u8, text: &str) -> io::Result<()> {
    let content = [text.as_bytes(), &[0]].concat();
    let mut header = header(EntryType::new(kind), 0o644, content.len() as u64, 0);
    let name = b"././@LongLink";
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_cksum();
    tar.append(&header, content.as_slice())
}

fn list_sums(entries: &[Entry]) -> String {
    let line = |entry: &Entry| match &entry.kind {
        Kind::File { md5, .. } => Some(format!("{md5}  {}\n", entry.path.trim_start_matches('/'))),
        _ => None,
    };
    entries.iter().filter_map(line).collect()
}

fn list_configuration(entries: &[Entry]) -> String {
    entries.iter().filter(|e| e.is_configuration()).map(|e| format!("{}\n", e.path)).collect()
}

/// Returns the size of the installed package in KiB, as dpkg-gencontrol counts: every file in whole KiB, and one for
/// everything else.
fn count_kibibytes(entries: &[Entry]) -> u64 {
    let mut directories = BTreeSet::new();
    let mut size = 0;
    for entry in entries {
        directories.extend(entry.parents());
        match &entry.kind {
            Kind::File { size: bytes, .. } => size += bytes.div_ceil(1024),
            Kind::Link(_) => size += 1,
            Kind::Directory(_) => {
                directories.insert(&entry.path);
            }
        }
    }
    size + directories.len() as u64
}
