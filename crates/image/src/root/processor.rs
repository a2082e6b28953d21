//! Supported processors: how to recognize their programs, and where Debian puts their libraries.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use anyhow::{Context, Result};

/// A processor that a root file system can be built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Processor {
    /// Debian's name.
    pub(crate) deb: &'static str,
    /// The kernel's name, also used in the emulator's name.
    pub(crate) machine: &'static str,
    /// Machine number in ELF files.
    pub(crate) elf: u16,
    /// Folder of its libraries.
    pub(crate) libraries: &'static str,
    /// Path of its program loader.
    pub(crate) loader: &'static str,
    /// Link through which programs find the loader.
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
    /// Finds a processor by Debian's name.
    pub(crate) fn find(deb: &str) -> Result<Processor> {
        let known = ALL.map(|p| p.deb).join(", ");
        ALL.into_iter()
            .find(|p| p.deb == deb)
            .with_context(|| format!("unknown processor `{deb}`: expected one of {known}"))
    }

    /// Finds the processor of the host.
    pub(crate) fn find_host() -> Result<Processor> {
        let machine = std::env::consts::ARCH;
        ALL.into_iter()
            .find(|p| p.machine == machine)
            .with_context(|| format!("cannot build images on {machine}"))
    }

    /// Returns the binfmt_misc line that registers an emulator. The kernel opens it at once (`F`), so its
    /// path need not exist in the root.
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

    /// Returns the first bytes of its programs in the format of binfmt_misc.
    fn magic(&self) -> Vec<u8> {
        let [low, high] = self.elf.to_le_bytes();
        let mut start = b"\x7fELF\x02\x01\x01\x00\0\0\0\0\0\0\0\0\x02\x00".to_vec();
        start.extend([low, high]);
        escape(&start)
    }

    /// Masks the OS ABI, and treats programs and shared objects alike.
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
