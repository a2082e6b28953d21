//! Images and packages that do not fit together: the errors, and that nothing is left behind.

use std::fs;
use std::path::PathBuf;

use support::scratch::{Scratch, scratch};

use super::{NEEDS, bake, base, refused, root};
use crate::debian::package;
use crate::others::{command, ok};

#[test]
fn what_cannot_be_baked_is_refused_in_one_line() {
    let dir = scratch("bake-refused");
    let good = base(&dir);
    let (_, partition) = root(&good);
    let deb = package(&dir, "arm64", NEEDS, 10);
    let foreign = package(&dir, "amd64", "", 10);
    let needy = package(
        &dir,
        "all",
        "Depends: systemd (>= 258), not-there | nor-this (<< 2), systemd-sysusers\n",
        10,
    );
    assert_eq!(
        refused(&good, &foreign),
        "`DIR/base.img`: the system is for arm64, but `DIR/robot_1.2_amd64.deb` is for amd64: use the package for arm64"
    );
    assert_eq!(
        refused(&good, &needy),
        "`DIR/base.img`: lacks required packages: not-there or nor-this (<< 2), systemd (>= 258): it has no \
         os-release: install them in the image first, or build without --base"
    );
    assert_eq!(refused(&good, &good), "`DIR/base.img`: `DIR/base.img`: not a .deb: no ar header");
    let same = bake(&good, std::slice::from_ref(&deb), None, &good).unwrap_err();
    assert!(
        format!("{same:#}").ends_with("the output would overwrite it: name another file or folder"),
        "{same:#}"
    );

    let bytes = fs::read(&good).unwrap();
    let bad = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        let path = dir.join(name);
        fs::write(&path, bytes).unwrap();
        refused(&path, &deb)
    };
    let at = partition.at as usize;
    assert_eq!(bad("empty.img", &|b| b.clear()), "`DIR/empty.img`: too short for a disk image");
    assert_eq!(
        bad("noise.img", &|b| b[510] = 0),
        "`DIR/noise.img`: no partition table (neither MBR nor GPT): name an image of a whole disk"
    );
    let short = bad("short.img", &|b| b.truncate(at + (5 << 20)));
    assert_eq!(
        short,
        format!(
            "`DIR/short.img`: truncated: partition 2 ends at byte {}, the file at {}: download it again",
            partition.end(),
            partition.at + (5 << 20)
        )
    );
    assert_eq!(
        bad("extended.img", &|b| b[446 + 32 + 4..446 + 48]
            .copy_from_slice(&[5, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0])),
        "`DIR/extended.img`: extended partitions are not supported: use an image with at most four \
         partitions"
    );
    assert_eq!(
        bad("other.img", &|b| b[at + 1024 + 0x38] = 0),
        "`DIR/other.img`: none of its 2 partitions has an ext4 file system: use an image whose root file system is ext4"
    );
    assert_eq!(
        bad("zip.img", &|b| b[..4].copy_from_slice(b"PK\x03\x04")),
        "`DIR/zip.img`: is a zip archive: unpack it and name the image inside"
    );
    assert!(bad("damaged.img", &|b| b[at + 1024 + 0x78] ^= 1).contains("corrupt superblock: checksum"));

    // A few bytes that would need 1.5 GiB of memory to decompress.
    ok("sh", &["-euc", &format!("cd {}; head -c 100000 base.img | xz -T1 >large.img.xz", dir.display())]);
    let path = dir.join("large.img.xz");
    let mut packed = fs::read(&path).unwrap();
    // The first block header ends with its checksum; the byte before it is the dictionary size.
    assert_eq!(packed[14..16], [0x21, 1]);
    packed[16] = 37;
    let end = 12 + usize::from(packed[12]) * 4;
    let mut crc = flate2::Crc::new();
    crc.update(&packed[12..end]);
    packed[end..end + 4].copy_from_slice(&crc.sum().to_le_bytes());
    fs::write(&path, packed).unwrap();
    assert_eq!(
        refused(&path, &deb),
        "`DIR/large.img.xz`: needs too much memory: compress it again with `xz -9` or lower: needed memory too big for \
         mem_limit_kb"
    );

    let debugfs = |name: &str, request: &str| {
        let path = dir.join(name);
        fs::write(&path, &bytes).unwrap();
        ok("debugfs", &["-w", "-R", request, &format!("{}?offset={at}", path.display())]);
        refused(&path, &deb)
    };
    let dirty = "the root file system (partition 2): was not unmounted cleanly: run `e2fsck -f` \
                 on it, or shut the machine down before you copy its card";
    assert_eq!(debugfs("dirty.img", "feature +needs_recovery"), format!("`DIR/dirty.img`: {dirty}"));
    assert_eq!(debugfs("open.img", "ssv state 0"), format!("`DIR/open.img`: {dirty}"));
    assert_eq!(debugfs("orphans.img", "ssv last_orphan 12"), format!("`DIR/orphans.img`: {dirty}"));
    assert_eq!(
        debugfs("errors.img", "ssv state 3"),
        "`DIR/errors.img`: the root file system (partition 2): has errors: run `e2fsck -f` on it"
    );
    assert_eq!(
        debugfs("casefold.img", "feature +casefold +encrypt"),
        "`DIR/casefold.img`: the root file system (partition 2): unsupported features (encrypt, casefold): create it \
         again without them (`mke2fs -O ^encrypt,^casefold`)"
    );
    assert_eq!(
        debugfs("immutable.img", "sif /usr/bin/tool flags 0x80010"),
        "`DIR/immutable.img`: the root file system: `/usr/bin/other-name`: has the attributes `i` (lsattr), which would be \
         lost: remove them with chattr"
    );
    assert_eq!(
        debugfs("no-system.img", "rm /var/lib/dpkg/status"),
        "`DIR/no-system.img`: no Debian system in its root partition: `/var/lib/dpkg/status` does not exist"
    );
}

#[test]
fn a_script_that_fails_and_a_full_disk_leave_nothing() {
    let dir = scratch("bake-fails");
    let base = base(&dir);
    package(&dir, "arm64", NEEDS, 10);
    fs::write(dir.join("package/DEBIAN/postinst"), "#!/bin/sh\necho 'robot: error: no motors' >&2\nexit 3\n")
        .unwrap();
    ok("sh", &["-euc", &format!("cd {}; dpkg-deb --build package bad.deb", dir.display())]);
    let error = refused(&base, &dir.join("bad.deb"));
    assert!(error.starts_with("cannot install the packages: robot: error: no motors"), "{error}");
    assert!(error.contains("exit status 3"), "{error}");

    let deb = package(&dir, "arm64", NEEDS, 3 << 20);
    let full = Full::of(&dir, "1m");
    let out = full.0.join("out.img");
    let error = format!("{:#}", bake(&base, &[deb], None, &out).unwrap_err());
    assert!(error.starts_with(&format!("cannot write `{}`", out.display())), "{error}");
    assert!(error.ends_with("No space left on device (os error 28)"), "{error}");
    assert_eq!(fs::read_dir(&full.0).unwrap().count(), 0, "nothing is left");
}

/// A small file system.
struct Full(PathBuf);

impl Full {
    fn of(dir: &Scratch, size: &str) -> Full {
        let path = dir.join("full");
        fs::create_dir(&path).unwrap();
        ok("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", path.to_str().unwrap()]);
        Full(path)
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        let _ = command("umount").arg(&self.0).status();
    }
}
