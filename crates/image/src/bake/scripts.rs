//! Determines whether dpkg would run scripts that came with a system. Those scripts may only run inside that
//! system.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use debian::archive::package::Package;
use debian::archive::relation::groups;
use debian::deb;
use debian::stanza::Stanza;
use disk::tree::Tree;

const INFO: &str = "/var/lib/dpkg/info/";
const KINDS: [&str; 4] = ["preinst", "postinst", "prerm", "postrm"];
/// Control fields by which a package can replace others.
const INSTEAD_OF: [&str; 3] = ["Conflicts", "Breaks", "Replaces"];

/// Returns the package that a script belongs to, by the script's path.
pub(super) fn owner(path: &str) -> Option<&str> {
    let (name, kind) = path.strip_prefix(INFO)?.rsplit_once('.')?;
    KINDS.contains(&kind).then_some(name.split(':').next().unwrap_or(name))
}

/// Returns the first package whose script from the system dpkg would run: an older version of a package being
/// installed, unless the new version has the identical script, or a package being replaced.
pub(super) fn run_by(tree: &Tree, debs: &[PathBuf], there: &[Package]) -> Result<Option<String>> {
    let scripts: Vec<(&str, &str)> =
        tree.below("/var/lib/dpkg/info").filter_map(|(path, ..)| Some((path, owner(path)?))).collect();
    for file in debs {
        let describe = || format!("`{}`", file.display());
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", describe()))?;
        let text = deb::control(&bytes).with_context(describe)?;
        let control = Stanza(&text);
        let name = control.field("Package").unwrap_or_default();
        for (path, _) in scripts.iter().filter(|(_, owner)| *owner == name) {
            let kind = path.rsplit('.').next().unwrap_or_default();
            if deb::control_file(&bytes, kind).with_context(describe)? != tree.read(path).ok() {
                return Ok(Some(name.to_owned()));
            }
        }
        let fields = INSTEAD_OF.iter().filter_map(|field| control.field(field));
        for relation in fields.flat_map(groups).flatten() {
            let mut others =
                there.iter().filter(|package| package.name != name && package.satisfies(&relation));
            if let Some(other) =
                others.find(|package| scripts.iter().any(|(_, owner)| *owner == package.name))
            {
                return Ok(Some(other.name.clone()));
            }
        }
    }
    Ok(None)
}
