//! A suite's root file system: made once by mmdebstrap, kept in a cache outside the build directory, never
//! changed afterwards (machines write to an overlay above it).
//!
//! Its folder is named by the content of its recipe, so a changed recipe makes a new root and old checkouts
//! keep theirs. Roots live in `/var/cache/rovi-services/roots`, or where `ROVI_MACHINE_ROOTS` points.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self as system, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::archive::{Archive, MIRROR_VARIABLE};
use crate::suite::Suite;
use crate::{host, process};

/// Names another folder for the cache.
const FOLDER_VARIABLE: &str = "ROVI_MACHINE_ROOTS";
const DEFAULT_FOLDER: &str = "/var/cache/rovi-services/roots";

/// Turns mmdebstrap's tree into that of a machine that has been booted before.
const FINISH: &str = include_str!("root/finish.sh");

/// Nothing on a test machine reads these, and together they are a third of a root.
const LEFT_OUT: [&str; 4] = [
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
];

const MAKE_BOUND: Duration = Duration::from_secs(1200);

/// The root of a suite with further packages, made now if it is not in the cache.
pub(crate) fn cached(suite: Suite, further: &[String]) -> Result<PathBuf> {
    let folder = env::var_os(FOLDER_VARIABLE).map_or_else(|| PathBuf::from(DEFAULT_FOLDER), PathBuf::from);
    let recipe = recipe(suite, further);
    let key = key(suite, &recipe);
    let root = folder.join(&key);
    if root.exists() {
        return Ok(root);
    }
    fs::create_dir_all(&folder).with_context(|| {
        format!("root cache `{}`: not made: set {FOLDER_VARIABLE} to a writable folder", folder.display())
    })?;
    // Tests that start together need the same root: one makes it, the others wait here and find it made.
    let lock = folder.join(format!("{key}.lock"));
    let lock = File::create(&lock).with_context(|| format!("`{}`: not opened", lock.display()))?;
    lock.lock().context("root cache: not locked")?;
    if !root.exists() {
        make(suite, &recipe, &folder, &key, lock)?;
    }
    Ok(root)
}

/// Makes the root beside its final name and moves it there when it is whole.
fn make(suite: Suite, recipe: &[String], folder: &Path, key: &str, lock: File) -> Result<()> {
    let root = &folder.join(key);
    let unfinished = format!(".{key}.");
    for entry in fs::read_dir(folder).context("root cache: not listed")?.flatten() {
        // We hold the lock, so whoever began these is gone.
        if entry.file_name().to_string_lossy().starts_with(&unfinished) {
            let mut remove = Command::new("rm");
            step("rm", remove.args(["-rf", "--one-file-system"]).arg(entry.path()), Stdio::null())?;
        }
    }
    let draft = folder.join(format!("{unfinished}{}", system::id()));
    eprintln!(
        "test machine: making the {suite} root `{}`, once; this takes about half a minute",
        root.display()
    );

    let archive = Archive::of_host();
    // With mounts of its own: those that it makes in the draft are gone when it is, even when it is killed.
    let mut bootstrap = Command::new("unshare");
    bootstrap
        .args(["--mount", "--propagation", "private", "mmdebstrap"])
        .args(recipe)
        .arg(format!("--keyring={}", host::KEYRING));
    bootstrap.args(archive.settings.iter().map(|setting| format!("--aptopt={setting}")));
    if !archive.logins.is_empty() {
        bootstrap.arg(format!("--setup-hook=copy-in {} /etc/apt", archive.logins.join(" ")));
    }
    bootstrap.arg(suite.name()).arg(&draft).arg(format!("deb {} {suite} main", archive.mirror));
    // It holds the lock together with this process: if this one is killed, the other still writes for a
    // while.
    let hold = Stdio::from(lock.try_clone()?);
    step("mmdebstrap", &mut bootstrap, hold).with_context(|| {
        format!("{suite} root: not made from {}: name another mirror in {MIRROR_VARIABLE}", archive.mirror)
    })?;
    step("finish.sh", Command::new("sh").args(["-c", FINISH, "finish.sh"]).arg(&draft), Stdio::null())?;
    fs::rename(&draft, root).with_context(|| format!("`{}`: not renamed", draft.display()))?;
    Ok(lock.unlock()?)
}

/// Runs a program that must succeed.
fn step(name: &str, command: &mut Command, input: Stdio) -> Result<()> {
    let ended =
        process::run_holding(command, input, MAKE_BOUND).with_context(|| format!("{name}: not started"))?;
    if ended.status == 0 { Ok(()) } else { bail!("{name}: status {}:\n{}", ended.status, ended.tail()) }
}

/// mmdebstrap's arguments, without those that name places on this host.
fn recipe(suite: Suite, further: &[String]) -> Vec<String> {
    let mut recipe =
        vec!["--mode=root".to_owned(), "--variant=minbase".to_owned(), "--format=directory".to_owned()];
    let packages: Vec<&str> =
        suite.packages().iter().copied().chain(further.iter().map(String::as_str)).collect();
    recipe.push(format!("--include={}", packages.join(",")));
    recipe.extend(LEFT_OUT.map(|pattern| format!("--dpkgopt={pattern}")));
    recipe
}

fn key(suite: Suite, recipe: &[String]) -> String {
    let recipe = [suite.name().to_owned(), recipe.join("\n"), FINISH.to_owned()].join("\0");
    let digest = Sha256::digest(recipe);
    let digest: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{suite}-{digest}")
}
