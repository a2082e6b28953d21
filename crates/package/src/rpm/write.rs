//! Writes an .rpm. The library below cargo-generate-rpm writes the header; it gets no file contents, because it would
//! keep all of them in memory. This module adds sizes and checksums to the header, and then the contents themselves.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use catalog::model::Product;
use common::checksum::hex;
use rpm::{BuildConfig, CompressionType, Dependency, FileOptions, PackageBuilder, Scriptlet};
use sha2::{Digest, Sha256};
use workspace::target::Target;
use zstd::stream::write::Encoder;
use zstd::zstd_safe::CParameter;

use super::{
    Entry as Tag, INT32, PROVIDES, REASONS, REQUIRES, Rpm, STRING, STRINGS, Size, remove_relations,
    texts_entry,
};
use crate::effort::Effort;
use crate::entry::{Content, Entry, Kind};
use crate::manifest;
use crate::payload::Needs;
use crate::tree::Tree;

const SIZE: u32 = 1009;
const FILE_SIZES: u32 = 1028;
const FILE_DIGESTS: u32 = 1035;
const DIRECTORY_OF_FILE: u32 = 1116;
const FILE_NAMES: u32 = 1117;
const DIRECTORIES: u32 = 1118;
const COMPRESSOR: u32 = 1125;
const COMPRESSION_LEVEL: u32 = 1126;
const PAYLOAD_SHA256: u32 = 5092;
const UNPACKED_SHA256: u32 = 5097;

/// One less than Fedora's own packages have, which needs twice the memory for packages that are 1 % smaller.
const ZSTD_LEVEL: i32 = 18;
const ZSTD_QUICK_LEVEL: i32 = 3;
/// Size of a part that one thread compresses. It decides the bytes, and the memory that they take.
const ZSTD_JOB: u32 = 8 << 20;
const REGULAR: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const SYMLINK: u32 = 0o120_000;

/// The metadata of a package.
#[derive(Debug)]
pub(crate) struct Described<'a> {
    /// The product.
    pub product: &'a Product,
    /// The scripts.
    pub scripts: &'a Tree,
    /// Packages that it needs because of its payloads.
    pub needs: &'a Needs,
    /// The processor.
    pub target: Target,
    /// The time of everything in it.
    pub epoch: u64,
}

