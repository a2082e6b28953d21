//! Reads boards and suites from `image/boards/*.toml` and `image/suites/*.toml`. Everything the toolchain
//! knows about a machine is in those files and in the files they name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use debian::archive::package::Package;
use debian::archive::relation::{Relation, groups};
use debian::archive::solve::Wish;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use workspace::Workspace;

use super::root::processor::Processor;

/// A machine that images are built for.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Board {
    /// Name of the file without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// Description for a person.
    pub description: String,
    /// Debian's name for its processor.
    pub architecture: String,
    /// The suite it uses by default.
    pub suite: String,
    /// Packages it needs.
    pub packages: Vec<String>,
    /// Packages from pockets that are used on request only: pocket name, and patterns such as `linux-*`.
    #[serde(default)]
    pub from: BTreeMap<String, Vec<String>>,
    /// Folders of `image/files` with its configuration.
    pub files: Vec<String>,
    /// Kernel consoles; the last one gets the boot messages.
    pub console: Vec<String>,
    /// Additional kernel parameters.
    #[serde(default)]
    pub command_line: Vec<String>,
    /// Paths in packages to leave out; `*` matches anything.
    #[serde(default)]
    pub leave_out: Vec<String>,
    /// Exceptions to `leave_out`.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Requirements of its initramfs.
    pub initramfs: Initramfs,
}

/// Modules that must be present before the root file system is mounted.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Initramfs {
    /// Patterns of device tree names.
    #[serde(default)]
    pub device_trees: Vec<String>,
    /// Device tree nodes that a root file system can be behind. The modules of their suppliers are added.
    #[serde(default)]
    pub nodes: Vec<String>,
    /// Modules that no device tree names.
    pub modules: Vec<String>,
}

/// A release of a distribution.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Suite {
    /// Name of the file without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// The distribution's `ID` in os-release.
    pub distribution: String,
    /// The package archive.
    pub archive: Archive,
    /// Contents of every system of this release.
    pub system: System,
    /// Host programs that replace programs for another processor during the build.
    pub stand_ins: StandIns,
}

/// A package archive.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Archive {
    /// Keyring with the keys that sign it.
    pub keyring: PathBuf,
    /// Components, such as `main`.
    pub components: Vec<String>,
    /// Pockets, which may be on different mirrors.
    pub pocket: Vec<Pocket>,
}

/// A pocket of the archive, such as `trixie-security`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pocket {
    /// Its name on the mirror.
    pub suite: String,
    /// URL of the mirror.
    pub mirror: String,
    /// Whether it provides only the packages that a board requests from it.
    #[serde(default)]
    pub on_request: bool,
}

/// Contents of every system.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct System {
    /// Packages in addition to the essential ones.
    pub packages: Vec<String>,
    /// Paths in packages to leave out; `*` matches anything.
    pub leave_out: Vec<String>,
    /// Exceptions to `leave_out`.
    pub keep: Vec<String>,
    /// Units to enable.
    pub enable: Vec<String>,
    /// Paths to remove at the end; `*` matches any part of a name.
    pub remove: Vec<String>,
}

/// Programs for the host's processor, used while a root file system is built.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StandIns {
    /// Packages that contain them.
    pub packages: Vec<String>,
    /// Programs that are mounted over those of the root file system.
    pub interpreters: Vec<String>,
    /// Programs that are not replaced.
    pub never: Vec<String>,
    /// Programs replaced by `true`.
    pub answer_yes: Vec<String>,
    /// Programs that are also replaced while the initramfs is built.
    pub for_initramfs: Vec<String>,
}

impl Board {
    /// Reads a board by name; an unknown name is an error that lists the known ones.
    pub fn read(workspace: &Workspace, name: &str) -> Result<Board> {
        let mut board: Board = read(&workspace.path("image/boards"), name, "board")?;
        board.name = name.to_owned();
        Ok(board)
    }

    /// Reads all boards.
    pub fn all(workspace: &Workspace) -> Result<Vec<Board>> {
        names(&workspace.path("image/boards"))?.iter().map(|name| Board::read(workspace, name)).collect()
    }

    /// Returns whether the host cannot run the board's programs directly.
    pub fn is_foreign(&self) -> Result<bool> {
        Ok(Processor::find(&self.architecture)? != Processor::find_host()?)
    }

    /// Returns the packages to install: those of the suite, of the board, and what the products need.
    pub fn wish(&self, suite: &Suite, needs: &[Vec<Relation>]) -> Wish {
        let names = suite.system.packages.iter().chain(&self.packages);
        let mut packages: Vec<Vec<Relation>> = names.flat_map(|name| groups(name)).collect();
        packages.extend(needs.iter().cloned());
        Wish { packages, essential: true, on_request: suite.on_request(&self.from), there: Vec::new() }
    }
}

impl Suite {
    /// Reads a suite by name; an unknown name is an error that lists the known ones.
    pub fn read(workspace: &Workspace, name: &str) -> Result<Suite> {
        let mut suite: Suite = read(&workspace.path("image/suites"), name, "suite")?;
        suite.name = name.to_owned();
        Ok(suite)
    }

    /// Reads all suites.
    pub fn all(workspace: &Workspace) -> Result<Vec<Suite>> {
        names(&workspace.path("image/suites"))?.iter().map(|name| Suite::read(workspace, name)).collect()
    }

    /// Returns the packages that replace foreign programs during the build.
    pub fn stand_in_wish(&self) -> Wish {
        let packages = self.stand_ins.packages.iter().flat_map(|name| groups(name)).collect();
        self.wish(packages, Vec::new())
    }

    /// Returns the packages to add to an installed system.
    pub fn wish(&self, packages: Vec<Vec<Relation>>, there: Vec<Package>) -> Wish {
        Wish { packages, essential: false, on_request: self.on_request(&BTreeMap::new()), there }
    }

    fn on_request(&self, from: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
        let pockets = self.archive.pocket.iter().filter(|pocket| pocket.on_request);
        pockets.map(|p| (p.suite.clone(), from.get(&p.suite).cloned().unwrap_or_default())).collect()
    }
}

fn read<T: DeserializeOwned>(folder: &Path, name: &str, kind: &str) -> Result<T> {
    let known = names(folder)?;
    if !known.iter().any(|known| known == name) {
        bail!("unknown {kind} `{name}`: expected one of {}", known.join(", "));
    }
    let path = folder.join(format!("{name}.toml"));
    let text = fs::read_to_string(&path).with_context(|| format!("`{}`", path.display()))?;
    toml::from_str(&text).with_context(|| format!("`{}`", path.display()))
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("`{}`", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            names.extend(path.file_stem().and_then(|s| s.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}
