//! Processors: what tells their programs apart, and where Debian puts their libraries.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use anyhow::{Context, Result};

/// A processor that a root can be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Processor {
    /// Debian's name of it.
    pub(crate) deb: &'static str,
    /// The kernel's, and that of its emulator.
    pub(crate) machine: &'static str,
    /// Its number in ELF files.
    pub(crate) elf: u16,
    /// The folder that only its libraries are in.
    pub(crate) libraries: &'static str,
    /// The loader of its programs.
    pub(crate) loader: &'static str,
    /// The link by which they look for it.
    pub(crate) link: Option<(&'static str, &'static str)>,
}

const ALL: [Processor; 2] = [
    Processor {
        deb: "amd64",
        machine: "x86_64",
        elf: 62,
        libraries: "/usr/lib/x86_64-linux-gnu",
        loader: "/usr/lib64/ld-linux-x86-64.so.2",
        link: Some(("/lib64", "usr/lib64")),
    },
    Processor {
        deb: "arm64",
        machine: "aarch64",
        elf: 183,
        libraries: "/usr/lib/aarch64-linux-gnu",
        loader: "/usr/lib/ld-linux-aarch64.so.1",
        link: None,
    },
];

impl Processor {
    /// By Debian's name.
    pub(crate) fn find(deb: &str) -> Result<Processor> {
        let known = ALL.map(|p| p.deb).join(", ");
        ALL.into_iter()
            .find(|p| p.deb == deb)
            .with_context(|| format!("`{deb}`: no images are made for it: known: {known}"))
    }

    /// That of this machine.
    pub(crate) fn find_host() -> Result<Processor> {
        let machine = std::env::consts::ARCH;
        ALL.into_iter()
            .find(|p| p.machine == machine)
            .with_context(|| format!("no images are made on {machine}"))
    }

    /// The line by which the kernel lets an emulator run its programs, also where the emulator cannot be found by its path.
    pub(crate) fn registration(&self, emulator: &Path) -> OsString {
        let parts = [
            b":image:M::".as_slice(),
            &self.magic(),
            b":",
            &self.mask(),
            b":",
            emulator.as_os_str().as_encoded_bytes(),
            b":F",
        ];
        OsString::from_vec(parts.concat())
    }

    /// How its programs begin, as binfmt_misc wants it.
    fn magic(&self) -> Vec<u8> {
        let [low, high] = self.elf.to_le_bytes();
        let mut start = b"\x7fELF\x02\x01\x01\x00\0\0\0\0\0\0\0\0\x02\x00".to_vec();
        start.extend([low, high]);
        escape(&start)
    }

    /// Which bits of that count: the system's number does not, and programs and libraries are alike.
    fn mask(&self) -> Vec<u8> {
        let mut mask = [0xff; 20];
        mask[7] = 0;
        mask[8..16].fill(0);
        mask[16] = 0xfe;
        escape(&mask)
    }
}

fn escape(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("\\x{byte:02x}").into_bytes()).collect()
}
