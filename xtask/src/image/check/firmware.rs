//! The boot partition, as a board's firmware and the kernel read it: every file that is named is there, and is what it is
//! named for.

use super::{Card, Machine, Needs};
use crate::image::card::volume::Volume;

const CONFIG: &str = "config.txt";

/// What a flattened device tree begins with.
const TREE: [u8; 4] = [0xd0, 0x0d, 0xfe, 0xed];

/// The end of the kernel's memory for its command line, on the board with the least of it.
const LONGEST_COMMAND_LINE: usize = 1024;

/// Files that `config.txt` includes, and those include: more is a circle.
const MOST_FILES: usize = 16;

/// Checks the files, and gives name and content of the initramfs.
pub(super) fn check(
    volume: &Volume<'_>,
    card: &Card,
    needs: &Needs,
    faults: &mut Vec<String>,
) -> Option<(String, Vec<u8>)> {
    let config = if needs.firmware.is_empty() { Config::default() } else { Config::read(volume, faults) };
    for name in needs.firmware.iter().chain(&config.named) {
        if volume.find(name).is_none() {
            faults.push(format!("boot partition: `{name}` is not there"));
        }
    }
    for tree in &needs.device_trees {
        device_tree(volume, &config.prefixed(tree), faults);
    }
    command_line(volume, card, &config.prefixed(&config.command_line), faults);
    kernel(volume, needs.machine, &config.prefixed(&config.kernel), faults);
    let name = config.prefixed(&config.initramfs);
    volume.read(&name).map_err(|error| faults.push(format!("{error:#}"))).ok().map(|packed| (name, packed))
}

/// What the firmware is told.
#[derive(Debug)]
struct Config {
    prefix: String,
    kernel: String,
    initramfs: String,
    command_line: String,
    /// Every other file that it names.
    named: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            prefix: String::new(),
            kernel: "vmlinuz".to_owned(),
            initramfs: "initrd.img".to_owned(),
            command_line: "cmdline.txt".to_owned(),
            named: Vec::new(),
        }
    }
}

impl Config {
    /// Reads it as for every board at once: what stands under a filter is named, too.
    fn read(volume: &Volume<'_>, faults: &mut Vec<String>) -> Config {
        let mut config = Config { kernel: "kernel8.img".to_owned(), ..Config::default() };
        let (mut open, mut seen) = (vec![CONFIG.to_owned()], 0);
        let mut overlays = Vec::new();
        while let Some(file) = open.pop() {
            seen += 1;
            if seen > MOST_FILES {
                faults.push(format!("boot partition: `{CONFIG}`: includes files without an end"));
                break;
            }
            match volume.read(&file).map(String::from_utf8) {
                Ok(Ok(text)) => {
                    text.lines().for_each(|line| config.line(line.trim(), &mut open, &mut overlays))
                }
                Ok(Err(_)) => faults.push(format!("boot partition: `{file}`: is no text")),
                Err(error) => faults.push(format!("{error:#}")),
            }
        }
        let overlays = overlays.iter().map(|name| config.prefixed(&format!("overlays/{name}.dtbo")));
        let named =
            [&config.kernel, &config.initramfs, &config.command_line].map(|name| config.prefixed(name));
        let all: Vec<String> = overlays.chain(named).collect();
        config.named.extend(all);
        config
    }

    fn line(&mut self, line: &str, open: &mut Vec<String>, overlays: &mut Vec<String>) {
        if let Some(file) = line.strip_prefix("include ") {
            open.push(file.trim().to_owned());
        } else if let Some(value) = line.strip_prefix("initramfs ") {
            // Several files, joined by commas, are put one behind the other; then comes where in memory.
            let names = value.split_whitespace().next().unwrap_or_default();
            self.initramfs = names.split(',').next().unwrap_or_default().to_owned();
            self.named.extend(names.split(',').skip(1).map(str::to_owned));
        }
        let Some((key, value)) = line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) else {
            return;
        };
        match key {
            "kernel" => self.kernel = value.to_owned(),
            "ramfsfile" => self.initramfs = value.to_owned(),
            "cmdline" => self.command_line = value.to_owned(),
            "os_prefix" => self.prefix = value.to_owned(),
            "device_tree" | "armstub" | "start_file" | "fixup_file" if !value.is_empty() => {
                self.named.push(value.to_owned());
            }
            "dtoverlay" | "device_tree_overlay" => {
                let name = value.split([',', ':']).next().unwrap_or_default();
                overlays.extend((!name.is_empty()).then(|| name.to_owned()));
            }
            _ => {}
        }
    }

    fn prefixed(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
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

fn command_line(volume: &Volume<'_>, card: &Card, name: &str, faults: &mut Vec<String>) {
    // That it is missing has been said, if it is named; a machine without firmware has it all the same.
    let text = match volume.read(name) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => return faults.push(format!("{error:#}")),
    };
    let mut wrong = |what: String| faults.push(format!("boot partition: `{name}`: {what}"));
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

fn kernel(volume: &Volume<'_>, machine: Machine, name: &str, faults: &mut Vec<String>) {
    let kernel = match volume.read(name) {
        Ok(kernel) => kernel,
        Err(error) => return faults.push(format!("{error:#}")),
    };
    let found = match machine {
        // The firmware unpacks it by itself.
        Machine::Arm64 if kernel.starts_with(&[0x1f, 0x8b]) => true,
        Machine::Arm64 => kernel.get(56..60) == Some(b"ARM\x64"),
        Machine::Amd64 => kernel.get(0x202..0x206) == Some(b"HdrS"),
    };
    if !found {
        faults.push(format!("boot partition: `{name}` is no kernel for {}", machine.name()));
    }
}
