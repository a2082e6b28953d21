//! Boards and suites: takes `image/boards/*.toml` and `image/suites/*.toml`, makes what an image is made from. All that
//! is known of a machine is in those files, and in the files that they name.

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

/// A machine that cards are made for.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Board {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    /// What it is.
    pub description: String,
    /// Debian's name of its processor.
    pub architecture: String,
    /// The suite that it gets.
    pub suite: String,
    /// Packages that it needs.
    pub packages: Vec<String>,
    /// Packages from pockets that give only what is asked of them: pocket, and patterns such as `linux-*`.
    #[serde(default)]
    pub from: BTreeMap<String, Vec<String>>,
    /// Folders of `image/files` with configuration.
    pub files: Vec<String>,
    /// Consoles of the kernel, the last one for messages of the boot.
    pub console: Vec<String>,
    /// Further words for the kernel.
    #[serde(default)]
    pub command_line: Vec<String>,
    /// Paths of packages that it has no use for; `*` stands for anything.
    #[serde(default)]
    pub leave_out: Vec<String>,
    /// What is kept of those.
    #[serde(default)]
    pub keep: Vec<String>,
    /// What its initramfs needs.
    pub initramfs: Initramfs,
}

/// What must be there before the root is mounted.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Initramfs {
    /// Device trees, by pattern of their names.
    #[serde(default)]
    pub device_trees: Vec<String>,
    /// Nodes in them that a root can be behind; whatever those depend on comes along.
    #[serde(default)]
    pub nodes: Vec<String>,
    /// Modules that no device tree names.
    pub modules: Vec<String>,
}

/// A release of a distribution.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Suite {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    /// The distribution's name as its systems have it in os-release.
    pub distribution: String,
    /// Where its packages are.
    pub archive: Archive,
    /// What every system of it has.
    pub system: System,
    /// What works in the place of programs for another processor.
    pub stand_ins: StandIns,
}

/// Where packages come from.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Archive {
    /// The keys that sign it.
    pub keyring: PathBuf,
    /// `main`, …
    pub components: Vec<String>,
    /// Its parts, which may be on several mirrors.
    pub pocket: Vec<Pocket>,
}

/// A part of a suite's archive.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pocket {
    /// Its name on the mirror.
    pub suite: String,
    /// The mirror.
    pub mirror: String,
    /// Whether it gives only what a board asks of it.
    #[serde(default)]
    pub on_request: bool,
}

/// What every system has.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct System {
    /// Packages beside everything essential.
    pub packages: Vec<String>,
    /// Paths of packages that are left out; `*` stands for anything.
    pub leave_out: Vec<String>,
    /// What is kept of those.
    pub keep: Vec<String>,
    /// Units to enable.
    pub enable: Vec<String>,
    /// Paths to remove at the end; `*` stands for any part of a name.
    pub remove: Vec<String>,
}

/// Programs of this machine's processor, for while a root is made.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StandIns {
    /// Packages that bring them.
    pub packages: Vec<String>,
    /// Programs that lie over the root's own.
    pub interpreters: Vec<String>,
    /// Programs that stay the root's own.
    pub never: Vec<String>,
    /// Programs that answer yes to everything.
    pub answer_yes: Vec<String>,
    /// Programs that lie over the root's own while its initramfs is made.
    pub for_initramfs: Vec<String>,
}

impl Board {
    /// The board of that name, or which ones there are.
    pub fn read(workspace: &Workspace, name: &str) -> Result<Board> {
        let mut board: Board = read(&workspace.path("image/boards"), name, "board")?;
        board.name = name.to_owned();
        Ok(board)
    }

    /// All of them.
    pub fn all(workspace: &Workspace) -> Result<Vec<Board>> {
        names(&workspace.path("image/boards"))?.iter().map(|name| Board::read(workspace, name)).collect()
    }

    /// Whether its programs do not run on this machine as they are.
    pub fn is_foreign(&self) -> Result<bool> {
        Ok(Processor::find(&self.architecture)? != Processor::find_host()?)
    }

    /// What its system is made of, with what products need.
    pub fn wish(&self, suite: &Suite, needs: &[Vec<Relation>]) -> Wish {
        let names = suite.system.packages.iter().chain(&self.packages);
        let mut packages: Vec<Vec<Relation>> = names.flat_map(|name| groups(name)).collect();
        packages.extend(needs.iter().cloned());
        Wish { packages, essential: true, on_request: suite.on_request(&self.from), there: Vec::new() }
    }
}

impl Suite {
    /// The suite of that name, or which ones there are.
    pub fn read(workspace: &Workspace, name: &str) -> Result<Suite> {
        let mut suite: Suite = read(&workspace.path("image/suites"), name, "suite")?;
        suite.name = name.to_owned();
        Ok(suite)
    }

    /// All of them.
    pub fn all(workspace: &Workspace) -> Result<Vec<Suite>> {
        names(&workspace.path("image/suites"))?.iter().map(|name| Suite::read(workspace, name)).collect()
    }

    /// What works in the place of foreign programs.
    pub fn stand_in_wish(&self) -> Wish {
        let packages = self.stand_ins.packages.iter().flat_map(|name| groups(name)).collect();
        self.wish(packages, Vec::new())
    }

    /// What is added to a system that is there.
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
        bail!("`{name}` is no {kind}: known: {}", known.join(", "));
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
