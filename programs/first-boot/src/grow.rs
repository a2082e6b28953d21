//! `first-boot grow`: grows the root partition to the end of the card.
//!
//! It writes one sector at once and notifies the kernel; after a power loss, the next boot finds the old or
//! the new table. Then the mounted file system grows, which its journal makes safe. Each boot checks all
//! steps again, because a power loss may have interrupted them.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use base::failure::{Failure, reason};

use crate::mbr::{self, SECTOR, Verdict};
use crate::tool;

/// systemd's program that grows a mounted file system.
const GROWFS: &str = "/usr/lib/systemd/systemd-growfs";

struct Place {
    /// The card, or a file instead of it.
    disk: PathBuf,
    number: usize,
    begin: Option<u64>,
    /// Whether this is the root of the running system.
    mounted: bool,
}

/// Grows the root of the running system; returns what was done, if anything.
pub fn root() -> Result<Option<String>, Failure> {
    let Some(place) = mounted_root() else { return Ok(None) };
    let grown = partition(&place)?;
    if Path::new(GROWFS).exists() {
        tool::run(&[GROWFS, "/"], None)
            .map_err(|e| Failure::failed(format!("/: cannot grow the file system: {e}")))?;
    }
    Ok(grown)
}

/// Grows a partition in a disk image file.
pub fn file(disk: &Path, number: usize) -> Result<Option<String>, Failure> {
    partition(&Place { disk: disk.to_owned(), number, begin: None, mounted: false })
}

fn partition(place: &Place) -> Result<Option<String>, Failure> {
    let shown = place.disk.display();
    let failed = |e: std::io::Error| Failure::failed(format!("`{shown}`: {}", reason(&e)));
    let disk = OpenOptions::new().read(true).write(true).open(&place.disk).map_err(failed)?;
    let mut table = [0; SECTOR];
    let end = length(&disk, place).map_err(failed)?;
    if end < SECTOR as u64 {
        return Err(Failure::failed(format!("`{shown}`: too short for a partition table: choose a disk")));
    }
    disk.read_exact_at(&mut table, 0).map_err(failed)?;
    match mbr::grown(&table, place.number, place.begin, end / SECTOR as u64) {
        Verdict::Full => Ok(None),
        // An administrator may partition the disk differently; that is not an error.
        Verdict::Refused(why) if place.mounted => Ok(Some(format!("`{shown}`: not changed: {why}"))),
        Verdict::Refused(why) => {
            Err(Failure::failed(format!("`{shown}`: {why}: nothing was changed, grow the partition by hand")))
        }
        Verdict::Grown(new, sectors) => {
            disk.write_all_at(&new[..], 0).map_err(failed)?;
            disk.sync_all().map_err(failed)?;
            drop(disk);
            if place.mounted {
                let (number, disk) = (place.number.to_string(), shown.to_string());
                // The kernel does not reread the whole table while a partition is mounted, but it can grow
                // one partition.
                tool::run(&["partx", "--update", "--nr", &number, &disk], None).map_err(|e| {
                    Failure::failed(format!(
                        "`{shown}`: the kernel cannot use the new size until you reboot: {e}"
                    ))
                })?;
            }
            Ok(Some(format!("grew partition {} of `{shown}` to {} MiB", place.number, sectors / 2048)))
        }
    }
}

fn length(disk: &fs::File, place: &Place) -> std::io::Result<u64> {
    let name = place.disk.file_name().unwrap_or_default();
    match fs::read_to_string(Path::new("/sys/class/block").join(name).join("size")) {
        Ok(text) if place.mounted => Ok(text.trim().parse::<u64>().unwrap_or(0) * SECTOR as u64),
        _ => Ok(disk.metadata()?.len()),
    }
}

/// Returns the partition that is mounted at `/`, if it is a partition of a disk.
fn mounted_root() -> Option<Place> {
    let device = fs::metadata("/").ok()?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let partition = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    let number = |file: &str| fs::read_to_string(partition.join(file)).ok()?.trim().parse::<u64>().ok();
    Some(Place {
        disk: Path::new("/dev").join(partition.parent()?.file_name()?),
        number: usize::try_from(number("partition")?).ok()?,
        begin: number("start"),
        mounted: true,
    })
}
