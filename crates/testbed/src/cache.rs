//! A cache outside of the build directory. The name of an entry is a hash of its recipe, so a changed recipe
//! creates a new entry and old checkouts keep theirs. Entries never change.
//!
//! It is in `/var/cache/rovi-services/roots`, or in `ROVI_MACHINE_ROOTS`.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self as system, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::process;

/// Environment variable for another cache folder.
const FOLDER_VARIABLE: &str = "ROVI_MACHINE_ROOTS";
const DEFAULT_FOLDER: &str = "/var/cache/rovi-services/roots";

const MAKE_BOUND: Duration = Duration::from_secs(1200);

/// Returns the name of an entry, derived from its recipe.
pub(crate) fn key(name: &str, recipe: &[&str]) -> String {
    let digest = Sha256::digest(recipe.join("\0"));
    let digest: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{name}-{digest}")
}

/// Returns the folder of an entry, or creates it. `make` gets a temporary path and a lock that every process
/// writing there must hold: if this process is killed, its children still write for a while.
pub(crate) fn cached(key: &str, make: impl FnOnce(&Path, &File) -> Result<()>) -> Result<PathBuf> {
    let folder = env::var_os(FOLDER_VARIABLE).map_or_else(|| PathBuf::from(DEFAULT_FOLDER), PathBuf::from);
    let whole = folder.join(key);
    if whole.exists() {
        return Ok(whole);
    }
    fs::create_dir_all(&folder).with_context(|| {
        format!("cannot create the cache `{}`: set {FOLDER_VARIABLE} to a writable folder", folder.display())
    })?;
    // Tests that start together need the same entry: one creates it, the others wait here.
    let lock = folder.join(format!("{key}.lock"));
    let lock = File::create(&lock).with_context(|| format!("cannot open `{}`", lock.display()))?;
    lock.lock().context("cannot lock the cache")?;
    if !whole.exists() {
        let unfinished = format!(".{key}.");
        for entry in fs::read_dir(&folder).context("cannot list the cache")?.flatten() {
            // We hold the lock, so the processes that started these are gone.
            if entry.file_name().to_string_lossy().starts_with(&unfinished) {
                let mut remove = Command::new("rm");
                step("rm", remove.args(["-rf", "--one-file-system"]).arg(entry.path()), Stdio::null())?;
            }
        }
        let draft = folder.join(format!("{unfinished}{}", system::id()));
        make(&draft, &lock)?;
        fs::rename(&draft, &whole).with_context(|| format!("cannot rename `{}`", draft.display()))?;
    }
    lock.unlock()?;
    Ok(whole)
}

/// Runs a program that must succeed.
pub(crate) fn step(name: &str, command: &mut Command, input: Stdio) -> Result<()> {
    let ended =
        process::run_holding(command, input, MAKE_BOUND).with_context(|| format!("cannot start {name}"))?;
    if ended.status == 0 { Ok(()) } else { bail!("{name}: status {}:\n{}", ended.status, ended.tail()) }
}
