//! Reads and checks the test data in `image/test/`: boards, machines and products.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use workspace::Workspace;

use crate::check::{Machine, Needs};

/// The folder in the checkout.
pub(super) const FOLDER: &str = "image/test";

/// Test requirements of a board.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Board {
    /// Name of the file without `.toml`.
    #[serde(skip)]
    pub name: String,
    architecture: String,
    /// The fastest machine its image boots on.
    machine: String,
    /// The emulator's model of the board.
    board_machine: Option<String>,
    #[serde(default)]
    firmware: Vec<String>,
    #[serde(default)]
    device_trees: Vec<String>,
    storage: Vec<String>,
}

/// A machine of the emulator.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Model {
    /// Name of the file without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// The emulator program.
    pub program: String,
    package: String,
    /// Host files it needs, such as firmware, each with the package that contains it.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Device tree to take from the card.
    pub device_tree: Option<String>,
    /// Arguments, with placeholders in braces (see `emulator.rs`).
    pub arguments: Vec<String>,
    /// Console for kernel messages.
    pub console: String,
    /// The machine's device for the report: a separate line or the console.
    pub report: String,
    /// Additional kernel parameters.
    #[serde(default)]
    pub command_line: Vec<String>,
    /// File with probes that only this machine runs.
    pub probes: Option<String>,
}

/// A command to run and its expected result.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Name of the probe.
    pub name: String,
    /// Shell command.
    pub command: String,
    /// User to run it as; root by default.
    pub user: Option<String>,
    /// Expected exit status.
    #[serde(default)]
    pub exit: i32,
    /// Expected output, without surrounding white space.
    pub output: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Probes {
    probe: Vec<Probe>,
}

impl Board {
    /// Reads a board by name.
    pub fn read(workspace: &Workspace, name: &str) -> Result<Board> {
        let mut board: Board = read(&workspace.path(&format!("{FOLDER}/boards/{name}.toml")))?;
        board.name = name.to_owned();
        Ok(board)
    }

    /// Returns the requirements for its images.
    pub fn needs(&self) -> Result<Needs> {
        let machine = match self.architecture.as_str() {
            "arm64" => Machine::Arm64,
            "amd64" => Machine::Amd64,
            other => {
                bail!(
                    "`{FOLDER}/boards/{}.toml`: unknown processor `{other}`: expected amd64 or arm64",
                    self.name
                )
            }
        };
        Ok(Needs {
            machine,
            firmware: self.firmware.clone(),
            device_trees: self.device_trees.clone(),
            storage: self.storage.clone(),
        })
    }

    /// Returns the machine to boot its images on.
    pub(super) fn model(&self, workspace: &Workspace, itself: bool) -> Result<Model> {
        let name = match (&self.board_machine, itself) {
            (Some(name), true) => name,
            (None, true) => {
                bail!("the emulator has no model of a {}: test without --on-board", self.name)
            }
            (_, false) => &self.machine,
        };
        let mut model: Model = read(&workspace.path(&format!("{FOLDER}/machines/{name}.toml")))?;
        model.name = name.clone();
        Ok(model)
    }
}

impl Model {
    /// Returns whether the report shares the console with kernel messages.
    pub(super) fn answers_on_console(&self) -> bool {
        let console = self.console.split(',').next().unwrap_or_default();
        self.report.strip_prefix("/dev/") == Some(console)
    }

    /// Checks that the emulator and the files it needs exist.
    pub(super) fn is_there(&self) -> Result<()> {
        let path = env::var_os("PATH").unwrap_or_default();
        let program = env::split_paths(&path).any(|folder| folder.join(&self.program).is_file());
        let missing = (!program).then_some((&self.program, &self.package));
        let files = self.files.iter().filter(|(file, _)| !Path::new(file).is_file());
        let (names, packages): (Vec<&str>, BTreeSet<&str>) =
            missing.into_iter().chain(files).map(|(name, package)| (name.as_str(), package.as_str())).unzip();
        if names.is_empty() {
            return Ok(());
        }
        bail!(
            "`{}`: not installed, but required to boot the image: run `apt-get install {}`, or the equivalent",
            names.join("`, `"),
            packages.into_iter().collect::<Vec<_>>().join(" ")
        )
    }
}

/// Reads the probes in a file.
pub(super) fn probes(path: &Path) -> Result<Vec<Probe>> {
    Ok(read::<Probes>(path)?.probe)
}

/// Returns the board of an image: the given one, or the one in its name, `PRODUCT-BOARD-VERSION`.
pub(super) fn board_name(workspace: &Workspace, image: &Path, requested: Option<&str>) -> Result<String> {
    let known = stems(&workspace.path(&format!("{FOLDER}/boards")))?;
    if let Some(name) = requested {
        if !known.iter().any(|board| board == name) {
            bail!("unknown board `{name}`: expected one of {}", known.join(", "));
        }
        return Ok(name.to_owned());
    }
    let file = file_name(image);
    known.iter().find(|board| file.contains(&format!("-{board}-"))).cloned().with_context(|| {
        format!(
            "`{}`: cannot tell its board from its name: add --board with one of {}",
            image.display(),
            known.join(", ")
        )
    })
}

/// Returns the products whose probes to run: the given ones, or the one in the image's name.
pub(super) fn products(workspace: &Workspace, image: &Path, requested: &[String]) -> Result<Vec<String>> {
    let known = stems(&workspace.path(&format!("{FOLDER}/products")))?;
    if let Some(stranger) = requested.iter().find(|name| !known.contains(name)) {
        bail!(
            "no boot test for product `{stranger}`: expected one of {}: add one in {FOLDER}/products",
            known.join(", ")
        );
    }
    if !requested.is_empty() {
        return Ok(requested.to_vec());
    }
    let file = file_name(image);
    Ok(known.into_iter().filter(|product| file.starts_with(&format!("{product}-"))).collect())
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn stems(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("`{}`", folder.display()))?;
    let mut stems = Vec::new();
    for entry in entries {
        stems.extend(entry?.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    stems.sort();
    Ok(stems)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("`{}`", path.display()))?;
    toml::from_str(&text).with_context(|| format!("`{}`", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Model;

    #[test]
    fn what_is_missing_of_a_machine_is_said_in_one_line() {
        let text = "program = \"no-such-emulator\"\npackage = \"an-emulator\"\narguments = []\nconsole = \"\"\nreport = \"\"\n\
            files = { \"/no/CODE.fd\" = \"a-firmware\", \"/no/VARS.fd\" = \"a-firmware\", \"/etc/passwd\" = \"x\" }\n";
        let mut model: Model = toml::from_str(text).unwrap();
        assert_eq!(
            model.is_there().unwrap_err().to_string(),
            "`no-such-emulator`, `/no/CODE.fd`, `/no/VARS.fd`: not installed, but required to boot the image: run \
             `apt-get install a-firmware an-emulator`, or the equivalent"
        );
        model.program = "sh".to_owned();
        model.files.clear();
        model.is_there().unwrap();
    }
}