/// Writes a package to `out`.
pub(crate) fn write(described: &Described<'_>, entries: &[Entry], effort: Effort, out: &Path) -> Result<()> {
    let epoch = described.epoch;
    let mut skeleton = Vec::new();
    build(described, entries)?.build()?.write(&mut skeleton)?;
    let context = "the rpm library wrote an unreadable package";
    let mut rpm = Rpm::parse(&skeleton).context(context)?;
    rpm.main.retain(|entry| !REASONS.contains(&entry.tag));
    // From these, sysusers.sh of rpm 4.20 creates the members of `m` lines before their `u` lines apply, with the wrong
    // group and home. systemd-sysusers applies all lines later.
    remove_relations(&mut rpm.main, PROVIDES, |name| name.starts_with("groupmember(")).context(context)?;
    // Distributions before rpm 4.19, such as RHEL 9, provide no groups or users, and sysusers.d creates ours.
    remove_relations(&mut rpm.main, REQUIRES, |name| name.starts_with("group(") || name.starts_with("user("))
        .context(context)?;
    let files = in_order(&rpm, entries).context(context)?;
    describe_contents(&mut rpm, &files, effort)?;

    // The head has the payload's checksums, which change no length.
    let head = rpm.write_head(Size { packed: 0, unpacked: 0 });
    let mut file = File::create(out).with_context(|| format!("`{}`: cannot be written", out.display()))?;
    file.seek(SeekFrom::Start(head.len() as u64))?;
    let (size, packed_sha256, unpacked_sha256) =
        write_payload(&files, epoch, effort, &mut file).with_context(|| format!("`{}`", out.display()))?;
    rpm.set(texts_entry(PAYLOAD_SHA256, STRINGS, &[packed_sha256]));
    rpm.set(texts_entry(UNPACKED_SHA256, STRINGS, &[unpacked_sha256]));
    let finished = rpm.write_head(size);
    if finished.len() != head.len() {
        bail!("{context}: its header changed its length");
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(file.write_all(&finished)?)
}

/// Describes the package to the library, without contents of files.
fn build(described: &Described<'_>, entries: &[Entry]) -> Result<PackageBuilder> {
    let Described { product, scripts, needs, target, epoch } = *described;
    let version = product.release().package_version();
    let seconds = |epoch: u64| u32::try_from(epoch).unwrap_or(u32::MAX);
    let mut builder =
        PackageBuilder::new(&product.package, &version, &product.license, target.rpm, &product.summary);
    builder
        .using_config(
            BuildConfig::v4()
                .compression(CompressionType::None)
                .source_date(seconds(epoch))
                .reserved_space(None),
        )
        .release("1")
        .url(&product.homepage)
        .description(wrap_paragraphs(&product.description))
        .vendor(product.maintainer.split(" <").next().unwrap_or_default())
        .packager(&product.maintainer)
        .group("System Environment/Daemons")
        // The build host's real name would make the bytes differ between machines.
        .build_host("reproducible")
        .requires(Dependency::rpmlib("PayloadIsZstd", "5.4.18-1"));
    for release in &product.releases {
        let changes: Vec<String> = release.changes.iter().map(|change| format!("- {change}")).collect();
        let name = format!("{} - {}-1", product.maintainer, release.package_version());
        builder.add_changelog_entry(name, changes.join("\n"), seconds(release.epoch + 43_200));
    }
    for relation in manifest::rpm_requires(product).iter().chain(&needs.rpm) {
        builder.requires(dependency(relation)?);
    }
    for (script, add) in [
        ("rpm/pre", PackageBuilder::pre_install_script as fn(&mut PackageBuilder, Scriptlet) -> &mut _),
        ("rpm/post", PackageBuilder::post_install_script),
        ("rpm/preun", PackageBuilder::pre_uninstall_script),
        ("rpm/postun", PackageBuilder::post_uninstall_script),
    ] {
        if let Some(file) = scripts.0.get(script) {
            let script = String::from_utf8_lossy(&file.bytes).into_owned();
            add(&mut builder, Scriptlet::new(script));
        }
    }
    for entry in entries {
        add_entry(&mut builder, entry)?;
    }
    Ok(builder)
}

fn add_entry(builder: &mut PackageBuilder, entry: &Entry) -> Result<()> {
    let path = entry.path.as_str();
    match &entry.kind {
        Kind::File { content, mode, .. } => {
            let mut options = FileOptions::new(path).permissions(*mode as u16);
            if entry.is_configuration() {
                options = options.config().noreplace();
            }
            if path.starts_with("/usr/share/man/") {
                options = options.doc();
            }
            // The library reads accounts from these files.
            let bytes = match content {
                Content::Bytes(bytes) if path.starts_with("/usr/lib/sysusers.d/") => bytes.clone(),
                _ => Vec::new(),
            };
            builder.with_file_contents(bytes, options)?
        }
        Kind::Link(target) => builder.with_symlink(FileOptions::symlink(path, target))?,
        Kind::Directory(mode) => builder.with_dir_entry(FileOptions::dir(path).permissions(*mode as u16))?,
    };
    Ok(())
}

/// Parses a relation such as `systemd >= 250`.
fn dependency(relation: &str) -> Result<Dependency> {
    let words: Vec<&str> = relation.split_whitespace().collect();
    Ok(match *words {
        // A relation with `or` in parentheses is a name to rpm.
        _ if relation.starts_with('(') => Dependency::any(relation),
        [name] => Dependency::any(name),
        [name, "=", version] => Dependency::eq(name, version),
        [name, ">=", version] => Dependency::greater_eq(name, version),
        [name, "<=", version] => Dependency::less_eq(name, version),
        [name, ">", version] => Dependency::greater(name, version),
        [name, "<", version] => Dependency::less(name, version),
        _ => bail!("`{relation}`: not a relation of rpm: expected `NAME` or `NAME >= VERSION`"),
    })
}

/// Returns the entries in the order of the header, which is also the order of the payload.
fn in_order<'a>(rpm: &Rpm<'_>, entries: &'a [Entry]) -> Result<Vec<&'a Entry>> {
    let by_path: BTreeMap<&str, &Entry> = entries.iter().map(|e| (e.path.as_str(), e)).collect();
    let directories = rpm.texts(DIRECTORIES);
    let files = rpm.texts(FILE_NAMES).into_iter().zip(rpm.numbers(DIRECTORY_OF_FILE));
    files
        .map(|(name, directory)| {
            let path = format!("{}{name}", directories.get(directory as usize).map_or("", String::as_str));
            by_path.get(path.as_str()).copied().with_context(|| format!("`{path}`: unexpected file"))
        })
        .collect()
}

/// Completes the tags of the header that depend on contents.
fn describe_contents(rpm: &mut Rpm<'_>, files: &[&Entry], effort: Effort) -> Result<()> {
    let numbers = |tag, numbers: Vec<u32>| Tag {
        tag,
        kind: INT32,
        count: super::length(&numbers),
        bytes: numbers.iter().flat_map(|number| number.to_be_bytes()).collect(),
    };
    let sizes =
        files.iter().map(|entry| u32::try_from(stored_size(entry))).collect::<Result<Vec<u32>, _>>()?;
    let total = sizes.iter().map(|size| u64::from(*size)).sum::<u64>();
    let digests: Vec<String> = files
        .iter()
        .map(|entry| match &entry.kind {
            Kind::File { sha256, .. } => sha256.clone(),
            _ => String::new(),
        })
        .collect();
    rpm.set(numbers(FILE_SIZES, sizes));
    rpm.set(numbers(SIZE, vec![u32::try_from(total)?]));
    rpm.set(texts_entry(FILE_DIGESTS, STRINGS, &digests));
    rpm.set(texts_entry(COMPRESSOR, STRING, &["zstd".to_owned()]));
    rpm.set(texts_entry(
        COMPRESSION_LEVEL,
        STRING,
        &[effort.compression.pick(ZSTD_LEVEL, ZSTD_QUICK_LEVEL).to_string()],
    ));
    Ok(())
}

/// The payload has a link's target as its content.
fn stored_size(entry: &Entry) -> u64 {
    match &entry.kind {
        Kind::File { size, .. } => *size,
        Kind::Link(target) => target.len() as u64,
        Kind::Directory(_) => 0,
    }
}

/// Writes the compressed cpio archive. Returns its sizes, and the checksums of what is in the file and of the archive.
fn write_payload(
    files: &[&Entry],
    epoch: u64,
    effort: Effort,
    file: &mut File,
) -> io::Result<(Size, String, String)> {
    let level = effort.compression.pick(ZSTD_LEVEL, ZSTD_QUICK_LEVEL);
    let mut encoder = Encoder::new(Counted::new(BufWriter::new(file)), level)?;
    // Any number of threads gives the same bytes.
    encoder.multithread(effort.threads)?;
    encoder.set_parameter(CParameter::JobSize(ZSTD_JOB))?;
    let mut archive = Counted::new(encoder);
    for (i, entry) in files.iter().enumerate() {
        let size = stored_size(entry);
        let mode = match &entry.kind {
            Kind::File { mode, .. } => REGULAR | mode,
            Kind::Link(_) => SYMLINK | 0o777,
            Kind::Directory(mode) => DIRECTORY | mode,
        };
        write_member(&mut archive, &format!(".{}", entry.path), i as u64 + 1, mode, epoch, size)?;
        match &entry.kind {
            Kind::File { content, .. } => {
                io::copy(&mut content.open(size)?, &mut archive)?;
            }
            Kind::Link(target) => archive.write_all(target.as_bytes())?,
            Kind::Directory(_) => {}
        }
        archive.align()?;
    }
    write_member(&mut archive, "TRAILER!!!", 0, 0, 0, 0)?;
    let (encoder, unpacked, unpacked_sha256) = archive.finish();
    let (mut file, packed, packed_sha256) = encoder.finish()?.finish();
    file.flush()?;
    Ok((Size { packed, unpacked }, packed_sha256, unpacked_sha256))
}

/// Writes the header of a member in the format that `cpio -H newc` writes.
fn write_member(
    archive: &mut Counted<impl Write>,
    name: &str,
    inode: u64,
    mode: u32,
    time: u64,
    size: u64,
) -> io::Result<()> {
    let links = 1;
    let fields = [inode, mode.into(), 0, 0, links, time, size, 0, 0, 0, 0, name.len() as u64 + 1, 0]
        .map(|n| format!("{n:08x}"));
    write!(archive, "070701{}{name}\0", fields.concat())?;
    archive.align()
}

/// A writer that counts and hashes what passes through it.
struct Counted<W> {
    inner: W,
    count: u64,
    digest: Sha256,
}

impl<W: Write> Counted<W> {
    fn new(inner: W) -> Counted<W> {
        Counted { inner, count: 0, digest: Sha256::new() }
    }

    /// Names and contents in a cpio archive begin at multiples of four.
    fn align(&mut self) -> io::Result<()> {
        let padding = self.count.next_multiple_of(4) - self.count;
        self.write_all(&[0; 3][..padding as usize])
    }

    fn finish(self) -> (W, u64, String) {
        (self.inner, self.count, hex(&self.digest.finalize()))
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.count += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn wrap_paragraphs(paragraphs: &[String]) -> String {
    paragraphs.iter().map(|p| crate::render::wrap(p, 79).join("\n")).collect::<Vec<_>>().join("\n\n")
}
