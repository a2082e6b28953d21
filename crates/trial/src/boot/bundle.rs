//! Builds the test bundle for a card: an archive of the probes and of stand-ins for what products expect on a
//! robot, and the unit that unpacks it and runs the probes.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tar::{Builder, EntryType, Header};
use walkdir::WalkDir;
use workspace::Workspace;

use super::data::{self, FOLDER, Model, Probe};

/// Folder on the machine.
const HOME: &str = "run/boot-test";

/// Which probes to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The probes for a boot.
    Boot,
    /// The probes for an upgrade, then those for a boot.
    Upgrade,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Boot => "boot",
            Phase::Upgrade => "upgrade",
        }
    }

    /// Returns the kernel parameter that selects the phase.
    pub(super) fn word(self) -> String {
        format!("boot-test={}", self.name())
    }
}

/// The probes and their files.
#[derive(Debug)]
pub struct Bundle {
    /// Probes to run after a boot, in order.
    boot: Vec<Probe>,
    /// Probes to run before those when a package is upgraded.
    upgrade: Vec<Probe>,
    /// The first-boot file to put on the card.
    pub custom: Option<Vec<u8>>,
    /// Path on the machine, mode and content.
    files: Vec<(String, u32, Vec<u8>)>,
    unit: String,
    script: Vec<u8>,
}

impl Bundle {
    /// Reads the probes of every machine, of this one, and of the products.
    pub fn read(workspace: &Workspace, products: &[String], model: &Model) -> Result<Bundle> {
        let home = workspace.path(FOLDER);
        let file = |name: &str| {
            let path = home.join(name);
            fs::read(&path).with_context(|| format!("`{}`", path.display()))
        };
        let mut bundle = Bundle {
            boot: data::probes(&home.join("probes.toml"))?,
            upgrade: data::probes(&home.join("upgrade.toml"))?,
            custom: None,
            files: Vec::new(),
            unit: String::from_utf8(file("boot-test.service")?)?,
            script: file("run.sh")?,
        };
        if let Some(file) = &model.probes {
            bundle.boot.extend(data::probes(&home.join(file))?);
        }
        for product in products {
            let folder = home.join("products").join(product);
            bundle.boot.extend(data::probes(&folder.join("probes.toml"))?);
            // Only one first-boot file is possible: the first product's.
            if bundle.custom.is_none() {
                bundle.custom = fs::read(folder.join("custom.toml")).ok();
            }
            bundle.files.extend(tree(&folder.join("root"))?);
        }
        Ok(bundle)
    }

    /// Returns the probes of a phase.
    pub fn probes(&self, phase: Phase) -> Vec<Probe> {
        let before = if phase == Phase::Upgrade { &self.upgrade[..] } else { &[] };
        [before, &self.boot].concat()
    }

    /// Returns the archive, to be unpacked at the root of the machine.
    pub fn archive(&self, model: &Model, next: Option<&Path>) -> Result<Vec<u8>> {
        let mut archive = Builder::new(Vec::new());
        let mut add = |path: &str, mode: u32, content: &[u8]| {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_mode(mode);
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, path, content)
        };
        for (path, mode, content) in &self.files {
            add(path, *mode, content)?;
        }
        add(&format!("{HOME}/run.sh"), 0o755, &self.script)?;
        add(&format!("{HOME}/device"), 0o644, format!("{}\n", model.report).as_bytes())?;
        if let Some(next) = next {
            let package = fs::read(next).with_context(|| format!("`{}`", next.display()))?;
            add(&format!("{HOME}/next.deb"), 0o644, &package)?;
        }
        for phase in [Phase::Boot, Phase::Upgrade] {
            for (number, probe) in self.probes(phase).iter().enumerate() {
                let name = format!("{HOME}/{}/{number:03}-{}", phase.name(), probe.name);
                add(&format!("{name}.sh"), 0o644, format!("{}\n", probe.command).as_bytes())?;
                if let Some(user) = &probe.user {
                    add(&format!("{name}.user"), 0o644, format!("{user}\n").as_bytes())?;
                }
            }
        }
        Ok(archive.into_inner()?)
    }

    /// Returns the kernel parameters that define the unit.
    pub fn unit_words(&self) -> [String; 2] {
        // Comments are dropped, because the kernel command line is short.
        let lines = self.unit.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let unit: String = lines.map(|line| format!("{line}\n")).collect();
        [
            format!(
                "systemd.set_credential_binary=systemd.extra-unit.boot-test.service:{}",
                base64(unit.as_bytes())
            ),
            "systemd.wants=boot-test.service".to_owned(),
        ]
    }
}

fn tree(folder: &Path) -> Result<Vec<(String, u32, Vec<u8>)>> {
    use std::os::unix::fs::PermissionsExt;
    let mut files = Vec::new();
    if !folder.exists() {
        return Ok(files);
    }
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry?;
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(folder)?.to_string_lossy().into_owned();
            let executable = entry.metadata()?.permissions().mode() & 0o100 != 0;
            files.push((path, if executable { 0o755 } else { 0o644 }, fs::read(entry.path())?));
        }
    }
    Ok(files)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let bits =
            part.iter().fold(0, |bits: u32, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        for index in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * index)) as usize & 63];
            text.push(if index <= part.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_everybody() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
