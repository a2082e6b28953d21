//! A program of a Rust crate of the team's own, built as our own programs are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use base::failure::reason;
use catalog::model::Payload;
use common::checksum::sha256;
use workspace::Workspace;
use workspace::target::Target;

use super::{Faults, file_mode};
use crate::entry::Entry;
use crate::program;
use crate::sbom::Crates;

/// A crate that is there.
#[derive(Debug)]
pub(super) struct Crate<'a> {
    payload: &'a Payload,
    features: &'a [String],
    /// Folder of its manifest.
    folder: PathBuf,
    lock: PathBuf,
    /// Name of the package.
    package: String,
    /// Name of the program.
    bin: String,
}

impl<'a> Crate<'a> {
    /// Finds the crate of a manifest, or of its directory; `None` after a fault.
    pub(super) fn find(
        payload: &'a Payload,
        manifest: &Path,
        bin: Option<&str>,
        features: &'a [String],
        report: Faults<'_>,
    ) -> Option<Crate<'a>> {
        let mut refuse = |text: String| report(payload, text);
        let manifest = match manifest.is_dir() {
            true => manifest.join("Cargo.toml"),
            false => manifest.to_owned(),
        };
        let shown = manifest.display();
        let read = fs::read_to_string(&manifest).and_then(|text| Ok((text, manifest.canonicalize()?)));
        let (text, path) = match read {
            Ok(read) => read,
            Err(error) => {
                refuse(format!("`{shown}`: {}: correct the path of `manifest`", reason(&error)));
                return None;
            }
        };
        let table: toml::Table = match toml::from_str(&text) {
            Ok(table) => table,
            Err(error) => {
                refuse(format!("`{shown}` is not TOML: {}", error.message()));
                return None;
            }
        };
        let package = table.get("package").and_then(|package| package.get("name")?.as_str());
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let lock = find_root(&folder).join("Cargo.lock");
        if !lock.exists() && package.is_some() {
            let todo = "run `cargo generate-lockfile` there, so that every build takes the same crates";
            refuse(format!("`{shown}` has no `Cargo.lock`: {todo}"));
            return None;
        }
        let Some(package) = package else {
            refuse(format!("`{shown}` has no package: name the `Cargo.toml` of the crate itself"));
            return None;
        };
        let bin = bin.unwrap_or(package).to_owned();
        Some(Crate { payload, features, package: package.to_owned(), bin, folder, lock })
    }

    /// Returns the payload that brings it.
    pub(super) fn payload(&self) -> &'a Payload {
        self.payload
    }

    /// Returns the path of the program on the machine.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.payload.dir, self.bin)
    }

    /// Builds the program for each target.
    pub(super) fn build(&self, workspace: &Workspace, targets: &[Target]) -> Result<Vec<(Entry, Crates)>> {
        // Several crates can have the same name.
        let name = &sha256(self.folder.as_os_str().as_encoded_bytes())[..16];
        let order = program::Order {
            folder: &self.folder,
            package: &self.package,
            bin: &self.bin,
            features: self.features,
            output: &workspace.target_dir().join("payload").join(name),
        };
        let built = program::build_crate(&order, targets)?;
        let mut programs = Vec::new();
        for (target, path) in targets.iter().zip(built) {
            let entry = Entry::file(self.path(), &path, file_mode(self.payload, true))?;
            let packages = [self.package.clone()];
            let crates = Crates::list_of(&self.folder, &self.lock, &packages, self.features, *target)?;
            programs.push((entry, crates));
        }
        Ok(programs)
    }
}

/// Returns the folder of the workspace that a crate belongs to, or its own.
fn find_root(folder: &Path) -> &Path {
    let is_root = |folder: &&Path| {
        let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        toml::from_str::<toml::Table>(&text).is_ok_and(|table| table.contains_key("workspace"))
    };
    folder.ancestors().find(is_root).unwrap_or(folder)
}
