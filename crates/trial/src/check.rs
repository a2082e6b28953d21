//! Static checks of a finished image: takes an opened card and what its board needs, gives what is wrong, every fault at
//! once. Nothing is run, nothing is written, and it takes a second.

mod firmware;
mod initramfs;
mod system;

use std::fmt;

use anyhow::Result;

use super::card::Card;

/// What a board asks of an image, besides what every image must have.
#[derive(Debug, Clone)]
pub struct Needs {
    /// The processor.
    pub machine: Machine,
    /// Files without which its firmware does not start.
    pub firmware: Vec<String>,
    /// Names of its device trees, without folder; none for a machine that brings its own.
    pub device_trees: Vec<String>,
    /// Kernel modules between its processor and its card.
    pub storage: Vec<String>,
}

/// A processor that images are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// 64-bit Arm.
    Arm64,
    /// 64-bit x86.
    Amd64,
}

impl Machine {
    /// Debian's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Machine::Arm64 => "arm64",
            Machine::Amd64 => "amd64",
        }
    }

    /// Its number in the header of a program.
    fn elf(self) -> u16 {
        match self {
            Machine::Arm64 => 183,
            Machine::Amd64 => 62,
        }
    }
}

/// What is wrong with an image.
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

/// Looks at everything; refuses an image with a fault.
pub fn check(card: &Card, needs: &Needs) -> Result<()> {
    let faults = faults(card, needs);
    if faults.is_empty() { Ok(()) } else { Err(Faults(faults).into()) }
}

/// Everything that is wrong. What cannot be read is a fault like any other, and hides only what depends on it.
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

/// The processor that a program is for; none where the bytes are no program.
fn elf_machine(bytes: &[u8]) -> Option<u16> {
    let header = bytes.get(..20).filter(|header| header.starts_with(b"\x7fELF"))?;
    let machine = [header[18], header[19]];
    Some(if header[5] == 2 { u16::from_be_bytes(machine) } else { u16::from_le_bytes(machine) })
}
