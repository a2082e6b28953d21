//! A program of a Rust crate of the team's own, built as our own programs are.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use catalog::finding::{Faults, Findings};
use catalog::model::Payload;
use common::checksum::sha256;
use workspace::Workspace;
use workspace::target::Target;

use super::file_mode;
use crate::entry::Entry;
use crate::program;
use crate::sbom::Crates;

/// A crate, and what to build of it.
#[derive(Debug)]
pub(super) struct Crate<'a> {
    /// Path of `Cargo.toml`, or of its directory.
    pub manifest: &'a Path,
    /// Name of the program, if it is not that of the crate.
    pub bin: Option<&'a str>,
    /// Features to enable.
    pub features: &'a [String],
}

/// Builds the program for each target.
pub(super) fn build(
    workspace: &Workspace,
    payload: &Payload,
    krate: &Crate<'_>,
    targets: &[Target],
) -> Result<Vec<(Entry, Crates)>> {
    let refuse = |text: String| -> anyhow::Error {
        let mut findings = Findings::new(&payload.at.0);
        findings.add(payload.at.1, format!("payload.{}: {text}", payload.name));
        Faults(vec![findings]).into()
    };
    let manifest = match krate.manifest.is_dir() {
        true => krate.manifest.join("Cargo.toml"),
        false => krate.manifest.to_owned(),
    };
    let shown = manifest.display();
    let text = fs::read_to_string(&manifest).map_err(|error| {
        refuse(format!("`{shown}`: {}: correct the path of `manifest`", base::failure::reason(&error)))
    })?;
    let table: toml::Table = toml::from_str(&text)
        .map_err(|error| refuse(format!("`{shown}` is not TOML: {}", error.message())))?;
    let package = table.get("package").and_then(|package| package.get("name")).and_then(|name| name.as_str());
    let Some(package) = package else {
        return Err(refuse(format!("`{shown}` has no package: name the `Cargo.toml` of the crate itself")));
    };
    let bin = krate.bin.unwrap_or(package);
    let folder = manifest.canonicalize()?.parent().context("a file has a folder")?.to_owned();
    let lock = find_root(&folder).join("Cargo.lock");
    if !lock.exists() {
        let todo = "run `cargo generate-lockfile` there, so that every build takes the same crates";
        return Err(refuse(format!("`{shown}` has no `Cargo.lock`: {todo}")));
    }
    // Several crates can have the same name.
    let output =
        workspace.target_dir().join("payload").join(&sha256(folder.as_os_str().as_encoded_bytes())[..16]);
    let order = program::Order { folder: &folder, package, bin, features: krate.features, output: &output };
    let built = program::build_crate(&order, targets)?;
    let mut programs = Vec::new();
    for (target, path) in targets.iter().zip(built) {
        let entry = Entry::file(format!("{}/{bin}", payload.dir), &path, file_mode(payload, true))?;
        programs
            .push((entry, Crates::list_of(&folder, &lock, &[package.to_owned()], krate.features, *target)?));
    }
    Ok(programs)
}

/// Returns the folder of the workspace that a crate belongs to, or its own.
fn find_root(folder: &Path) -> &Path {
    let is_root = |folder: &&Path| {
        let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        toml::from_str::<toml::Table>(&text).is_ok_and(|table| table.contains_key("workspace"))
    };
    folder.ancestors().find(is_root).unwrap_or(folder)
}
