//! What is made once and kept outside of the build directory, each under a name that its recipe gives it: a changed recipe
//! makes a new one, and old checkouts keep theirs. Nothing in there is changed afterwards.
//!
//! It lives in `/var/cache/rovi-services/roots`, or where `ROVI_MACHINE_ROOTS` points.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self as system, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::process;

/// Names another folder for the cache.
const FOLDER_VARIABLE: &str = "ROVI_MACHINE_ROOTS";
const DEFAULT_FOLDER: &str = "/var/cache/rovi-services/roots";

const MAKE_BOUND: Duration = Duration::from_secs(1200);

/// A name from what something is made of.
pub(crate) fn key(name: &str, recipe: &[&str]) -> String {
    let digest = Sha256::digest(recipe.join("\0"));
    let digest: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{name}-{digest}")
}

/// The folder of that name, made now if it is not there. `make` is given the path that it shall have at first, and a lock
/// that whatever writes there must hold: if this process is killed, its children still write for a while.
pub(crate) fn cached(key: &str, make: impl FnOnce(&Path, &File) -> Result<()>) -> Result<PathBuf> {
    let folder = env::var_os(FOLDER_VARIABLE).map_or_else(|| PathBuf::from(DEFAULT_FOLDER), PathBuf::from);
    let whole = folder.join(key);
    if whole.exists() {
        return Ok(whole);
    }
    fs::create_dir_all(&folder).with_context(|| {
        format!("cache `{}`: not made: set {FOLDER_VARIABLE} to a writable folder", folder.display())
    })?;
    // Tests that start together need the same: one makes it, the others wait here and find it made.
    let lock = folder.join(format!("{key}.lock"));
    let lock = File::create(&lock).with_context(|| format!("`{}`: not opened", lock.display()))?;
    lock.lock().context("cache: not locked")?;
    if !whole.exists() {
        let unfinished = format!(".{key}.");
        for entry in fs::read_dir(&folder).context("cache: not listed")?.flatten() {
            // We hold the lock, so whoever began these is gone.
            if entry.file_name().to_string_lossy().starts_with(&unfinished) {
                let mut remove = Command::new("rm");
                step("rm", remove.args(["-rf", "--one-file-system"]).arg(entry.path()), Stdio::null())?;
            }
        }
        let draft = folder.join(format!("{unfinished}{}", system::id()));
        make(&draft, &lock)?;
        fs::rename(&draft, &whole).with_context(|| format!("`{}`: not renamed", draft.display()))?;
    }
    lock.unlock()?;
    Ok(whole)
}

/// Runs a program that must succeed.
pub(crate) fn step(name: &str, command: &mut Command, input: Stdio) -> Result<()> {
    let ended =
        process::run_holding(command, input, MAKE_BOUND).with_context(|| format!("{name}: not started"))?;
    if ended.status == 0 { Ok(()) } else { bail!("{name}: status {}:\n{}", ended.status, ended.tail()) }
}
