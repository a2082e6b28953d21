//! Determines how a machine starts from the boot partition: reads the firmware's files and returns kernel,
//! initramfs, command line and all other referenced files.

use anyhow::{Context, Result, bail, ensure};

use super::volume::Volume;

/// Configuration of a Raspberry Pi's firmware.
const CONFIG: &str = "config.txt";

/// Entries of a UEFI boot loader.
const ENTRIES: &str = "loader/entries/";

/// Limit for files that `config.txt` includes; more would be a cycle.
const MOST_FILES: usize = 16;

/// The files a machine starts from.
#[derive(Debug)]
pub struct Start {
    /// Path of the kernel.
    pub kernel: String,
    /// Path of the initramfs.
    pub initramfs: String,
    /// Path of the file with the kernel command line.
    pub source: String,
    /// The kernel command line.
    pub command_line: String,
    /// `os_prefix` of all paths, with a trailing slash; usually empty.
    pub prefix: String,
    /// All referenced files.
    pub named: Vec<String>,
}

impl Start {
    /// Reads the configuration for all boards at once: files under any filter count as referenced.
    pub fn read(volume: &Volume<'_>) -> Result<Start> {
        if volume.find(CONFIG).is_some() { config(volume) } else { entry(volume) }
    }

    /// Returns a file's path on the partition.
    pub fn prefixed(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

fn config(volume: &Volume<'_>) -> Result<Start> {
    let (mut open, mut seen) = (vec![CONFIG.to_owned()], 0);
    let mut overlays = Vec::new();
    let mut start = Start {
        kernel: "kernel8.img".to_owned(),
        initramfs: String::new(),
        source: "cmdline.txt".to_owned(),
        command_line: String::new(),
        prefix: String::new(),
        named: Vec::new(),
    };
    while let Some(file) = open.pop() {
        seen += 1;
        ensure!(seen <= MOST_FILES, "boot partition: `{CONFIG}`: endless includes");
        text(volume, &file)?
            .lines()
            .for_each(|line| line_of(line.trim(), &mut start, &mut open, &mut overlays));
    }
    start.kernel = start.prefixed(&start.kernel);
    start.initramfs = start.prefixed(&start.initramfs);
    start.source = start.prefixed(&start.source);
    start.command_line = text(volume, &start.source)?;
    let overlays: Vec<String> =
        overlays.iter().map(|name| start.prefixed(&format!("overlays/{name}.dtbo"))).collect();
    start.named.extend(overlays);
    start.named.extend([start.kernel.clone(), start.initramfs.clone()]);
    Ok(start)
}

fn line_of(line: &str, start: &mut Start, open: &mut Vec<String>, overlays: &mut Vec<String>) {
    if let Some(file) = line.strip_prefix("include ") {
        open.push(file.trim().to_owned());
    } else if let Some(value) = line.strip_prefix("initramfs ") {
        // Several files may be joined by commas; a load address may follow.
        let names = value.split_whitespace().next().unwrap_or_default();
        start.initramfs = names.split(',').next().unwrap_or_default().to_owned();
        start.named.extend(names.split(',').skip(1).map(str::to_owned));
    }
    let Some((key, value)) = line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) else {
        return;
    };
    match key {
        "kernel" => start.kernel = value.to_owned(),
        "ramfsfile" => start.initramfs = value.to_owned(),
        "cmdline" => start.source = value.to_owned(),
        "os_prefix" => start.prefix = value.to_owned(),
        "device_tree" | "armstub" | "start_file" | "fixup_file" if !value.is_empty() => {
            start.named.push(value.to_owned());
        }
        "dtoverlay" | "device_tree_overlay" => {
            let name = value.split([',', ':']).next().unwrap_or_default();
            overlays.extend((!name.is_empty()).then(|| name.to_owned()));
        }
        _ => {}
    }
}

/// Reads the newest entry, which starts by default.
fn entry(volume: &Volume<'_>) -> Result<Start> {
    let entries = volume.names().filter(|name| name.starts_with(ENTRIES) && name.ends_with(".conf"));
    let Some(source) = entries.max().map(str::to_owned) else {
        bail!(
            "boot partition: neither `{CONFIG}` nor a file in `{ENTRIES}` exists, so no machine can start from it"
        );
    };
    let entry = text(volume, &source)?;
    let value = |key: &str| -> Result<String> {
        let value = entry.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix([' ', '\t']));
        Ok(value.with_context(|| format!("boot partition: `{source}`: no `{key}` in it"))?.trim().to_owned())
    };
    let file = |key: &str| value(key).map(|path| path.trim_start_matches('/').to_owned());
    let (kernel, initramfs) = (file("linux")?, file("initrd")?);
    let named = vec![kernel.clone(), initramfs.clone()];
    Ok(Start { kernel, initramfs, command_line: value("options")?, source, prefix: String::new(), named })
}

fn text(volume: &Volume<'_>, file: &str) -> Result<String> {
    String::from_utf8(volume.read(file)?).with_context(|| format!("boot partition: `{file}`: not UTF-8"))
}
