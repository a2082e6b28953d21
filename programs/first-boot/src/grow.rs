//! `first-boot grow`: the root partition grows to the card's end.
//!
//! One sector is written, in one piece, and the kernel is told; the next boot finds either the old table or the new one.
//! The file system grows after that, while it is mounted, which its journal makes safe. Each boot looks at all of it
//! again, because the current may have been cut in between.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use base::failure::{Failure, reason};

use crate::mbr::{self, SECTOR, Verdict};
use crate::tool;

/// What grows a mounted file system; part of systemd.
const GROWFS: &str = "/usr/lib/systemd/systemd-growfs";

/// Where a partition is.
struct Place {
    /// The card, or a file in its stead.
    disk: PathBuf,
    number: usize,
    begin: Option<u64>,
    /// Whether it is the root of this system.
    mounted: bool,
}

/// Grows the root of this system; what was done, if anything.
pub fn root() -> Result<Option<String>, Failure> {
    let Some(place) = mounted_root() else { return Ok(None) };
    let grown = partition(&place)?;
    if Path::new(GROWFS).exists() {
        tool::run(&[GROWFS, "/"], None)
            .map_err(|e| Failure::failed(format!("/: cannot grow the file system: {e}")))?;
    }
    Ok(grown)
}

/// Grows a partition of a file that is no part of this system.
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
        // How this machine's disk is parted is somebody's choice, and no failure of every boot.
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
                // The kernel refuses to read the whole table again while something of it is mounted, but it lets one
                // partition grow.
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

/// The partition that is mounted at `/`; none where that is no partition of a disk.
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
