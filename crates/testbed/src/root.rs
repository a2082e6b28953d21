//! A suite's root file system: built once by mmdebstrap and cached. Machines write to an overlay above it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::archive::{Archive, MIRROR_VARIABLE};
use crate::suite::Suite;
use crate::{cache, host};

/// Makes mmdebstrap's tree look like a machine that has booted before.
const FINISH: &str = include_str!("root/finish.sh");

/// Not used on test machines, and a third of a root.
const LEFT_OUT: [&str; 4] = [
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
];

/// Returns the cached root of a suite with extra packages, or builds it.
pub(crate) fn cached(suite: Suite, further: &[String]) -> Result<PathBuf> {
    let recipe = recipe(suite, further);
    let key = cache::key(suite.name(), &[suite.name(), &recipe.join("\n"), FINISH]);
    cache::cached(&key, |draft, lock| make(suite, &recipe, draft, lock))
}

fn make(suite: Suite, recipe: &[String], draft: &Path, lock: &File) -> Result<()> {
    eprintln!("test machine: building the {suite} root into the cache; this takes about half a minute");
    let archive = Archive::of_host();
    // A private mount namespace, so that its mounts end with it, even if it is killed.
    let mut bootstrap = Command::new("unshare");
    bootstrap
        .args(["--mount", "--propagation", "private", "mmdebstrap"])
        .args(recipe)
        .arg(format!("--keyring={}", host::KEYRING));
    bootstrap.args(archive.settings.iter().map(|setting| format!("--aptopt={setting}")));
    if !archive.logins.is_empty() {
        bootstrap.arg(format!("--setup-hook=copy-in {} /etc/apt", archive.logins.join(" ")));
    }
    bootstrap.arg(suite.name()).arg(draft).arg(format!("deb {} {suite} main", archive.mirror));
    cache::step("mmdebstrap", &mut bootstrap, Stdio::from(lock.try_clone()?)).with_context(|| {
        format!(
            "cannot build the {suite} root from {}: set another mirror in {MIRROR_VARIABLE}",
            archive.mirror
        )
    })?;
    cache::step("finish.sh", Command::new("sh").args(["-c", FINISH, "finish.sh"]).arg(draft), Stdio::null())
}

/// mmdebstrap's arguments, without those that contain paths of this host.
fn recipe(suite: Suite, further: &[String]) -> Vec<String> {
    let mut recipe =
        vec!["--mode=root".to_owned(), "--variant=minbase".to_owned(), "--format=directory".to_owned()];
    let packages: Vec<&str> =
        suite.packages().iter().copied().chain(further.iter().map(String::as_str)).collect();
    recipe.push(format!("--include={}", packages.join(",")));
    recipe.extend(LEFT_OUT.map(|pattern| format!("--dpkgopt={pattern}")));
    recipe
}
