//! Opens the base image: unpacks it once per content and finds its partitions.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use disk::ext4::{self, Ext4};
use disk::layout::Draft;
use disk::{mbr, pack};

use crate::cache;

/// Magic numbers of compressed files.
const PACKED: [&[u8]; 3] = [b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x1f\x8b"];
const ZIP: &[u8] = b"PK\x03\x04";
/// Marks the root partition of a Debian system.
const STATUS: &str = "var/lib/dpkg/status";

/// An image opened for reading.
#[derive(Debug)]
pub struct Base {
    /// The uncompressed image.
    pub file: Arc<File>,
    /// Size in bytes.
    pub size: u64,
    /// The partition table.
    pub table: mbr::Table,
    /// The root partition.
    pub root: mbr::Partition,
}

impl Base {
    /// Opens an image, compressed or not.
    pub fn open(image: &Path) -> Result<Base> {
        let path_text = image.display();
        let meta = fs::metadata(image).with_context(|| format!("cannot read `{path_text}`"))?;
        ensure!(
            meta.is_file(),
            "`{path_text}`: not a regular file: name an .img, .img.xz, .img.zst or .img.gz"
        );
        let path = raw(image)?;
        let file = Arc::new(File::open(&path).with_context(|| format!("cannot read `{}`", path.display()))?);
        let size = file.metadata()?.len();
        Base::read(file, size).with_context(|| format!("`{path_text}`"))
    }

    fn read(file: Arc<File>, size: u64) -> Result<Base> {
        let table = mbr::read(&file)?;
        for partition in &table.partitions {
            ensure!(
                partition.end() <= size,
                "truncated: partition {} ends at byte {}, the file at {size}: download it again",
                partition.number,
                partition.end()
            );
        }
        let linux: Vec<&mbr::Partition> =
            table.partitions.iter().filter(|partition| ext4::is_there(&file, partition.at)).collect();
        let root = match linux.as_slice() {
            [] => bail!(
                "none of its {} partitions has an ext4 file system: use an image whose root file system is ext4",
                table.partitions.len()
            ),
            [root] => **root,
            several => {
                let system = several.iter().find(|partition| is_system(&file, partition));
                **system.context("has several ext4 file systems but no Debian system on any of them")?
            }
        };
        Ok(Base { file, size, table, root })
    }
}

fn is_system(file: &Arc<File>, partition: &mbr::Partition) -> bool {
    Ext4::open(file.clone(), partition.at, partition.size).is_ok_and(|fs| fs.has(STATUS))
}

/// Returns the image, or its unpacked copy in the cache, which is named after the hash of the packed file.
fn raw(image: &Path) -> Result<PathBuf> {
    let path_text = image.display();
    let mut start = Vec::new();
    File::open(image)
        .and_then(|file| file.take(8).read_to_end(&mut start))
        .with_context(|| format!("cannot read `{path_text}`"))?;
    ensure!(!start.starts_with(ZIP), "`{path_text}`: is a zip archive: unpack it and name the image inside");
    if !PACKED.iter().any(|magic| start.starts_with(magic)) {
        return Ok(image.to_owned());
    }
    let folder = cache()?.join("bases");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let place = folder.join(format!("{}.img", &pack::sha256(image)?[..32]));
    // Another run may be unpacking the same image.
    let lock = File::create(place.with_extension("lock"))?;
    lock.lock()?;
    if !place.exists() {
        eprintln!("unpacking {path_text} into the cache");
        let draft = Draft::new(&place, 0)?;
        pack::unpack(image, &draft.file)?;
        draft.keep()?;
    }
    Ok(place)
}
