//! Checks the boot partition as firmware and kernel read it: every referenced file exists and has the right
//! type.

use super::{Card, Machine, Needs};
use crate::card::start::Start;
use crate::card::volume::Volume;

/// Magic number of a flattened device tree.
const TREE: [u8; 4] = [0xd0, 0x0d, 0xfe, 0xed];

/// The smallest limit of any supported firmware.
const LONGEST_COMMAND_LINE: usize = 1024;

/// Checks the files and returns name and content of the initramfs.
pub(super) fn check(
    volume: &Volume<'_>,
    card: &Card,
    needs: &Needs,
    faults: &mut Vec<String>,
) -> Option<(String, Vec<u8>)> {
    let start = Start::read(volume).map_err(|error| faults.push(format!("{error:#}"))).ok()?;
    for name in needs.firmware.iter().chain(&start.named) {
        if volume.find(name).is_none() {
            faults.push(format!("boot partition: `{name}` does not exist"));
        }
    }
    for tree in &needs.device_trees {
        device_tree(volume, &start.prefixed(tree), faults);
    }
    command_line(&start, card, faults);
    // A missing kernel was reported above.
    if let Ok(kernel) = volume.read(&start.kernel)
        && !is_kernel(&kernel, needs.machine)
    {
        faults.push(format!(
            "boot partition: `{}` is not a kernel for {}",
            start.kernel,
            needs.machine.name()
        ));
    }
    volume.read(&start.initramfs).ok().map(|packed| (start.initramfs, packed))
}

fn device_tree(volume: &Volume<'_>, name: &str, faults: &mut Vec<String>) {
    match volume.read(name) {
        Err(_) => faults.push(format!("boot partition: device tree `{name}` does not exist")),
        Ok(tree) => {
            let size = tree.get(4..8).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]));
            if !tree.starts_with(&TREE) || size.is_none_or(|size| size as usize > tree.len()) {
                faults.push(format!("boot partition: `{name}` is not a complete device tree"));
            }
        }
    }
}

fn command_line(start: &Start, card: &Card, faults: &mut Vec<String>) {
    let text = &start.command_line;
    let mut wrong = |what: String| faults.push(format!("boot partition: `{}`: {what}", start.source));
    // The firmware takes the first line, and the kernel truncates it.
    if text.trim_end_matches('\n').contains('\n') || text.len() > LONGEST_COMMAND_LINE {
        wrong(format!("must be one line of at most {LONGEST_COMMAND_LINE} characters"));
    }
    let root = format!("root=PARTUUID={:08x}-02", card.signature());
    if !text.split_whitespace().any(|word| word == root) {
        wrong(format!("lacks `{root}`, the root partition of this card"));
    }
    if !text.split_whitespace().any(|word| word == "rootwait") {
        wrong("lacks `rootwait`, because a card appears late".to_owned());
    }
}

fn is_kernel(kernel: &[u8], machine: Machine) -> bool {
    match machine {
        // The firmware decompresses it.
        Machine::Arm64 if kernel.starts_with(&[0x1f, 0x8b]) => true,
        Machine::Arm64 => kernel.get(56..60) == Some(b"ARM\x64"),
        Machine::Amd64 => kernel.get(0x202..0x206) == Some(b"HdrS"),
    }
}
