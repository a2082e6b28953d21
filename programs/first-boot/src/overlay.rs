//! A read-only root: as the first process, before systemd, this mounts an overlay in memory over the root
//! file system.
//!
//! It works with any initramfs or none. If a step fails, systemd still starts, on the unchanged root: a robot
//! that boots with a writable root is better than one that does not boot.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use base::failure::{Failure, reason};
use base::say::say;
use rustix::mount::{MountFlags, mount, mount_move, mount_remount};

use crate::read_only::MARK;
use crate::tool;

/// Mount point of the overlay before it becomes the root.
const PLACE: &str = "/run/first-boot";
/// Where the card's root is visible later.
const BELOW: &str = "media/root-ro";
/// File systems that are mounted before systemd starts and move to the new root.
const MOUNTED: [&str; 4] = ["dev", "proc", "sys", "run"];
/// Mount options that limit the memory for changes.
const SIZE: &str = "mode=0755,size=50%";

/// Sets up the overlay and executes systemd with these arguments.
pub fn begin(arguments: impl Iterator<Item = std::ffi::OsString>) -> Failure {
    match lay() {
        Ok(()) => say("first-boot: the root file system is read-only: changes stay in memory and are lost \
                       at shutdown"),
        Err(why) => say(format_args!("error: first-boot: cannot make the root file system read-only: {why}")),
    }
    let error = Command::new("/sbin/init").args(arguments).exec();
    Failure::failed(format!("`/sbin/init`: {}", reason(&error)))
}

fn lay() -> Result<(), String> {
    if !fs::read_to_string("/proc/filesystems").is_ok_and(|known| known.contains("\toverlay\n")) {
        // The kernel gives its first process no PATH.
        tool::run(&["/sbin/modprobe", "overlay"], None)?;
    }
    let step = |what: &str, result: rustix::io::Result<()>| {
        result.map_err(|e| format!("{what}: {}", reason(&e.into())))
    };
    let folder = |path: &str| fs::create_dir_all(path).map_err(|e| format!("`{path}`: {}", reason(&e)));
    // An initramfs has already mounted it, if there was one.
    if !is_mounted("/run") {
        step(
            "`/run`",
            mount("tmpfs", "/run", "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, c"mode=0755"),
        )?;
    }
    folder(PLACE)?;
    let size = std::ffi::CString::new(SIZE).map_err(|e| e.to_string())?;
    step("memory", mount("tmpfs", PLACE, "tmpfs", MountFlags::empty(), &*size))?;
    for name in ["upper", "work", "root"] {
        folder(&format!("{PLACE}/{name}"))?;
    }
    // From here on, nothing is written to the card. Even if this fails, no process writes to it.
    let _ = mount_remount("/", MountFlags::RDONLY, c"");
    let root = format!("{PLACE}/root");
    let layers = format!("lowerdir=/,upperdir={PLACE}/upper,workdir={PLACE}/work");
    let layers = std::ffi::CString::new(layers).map_err(|e| e.to_string())?;
    step("overlay", mount("overlay", root.as_str(), "overlay", MountFlags::empty(), &*layers))?;
    let table = format!("{root}/etc/fstab");
    if let Ok(text) = fs::read_to_string(&table) {
        fs::write(&table, without_root(&text)).map_err(|e| format!("`{table}`: {}", reason(&e)))?;
    }
    let below = format!("{root}/{BELOW}");
    folder(&below)?;
    step("the new root", rustix::process::pivot_root(root.as_str(), below.as_str()))?;
    std::env::set_current_dir("/").map_err(|e| reason(&e))?;
    for name in MOUNTED {
        let from = format!("/{BELOW}/{name}");
        if is_mounted(&from) {
            step(name, mount_move(from.as_str(), format!("/{name}")))?;
        }
    }
    fs::write(MARK, "").map_err(|e| format!("`{MARK}`: {}", reason(&e)))
}

/// A mount point is on another device than its parent.
fn is_mounted(path: &str) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::metadata(path).ok().map(|meta| meta.dev());
    let path = Path::new(path);
    device(path).is_some() && device(path) != path.parent().and_then(device)
}

/// fstab without the root, which is already mounted, and with a read-only boot partition.
fn without_root(table: &str) -> String {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields.as_slice() {
            [first, ..] if first.starts_with('#') => format!("{line}\n"),
            [_, "/", ..] => String::new(),
            [device, place, kind @ "vfat", options, rest @ ..] => {
                format!("{device} {place} {kind} {options},ro {}\n", rest.join(" "))
            }
            _ => format!("{line}\n"),
        }
    };
    table.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_has_no_root_any_more() {
        let table = "# / is\nPARTUUID=1-02 / ext4 defaults 0 1\nPARTUUID=1-01\t/boot/firmware vfat umask=0077 0 2\ntmpfs /tmp tmpfs\n";
        let expected = "# / is\nPARTUUID=1-01 /boot/firmware vfat umask=0077,ro 0 2\ntmpfs /tmp tmpfs\n";
        assert_eq!(super::without_root(table), expected);
    }
}
