//! A program that was built elsewhere, once for each processor, and is known by its checksum.

use catalog::model::{Binary, Payload};
use workspace::target::Target;

use super::{Faults, describe, elf, file_mode};
use crate::entry::{Entry, Kind};

/// Collects the program for a target.
pub(super) fn collect(
    payload: &Payload,
    binaries: &[Binary],
    target: Target,
    report: Faults<'_>,
) -> Vec<Entry> {
    let Some(binary) = binaries.iter().find(|binary| binary.processor == target.deb) else {
        let todo = "write `binary.PROCESSOR` for it, or build other packages with `--target`";
        report(payload, format!("has no program for {}: {todo}", target.deb));
        return Vec::new();
    };
    let source = &binary.from;
    let mut refuse = |text: String| {
        report(payload, format!("`{}` {text}", source.display()));
        Vec::new()
    };
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let entry = Entry::file(format!("{}/{name}", payload.dir), source, file_mode(payload, true));
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => {
            return refuse(format!(
                "cannot be read: {}: build it first, or correct the path",
                describe(&error)
            ));
        }
    };
    if let Kind::File { sha256, .. } = &entry.kind
        && *sha256 != binary.sha256
    {
        let todo = "check where it comes from, and write the new checksum if it is the right one";
        return refuse(format!("has the SHA-256 {sha256}, and the catalog says {}: {todo}", binary.sha256));
    }
    match elf::read(source) {
        Ok(Some(_)) => vec![entry],
        Ok(None) => refuse("is not a program (ELF): bring scripts and data with `files`".to_owned()),
        Err(error) => refuse(format!("cannot be read: {}", describe(&error))),
    }
}
