//! Static checks: a valid sample, then one fault at a time with its message.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use trial::card::Card;
use trial::check::faults;

use crate::sample::{BUILT_IN, ENTRY, MODULE, Sample, elf, initramfs, needs, needs_of_uefi, status};

/// A temporary folder, removed when it is dropped.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Scratch {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_good_image_has_no_fault() {
    let folder = Scratch::new("good");
    assert_eq!(Sample::new().faults(&folder.0, &needs()), [""; 0]);
}

#[test]
fn an_initramfs_may_be_packed_and_follow_another() {
    let folder = Scratch::new("packed");
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&initramfs(&[("init", b"#!/bin/sh\n"), MODULE, BUILT_IN])).unwrap();
    let mut early = initramfs(&[("kernel/x86/microcode", b"")]);
    early.resize(early.len().next_multiple_of(512), 0);
    early.extend(gzip.finish().unwrap());
    let reported = Sample::new().put("/boot/firmware/initrd.img-6.1", early).faults(&folder.0, &needs());
    assert_eq!(reported, [""; 0]);
}

/// A path, its faulty content, and the expected messages.
type Case<'a> = (&'a str, Option<Vec<u8>>, &'a [&'a str]);

#[test]
fn every_fault_is_found_and_named() {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let packed = |files: &[(&str, &[u8])]| Some(initramfs(files));
    let (init, foreign) = (("init", &b"#!/bin/sh\n"[..]), elf(62));
    let cases: [Case<'_>; 21] = [
        ("/boot/firmware/start4.elf", None, &["boot partition: `start4.elf` does not exist"]),
        ("/boot/firmware/vmlinuz-6.1", None, &["boot partition: `vmlinuz-6.1` does not exist"]),
        (
            "/boot/firmware/vmlinuz-6.1",
            text("MZ"),
            &["boot partition: `vmlinuz-6.1` is not a kernel for arm64"],
        ),
        ("/boot/firmware/initrd.img-6.1", None, &["boot partition: `initrd.img-6.1` does not exist"]),
        ("/boot/firmware/board.dtb", None, &["boot partition: device tree `board.dtb` does not exist"]),
        (
            "/boot/firmware/board.dtb",
            text("dtb"),
            &["boot partition: `board.dtb` is not a complete device tree"],
        ),
        (
            "/boot/firmware/config.txt",
            text("kernel=vmlinuz-6.1\ninitramfs initrd.img-6.1\ndtoverlay=w1-gpio,pin=4\n"),
            &["boot partition: `overlays/w1-gpio.dtbo` does not exist"],
        ),
        (
            "/boot/firmware/config.txt",
            text("include config.txt\n"),
            &["boot partition: `config.txt`: endless includes"],
        ),
        (
            "/boot/firmware/config.txt",
            None,
            &[
                "boot partition: neither `config.txt` nor a file in `loader/entries/` exists, so no machine can start from it",
            ],
        ),
        (
            "/boot/firmware/cmdline.txt",
            text("root=/dev/mmcblk0p2\nquiet"),
            &[
                "boot partition: `cmdline.txt`: must be one line of at most 1024 characters",
                "boot partition: `cmdline.txt`: lacks `root=PARTUUID=1234abcd-02`, the root partition of this card",
                "boot partition: `cmdline.txt`: lacks `rootwait`, because a card appears late",
            ],
        ),
        (
            "/boot/firmware/initrd.img-6.1",
            packed(&[init, BUILT_IN]),
            &["`initrd.img-6.1`: module `sdhci-iproc` is missing, so the board cannot find the card"],
        ),
        (
            "/boot/firmware/initrd.img-6.1",
            packed(&[init, MODULE, BUILT_IN, ("usr/lib/libkmod.so.2", &foreign)]),
            &["`initrd.img-6.1`: `usr/lib/libkmod.so.2` is not a program for arm64"],
        ),
        (
            "/boot/firmware/initrd.img-6.1",
            text("\u{1f}nothing"),
            &["`initrd.img-6.1`: unsupported compression: expected gzip, xz or zstd"],
        ),
        (
            "/usr/lib/modules/6.1/modules.dep",
            None,
            &["`initrd.img-6.1`: its modules are for kernel 6.1, but those of the root file system for 6.2"],
        ),
        (
            "/usr/lib/systemd/systemd",
            Some(foreign.clone()),
            &["root: `/usr/lib/systemd/systemd` is not a program for arm64"],
        ),
        (
            "/var/lib/dpkg/status",
            Some(
                (status("a", "install ok half-configured", "all")
                    + &status("b", "install ok installed", "amd64"))
                    .into(),
            ),
            &["root: package a is `install ok half-configured`", "root: package b is for amd64"],
        ),
        (
            "/etc/shadow",
            text("root::20000::::::\npi:$6$x$y:20000::::::\n"),
            &[
                "root: `/etc/shadow`: root can log in without a password",
                "root: `/etc/shadow`: pi has a password",
            ],
        ),
        (
            "/etc/fstab",
            text("PARTUUID=deadbeef-02 / ext4\n"),
            &["root: `/etc/fstab`: `PARTUUID=deadbeef-02` is not a partition of this card"],
        ),
        (
            "/etc/machine-id",
            text("00112233445566778899aabbccddeeff\n"),
            &["root: `/etc/machine-id` is set, so all cards would have the same identity"],
        ),
        (
            "/etc/ssh/ssh_host_ed25519_key",
            text("key"),
            &["root: `/etc/ssh/ssh_host_ed25519_key` exists, so all cards would share it"],
        ),
        (
            "/var/lib/systemd/random-seed",
            text("seed"),
            &["root: `/var/lib/systemd/random-seed` exists, so all cards would share it"],
        ),
    ];
    let folder = Scratch::new("faults");
    for (path, content, expected) in cases {
        let mut sample = Sample::new();
        sample.0.remove(path);
        if path.starts_with("/usr/lib/modules") {
            sample.0.remove("/usr/lib/modules/6.1");
            sample.put("/usr/lib/modules/6.2/modules.dep", "");
        }
        if let Some(content) = content {
            sample.put(path, content);
        }
        assert_eq!(sample.faults(&folder.0, &needs()), expected, "{path}");
    }
}

