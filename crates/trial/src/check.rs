//! Static checks of a finished image: takes an opened card and the requirements of its board, and returns all
//! faults. It runs and writes nothing and takes a second.

mod firmware;
mod initramfs;
mod system;

use std::fmt;

use anyhow::Result;

use super::card::Card;

/// Requirements of a board, in addition to those of every image.
#[derive(Debug, Clone)]
pub struct Needs {
    /// Its processor.
    pub machine: Machine,
    /// Files its firmware needs to start.
    pub firmware: Vec<String>,
    /// File names of its device trees; empty if the machine brings its own.
    pub device_trees: Vec<String>,
    /// Kernel modules needed to reach the card.
    pub storage: Vec<String>,
}

/// A processor that images are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// 64-bit Arm.
    Arm64,
    /// 64-bit x86.
    Amd64,
}

impl Machine {
    /// Returns Debian's name for the processor.
    pub fn name(self) -> &'static str {
        match self {
            Machine::Arm64 => "arm64",
            Machine::Amd64 => "amd64",
        }
    }

    /// Returns the machine number in ELF headers.
    fn elf(self) -> u16 {
        match self {
            Machine::Arm64 => 183,
            Machine::Amd64 => 62,
        }
    }
}

/// The faults of an image.
#[derive(Debug)]
pub struct Faults(pub Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "the image has {count} fault{}", if count == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for Faults {}

/// Runs all checks; faults are an error.
pub fn check(card: &Card, needs: &Needs) -> Result<()> {
    let faults = faults(card, needs);
    if faults.is_empty() { Ok(()) } else { Err(Faults(faults).into()) }
}

/// Returns all faults. Unreadable data is a fault too, and hides only what depends on it.
pub fn faults(card: &Card, needs: &Needs) -> Vec<String> {
    let mut faults = card.faults();
    let mut initramfs = None;
    match card.boot() {
        Ok(volume) => initramfs = firmware::check(&volume, card, needs, &mut faults),
        Err(error) => faults.push(format!("{error:#}")),
    }
    match card.root() {
        Ok(root) => {
            if let Err(error) = system::check(&root, card, needs, &mut faults) {
                faults.push(format!("{error:#}"));
            }
            if let Some((name, packed)) = initramfs {
                initramfs::check(&name, &packed, &root, needs, &mut faults);
            }
        }
        Err(error) => faults.push(format!("{error:#}")),
    }
    faults
}

/// Returns the processor a program is for, or `None` if it is not an ELF file.
fn elf_machine(bytes: &[u8]) -> Option<u16> {
    let header = bytes.get(..20).filter(|header| header.starts_with(b"\x7fELF"))?;
    let machine = [header[18], header[19]];
    Some(if header[5] == 2 { u16::from_be_bytes(machine) } else { u16::from_le_bytes(machine) })
}
