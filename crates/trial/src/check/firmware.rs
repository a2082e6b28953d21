//! The boot partition, as a board's firmware and the kernel read it: every file that is named is there, and is what it is
//! named for.

use super::{Card, Machine, Needs};
use crate::card::start::Start;
use crate::card::volume::Volume;

/// What a flattened device tree begins with.
const TREE: [u8; 4] = [0xd0, 0x0d, 0xfe, 0xed];

/// What the firmware with the least of it has room for.
const LONGEST_COMMAND_LINE: usize = 1024;

/// Checks the files, and gives name and content of the initramfs.
pub(super) fn check(
    volume: &Volume<'_>,
    card: &Card,
    needs: &Needs,
    faults: &mut Vec<String>,
) -> Option<(String, Vec<u8>)> {
    let start = Start::read(volume).map_err(|error| faults.push(format!("{error:#}"))).ok()?;
    for name in needs.firmware.iter().chain(&start.named) {
        if volume.find(name).is_none() {
            faults.push(format!("boot partition: `{name}` is not there"));
        }
    }
    for tree in &needs.device_trees {
        device_tree(volume, &start.prefixed(tree), faults);
    }
    command_line(&start, card, faults);
    // That it is missing has been said.
    if let Ok(kernel) = volume.read(&start.kernel)
        && !is_kernel(&kernel, needs.machine)
    {
        faults.push(format!("boot partition: `{}` is no kernel for {}", start.kernel, needs.machine.name()));
    }
    volume.read(&start.initramfs).ok().map(|packed| (start.initramfs, packed))
}

fn device_tree(volume: &Volume<'_>, name: &str, faults: &mut Vec<String>) {
    match volume.read(name) {
        Err(_) => faults.push(format!("boot partition: device tree `{name}` is not there")),
        Ok(tree) => {
            let size = tree.get(4..8).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]));
            if !tree.starts_with(&TREE) || size.is_none_or(|size| size as usize > tree.len()) {
                faults.push(format!("boot partition: `{name}` is no whole device tree"));
            }
        }
    }
}

fn command_line(start: &Start, card: &Card, faults: &mut Vec<String>) {
    let text = &start.command_line;
    let mut wrong = |what: String| faults.push(format!("boot partition: `{}`: {what}", start.source));
    // The firmware takes the first line, and the kernel what fits.
    if text.trim_end_matches('\n').contains('\n') || text.len() > LONGEST_COMMAND_LINE {
        wrong(format!("more than one line of {LONGEST_COMMAND_LINE} characters"));
    }
    let root = format!("root=PARTUUID={:08x}-02", card.signature());
    if !text.split_whitespace().any(|word| word == root) {
        wrong(format!("does not say `{root}`, which is this card's root"));
    }
    if !text.split_whitespace().any(|word| word == "rootwait") {
        wrong("does not say `rootwait`: a card is not there at once".to_owned());
    }
}

fn is_kernel(kernel: &[u8], machine: Machine) -> bool {
    match machine {
        // The firmware unpacks it by itself.
        Machine::Arm64 if kernel.starts_with(&[0x1f, 0x8b]) => true,
        Machine::Arm64 => kernel.get(56..60) == Some(b"ARM\x64"),
        Machine::Amd64 => kernel.get(0x202..0x206) == Some(b"HdrS"),
    }
}
