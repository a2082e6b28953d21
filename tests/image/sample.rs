//! A small image with everything that the checks expect, to remove parts from.

use std::path::{Path, PathBuf};

use disk::layout::{self, Layout};
use disk::tree::{Content, Kind, Node, Tree};
use trial::card::Card;
use trial::check::{Machine, Needs, faults};

const DISK: u32 = 0x1234_abcd;
const EPOCH: i64 = 1_760_000_000;

/// A tree that becomes an image.
pub(crate) struct Sample(pub(crate) Tree);

impl Sample {
    pub(crate) fn new() -> Sample {
        let mut sample = Sample(Tree::new(Node::new(Kind::Dir, 0o755, EPOCH)));
        sample
            .put("/boot/firmware/start4.elf", "firmware")
            .put("/boot/firmware/config.txt", "arm_64bit=1\n[pi4]\nkernel=vmlinuz-6.1\ninitramfs initrd.img-6.1 followkernel\n")
            .put("/boot/firmware/cmdline.txt", "console=tty0 root=PARTUUID=1234abcd-02 ro rootwait\n")
            .put("/boot/firmware/vmlinuz-6.1", [&[0; 56][..], b"ARM\x64", &[0; 4000]].concat())
            .put("/boot/firmware/board.dtb", [0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 12, 0, 0, 0, 0])
            .put("/boot/firmware/initrd.img-6.1", initramfs(&[("init", b"#!/bin/sh\n"), MODULE, BUILT_IN]))
            .put("/usr/lib/modules/6.1/modules.dep", "")
            .put("/usr/lib/systemd/systemd", elf(183))
            .put("/var/lib/dpkg/status", status("systemd", "install ok installed", "arm64"))
            .put("/etc/shadow", "root:*:20000::::::\nrobot:!:20000::::::\n")
            .put("/etc/fstab", "PARTUUID=1234abcd-02 / ext4 defaults 0 1\n# PARTUUID=0 is none\nPARTUUID=1234abcd-01 /boot/firmware vfat\n")
            .put("/etc/machine-id", "");
        sample
    }

    /// A sample for a UEFI machine, whose boot loader reads an entry.
    pub(crate) fn uefi() -> Sample {
        let mut sample = Sample::new();
        for name in ["start4.elf", "config.txt", "cmdline.txt", "board.dtb"] {
            sample.0.remove(&format!("/boot/firmware/{name}"));
        }
        let files: [(&str, &[u8]); 3] = [
            ("init", b"#!/bin/sh\n"),
            ("usr/lib/modules/6.1/kernel/drivers/ata/ahci.ko.xz", b"xz"),
            BUILT_IN,
        ];
        sample
            .put("/boot/firmware/EFI/BOOT/BOOTX64.EFI", "MZ")
            .put("/boot/firmware/loader/entries/6.1.conf", ENTRY)
            .put("/boot/firmware/vmlinuz-6.1", [&[0; 0x202][..], b"HdrS", &[0; 4000]].concat())
            .put("/boot/firmware/initrd.img-6.1", initramfs(&files))
            .put("/usr/lib/systemd/systemd", elf(62))
            .put("/var/lib/dpkg/status", status("systemd", "install ok installed", "amd64"));
        sample
    }

    /// Adds a file and its parent folders.
    pub(crate) fn put(&mut self, path: &str, content: impl Into<Vec<u8>>) -> &mut Sample {
        for (at, _) in path.match_indices('/').skip(1) {
            if self.0.get(&path[..at]).is_none() {
                self.0.insert(&path[..at], Node::new(Kind::Dir, 0o755, EPOCH)).unwrap();
            }
        }
        self.0.remove(path);
        self.0.insert(path, Node::new(Kind::File(Content::bytes(content.into())), 0o644, EPOCH)).unwrap();
        self
    }

    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("sample.img");
        let layout =
            Layout { disk: DISK, seed: [7; 32], epoch: EPOCH, boot_size: None, size: None, free: 1 << 20 };
        layout::write(&self.0, &layout, &path).unwrap();
        path
    }

    /// Returns all reported faults.
    pub(crate) fn faults(&self, folder: &Path, needs: &Needs) -> Vec<String> {
        faults(&Card::open(&self.write(folder)).unwrap(), needs)
    }
}

pub(crate) fn needs() -> Needs {
    Needs {
        machine: Machine::Arm64,
        firmware: vec!["config.txt".to_owned(), "start4.elf".to_owned()],
        device_trees: vec!["board.dtb".to_owned()],
        storage: vec!["sdhci-iproc".to_owned(), "ext4".to_owned()],
    }
}

pub(crate) fn needs_of_uefi() -> Needs {
    Needs {
        machine: Machine::Amd64,
        firmware: vec!["EFI/BOOT/BOOTX64.EFI".to_owned()],
        device_trees: Vec::new(),
        storage: vec!["ahci".to_owned(), "ext4".to_owned()],
    }
}

/// An entry of the boot loader.
pub(crate) const ENTRY: &str = "title Debian\nversion 6.1\nlinux /vmlinuz-6.1\ninitrd /initrd.img-6.1\n\
    options root=PARTUUID=1234abcd-02 rootwait\n";

pub(crate) const MODULE: (&str, &[u8]) =
    ("usr/lib/modules/6.1/kernel/drivers/mmc/host/sdhci-iproc.ko.xz", b"xz");
pub(crate) const BUILT_IN: (&str, &[u8]) =
    ("usr/lib/modules/6.1/modules.builtin", b"kernel/fs/ext4/ext4.ko\n");

/// Returns an uncompressed archive in the kernel's format.
pub(crate) fn initramfs(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in files.iter().chain([&("TRAILER!!!", &b""[..])]) {
        let fields = [0, 0o100_644, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        archive.extend(b"070701");
        archive.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
        archive.extend(name.as_bytes());
        archive.push(0);
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend(*content);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
    archive
}

/// Returns an ELF header for a processor.
pub(crate) fn elf(machine: u16) -> Vec<u8> {
    let mut header = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0];
    header.extend(machine.to_le_bytes());
    header.resize(64, 0);
    header
}

pub(crate) fn status(name: &str, state: &str, architecture: &str) -> String {
    format!("Package: {name}\nStatus: {state}\nArchitecture: {architecture}\nVersion: 257.13-1\n\n")
}