#[test]
fn what_a_boot_loader_of_uefi_does_not_find_is_named() {
    let entry = "/boot/firmware/loader/entries/6.1.conf";
    let cases: [Case<'_>; 7] = [
        ("/none", None, &[]),
        (
            "/boot/firmware/EFI/BOOT/BOOTX64.EFI",
            None,
            &["boot partition: `EFI/BOOT/BOOTX64.EFI` does not exist"],
        ),
        (
            entry,
            None,
            &[
                "boot partition: neither `config.txt` nor a file in `loader/entries/` exists, so no machine can start from it",
            ],
        ),
        (
            entry,
            Some(ENTRY.replace("initrd ", "#initrd ").into()),
            &["boot partition: `loader/entries/6.1.conf`: no `initrd` in it"],
        ),
        (
            entry,
            Some(ENTRY.replace("abcd-02 rootwait", "abcd-03").into()),
            &[
                "boot partition: `loader/entries/6.1.conf`: lacks `root=PARTUUID=1234abcd-02`, the root partition of this card",
                "boot partition: `loader/entries/6.1.conf`: lacks `rootwait`, because a card appears late",
            ],
        ),
        ("/boot/firmware/vmlinuz-6.1", None, &["boot partition: `vmlinuz-6.1` does not exist"]),
        (
            "/boot/firmware/vmlinuz-6.1",
            Some(vec![0; 4000]),
            &["boot partition: `vmlinuz-6.1` is not a kernel for amd64"],
        ),
    ];
    let folder = Scratch::new("uefi");
    for (path, content, expected) in cases {
        let mut sample = Sample::uefi();
        sample.0.remove(path);
        if let Some(content) = content {
            sample.put(path, content);
        }
        assert_eq!(sample.faults(&folder.0, &needs_of_uefi()), expected, "{path}");
    }
}

/// A card with a bad sector, or a truncated download.
#[test]
fn what_is_broken_is_said_and_never_panics() {
    let folder = Scratch::new("broken");
    let path = Sample::new().write(&folder.0);
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let size = file.metadata().unwrap().len();
    let boot = Card::open(&path).unwrap().partitions()[0].start;
    let found = |why: &str| {
        let messages = faults(&Card::open(&path).unwrap(), &needs());
        assert!(!messages.is_empty(), "{why}");
        assert!(messages.iter().all(|fault| !fault.contains('\n')), "{messages:?}");
        messages
    };
    // One of the two tables.
    let mut byte = [0];
    let table = boot + 32 * 512 + 12;
    file.read_exact_at(&mut byte, table).unwrap();
    file.write_all_at(&[byte[0] ^ 1], table).unwrap();
    assert_eq!(
        found("a table"),
        ["boot file system: its two allocation tables differ"]
            .map(|fault| format!("`{}`: partition 1: {fault}", path.display()))
    );
    file.write_all_at(&byte, table).unwrap();
    // Every field of the first sector of both file systems, and of the partition table.
    let root = Card::open(&path).unwrap().partitions()[1].start;
    for at in (446..510).chain(boot..boot + 90).chain(root + 1024..root + 1024 + 264) {
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 0xff], at).unwrap();
        let _ = faults(&Card::open(&path).unwrap(), &needs());
        file.write_all_at(&byte, at).unwrap();
    }
    assert_eq!(faults(&Card::open(&path).unwrap(), &needs()), [""; 0]);
    file.set_len(size / 2).unwrap();
    assert!(found("cut short")[0].ends_with("beyond the end of the file"));
    file.set_len(100).unwrap();
    let refused = format!("{:#}", Card::open(&path).unwrap_err());
    assert!(refused.ends_with("no partition table: name a complete raw image"), "{refused}");
    assert!(format!("{:#}", Card::open(&folder.0).unwrap_err()).ends_with("name a raw image"));
}
