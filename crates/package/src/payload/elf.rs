//! Reads the headers of programs (ELF): the processor that they are for, and the shared libraries that they need.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use object::elf::{FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader};
use object::{Endianness, FileKind, ReadCache, elf};
use workspace::target::Target;

/// Processors and their names in Debian.
const MACHINES: [(u16, &str); 5] = [
    (elf::EM_386, "i386"),
    (elf::EM_ARM, "armhf"),
    (elf::EM_X86_64, "amd64"),
    (elf::EM_AARCH64, "arm64"),
    (elf::EM_RISCV, "riscv64"),
];

/// A program or shared library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Elf {
    /// Processor, as the file numbers it.
    pub machine: u16,
    /// Shared libraries that it needs.
    pub needed: Vec<String>,
    /// Versions of symbols that it needs, with the library that has them: `(libc.so.6, GLIBC_2.34)`.
    pub versions: Vec<(String, String)>,
}

/// Reads a file, or returns `None` if it is not an ELF file. The error is the second part of a message on the file.
pub(super) fn read(path: &Path) -> Result<Option<Result<Elf, String>>> {
    let unreadable = || format!("`{}`: cannot be read", path.display());
    // Most files of a payload are not programs.
    let mut start = [0; 64];
    let length = std::io::Read::read(&mut fs::File::open(path).with_context(unreadable)?, &mut start)
        .with_context(unreadable)?;
    if !start[..length].starts_with(&elf::ELFMAG) {
        return Ok(None);
    }
    // A program can be larger than the memory.
    let bytes = ReadCache::new(fs::File::open(path).with_context(unreadable)?);
    let elf = match FileKind::parse(&bytes) {
        Ok(FileKind::Elf64) => parse::<FileHeader64<Endianness>>(&bytes),
        Ok(FileKind::Elf32) => parse::<FileHeader32<Endianness>>(&bytes),
        _ => return Ok(Some(Err("is a truncated program (ELF): build it again".to_owned()))),
    };
    Ok(Some(elf.map_err(|error| format!("is a damaged program (ELF): {error}: build it again"))))
}

fn parse<H: FileHeader<Endian = Endianness>>(bytes: &ReadCache<fs::File>) -> object::Result<Elf> {
    let header = H::parse(bytes)?;
    let endian = header.endian()?;
    let mut read = Elf { machine: header.e_machine(endian), ..Elf::default() };
    let sections = header.sections(endian, bytes)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if let Some((dynamic, strings)) = sections.dynamic(endian, bytes)? {
        let strings = sections.strings(endian, bytes, strings)?;
        for entry in dynamic.iter().filter(|entry| entry.tag(endian) == elf::DT_NEEDED) {
            read.needed.push(text(entry.string(endian, strings)?));
        }
    }
    if let Some((mut libraries, strings)) = sections.gnu_verneed(endian, bytes)? {
        let strings = sections.strings(endian, bytes, strings)?;
        while let Some((library, mut versions)) = libraries.next()? {
            let name = text(library.file(endian, strings)?);
            while let Some(version) = versions.next()? {
                read.versions.push((name.clone(), text(version.name(endian, strings)?)));
            }
        }
    }
    Ok(read)
}

/// Returns the processor of a target.
pub(super) fn machine(target: Target) -> u16 {
    MACHINES.into_iter().find(|(_, name)| *name == target.deb).map_or(0, |(machine, _)| machine)
}

/// Returns the name of a processor in Debian's spelling.
pub(super) fn name(machine: u16) -> String {
    MACHINES
        .into_iter()
        .find(|(number, _)| *number == machine)
        .map_or_else(|| format!("processor {machine}"), |(_, name)| name.to_owned())
}
