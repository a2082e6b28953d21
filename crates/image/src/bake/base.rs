//! The image that was given: unpacked, once for each content, and its partitions.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use disk::ext4::{self, Ext4};
use disk::layout::Draft;
use disk::{mbr, pack};

use crate::cache;

/// How compressed files begin.
const PACKED: [&[u8]; 3] = [b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x1f\x8b"];
const ZIP: &[u8] = b"PK\x03\x04";
/// The list of packages of a Debian system, by which a root partition is known among others.
const STATUS: &str = "var/lib/dpkg/status";

/// An image that is only read.
#[derive(Debug)]
pub struct Base {
    /// Its bytes.
    pub file: Arc<File>,
    /// How many.
    pub size: u64,
    /// Its partitions.
    pub table: mbr::Table,
    /// The one with the system.
    pub root: mbr::Partition,
}

impl Base {
    /// Opens an image, compressed or not.
    pub fn open(image: &Path) -> Result<Base> {
        let shown = image.display();
        let meta = fs::metadata(image).with_context(|| format!("`{shown}`: cannot be read"))?;
        ensure!(meta.is_file(), "`{shown}`: is no file: name an image, .img, .img.xz, .img.zst or .img.gz");
        let path = raw(image)?;
        let file =
            Arc::new(File::open(&path).with_context(|| format!("`{}`: cannot be read", path.display()))?);
        let size = file.metadata()?.len();
        Base::read(file, size).with_context(|| format!("`{shown}`"))
    }

    fn read(file: Arc<File>, size: u64) -> Result<Base> {
        let table = mbr::read(&file)?;
        for partition in &table.partitions {
            ensure!(
                partition.end() <= size,
                "is cut short: partition {} ends at byte {}, the file at {size}: fetch it again",
                partition.number,
                partition.end()
            );
        }
        let linux: Vec<&mbr::Partition> =
            table.partitions.iter().filter(|partition| ext4::is_there(&file, partition.at)).collect();
        let root = match linux.as_slice() {
            [] => bail!(
                "has no partition with an ext4 file system among its {}: use an image whose system is on one",
                table.partitions.len()
            ),
            [root] => **root,
            several => {
                let system = several.iter().find(|partition| is_system(&file, partition));
                **system.context("has several ext4 file systems and no Debian system in any of them")?
            }
        };
        Ok(Base { file, size, table, root })
    }
}

fn is_system(file: &Arc<File>, partition: &mbr::Partition) -> bool {
    Ext4::open(file.clone(), partition.at, partition.size).is_ok_and(|fs| fs.has(STATUS))
}

/// The image itself, or what is packed in it: that is kept by the hash of the packed file.
fn raw(image: &Path) -> Result<PathBuf> {
    let shown = image.display();
    let mut start = Vec::new();
    File::open(image)
        .and_then(|file| file.take(8).read_to_end(&mut start))
        .with_context(|| format!("`{shown}`: cannot be read"))?;
    ensure!(!start.starts_with(ZIP), "`{shown}`: is a zip: unpack it and name the image that was in it");
    if !PACKED.iter().any(|magic| start.starts_with(magic)) {
        return Ok(image.to_owned());
    }
    let folder = cache()?.join("bases");
    fs::create_dir_all(&folder).with_context(|| format!("`{}`: cannot be made", folder.display()))?;
    let place = folder.join(format!("{}.img", &pack::sha256(image)?[..32]));
    // Another run may unpack the same.
    let lock = File::create(place.with_extension("lock"))?;
    lock.lock()?;
    if !place.exists() {
        eprintln!("unpacking {shown}, once");
        let draft = Draft::new(&place, 0)?;
        pack::unpack(image, &draft.file)?;
        draft.keep()?;
    }
    Ok(place)
}
