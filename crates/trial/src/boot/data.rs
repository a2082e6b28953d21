//! What the boot test knows of boards, machines and products: takes `image/test/`, which is data, and gives it checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use workspace::Workspace;

use crate::check::{Machine, Needs};

/// Where it is, in the checkout.
pub(super) const FOLDER: &str = "image/test";

/// What an image for a board is held against.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Board {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    architecture: String,
    /// The quickest machine that its image boots on.
    machine: String,
    /// The emulator's machine that is the board.
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
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    /// The emulator.
    pub program: String,
    package: String,
    /// Files that it takes from the host, such as its firmware, and the package that brings each.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// The device tree that it takes from the card.
    pub device_tree: Option<String>,
    /// With names in braces for what is different each time, as `emulator.rs` has them.
    pub arguments: Vec<String>,
    /// Where the kernel's messages go.
    pub console: String,
    /// Where answers go, as the machine calls it: a line of their own, or that of the messages.
    pub report: String,
    /// Further words for its kernel.
    #[serde(default)]
    pub command_line: Vec<String>,
    /// The file with what is asked only there.
    pub probes: Option<String>,
}

/// A question, and the answer to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What it is about.
    pub name: String,
    /// What is run.
    pub command: String,
    /// Who runs it; root if nobody is named.
    pub user: Option<String>,
    /// Its exit status.
    #[serde(default)]
    pub exit: i32,
    /// What it prints, but for spaces around it.
    pub output: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Probes {
    probe: Vec<Probe>,
}

impl Board {
    /// The board of that name.
    pub fn read(workspace: &Workspace, name: &str) -> Result<Board> {
        let mut board: Board = read(&workspace.path(&format!("{FOLDER}/boards/{name}.toml")))?;
        board.name = name.to_owned();
        Ok(board)
    }

    /// What its images must have.
    pub fn needs(&self) -> Result<Needs> {
        let machine = match self.architecture.as_str() {
            "arm64" => Machine::Arm64,
            "amd64" => Machine::Amd64,
            other => {
                bail!("`{FOLDER}/boards/{}.toml`: `{other}` is no processor: known: amd64, arm64", self.name)
            }
        };
        Ok(Needs {
            machine,
            firmware: self.firmware.clone(),
            device_trees: self.device_trees.clone(),
            storage: self.storage.clone(),
        })
    }

    /// What its images are booted on.
    pub(super) fn model(&self, workspace: &Workspace, itself: bool) -> Result<Model> {
        let name = match (&self.board_machine, itself) {
            (Some(name), true) => name,
            (None, true) => {
                bail!("the emulator has no machine that is a {}: test without --on-board", self.name)
            }
            (_, false) => &self.machine,
        };
        let mut model: Model = read(&workspace.path(&format!("{FOLDER}/machines/{name}.toml")))?;
        model.name = name.clone();
        Ok(model)
    }
}

impl Model {
    /// Whether answers stand between the kernel's messages.
    pub(super) fn answers_on_console(&self) -> bool {
        let console = self.console.split(',').next().unwrap_or_default();
        self.report.strip_prefix("/dev/") == Some(console)
    }

    /// Refuses when the emulator is missing, or a file that it starts with.
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
            "`{}`: not installed, and needed to boot the image: run `apt-get install {}` or its equivalent",
            names.join("`, `"),
            packages.into_iter().collect::<Vec<_>>().join(" ")
        )
    }
}

/// The questions in a file.
pub(super) fn probes(path: &Path) -> Result<Vec<Probe>> {
    Ok(read::<Probes>(path)?.probe)
}

/// What an image is for, by what was said or by its name, which is `PRODUCT-BOARD-VERSION`.
pub(super) fn board_name(workspace: &Workspace, image: &Path, said: Option<&str>) -> Result<String> {
    let known = stems(&workspace.path(&format!("{FOLDER}/boards")))?;
    if let Some(name) = said {
        if !known.iter().any(|board| board == name) {
            bail!("`{name}` is no board here: known: {}", known.join(", "));
        }
        return Ok(name.to_owned());
    }
    let file = file_name(image);
    known.iter().find(|board| file.contains(&format!("-{board}-"))).cloned().with_context(|| {
        format!(
            "`{}`: its name does not say what board it is for: add --board, of {}",
            image.display(),
            known.join(", ")
        )
    })
}

/// Whose questions are asked: of products that were named, or that the image's name begins with.
pub(super) fn products(workspace: &Workspace, image: &Path, said: &[String]) -> Result<Vec<String>> {
    let known = stems(&workspace.path(&format!("{FOLDER}/products")))?;
    if let Some(stranger) = said.iter().find(|name| !known.contains(name)) {
        bail!("`{stranger}` has no boot test: known: {}: add one in {FOLDER}/products", known.join(", "));
    }
    if !said.is_empty() {
        return Ok(said.to_vec());
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
            "`no-such-emulator`, `/no/CODE.fd`, `/no/VARS.fd`: not installed, and needed to boot the image: run \
             `apt-get install a-firmware an-emulator` or its equivalent"
        );
        model.program = "sh".to_owned();
        model.files.clear();
        model.is_there().unwrap();
    }
}
