//! Checks files of the package, environment files and locks.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::{fs, io};

use base::diagnosis::Finding;
use base::table::{LockFile, Table};
use base::{bounded, cksum, env_file};

use crate::executor::doctor::{reinstall, word};
use crate::executor::standing;

/// Directory of polkit rules.
const RULES: &str = "/usr/share/polkit-1/";

/// Directory of the tmpfiles.d configuration.
const TMPFILES: &str = "/usr/lib/tmpfiles.d/";

/// Finds files that are changed or missing.
pub(super) fn shipped(table: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &table.files {
        let what = match bounded::read(&file.path, file.size) {
            Ok(bytes) if bytes.len() as u64 == file.size && cksum::compute(&bytes) == file.cksum => continue,
            Ok(_) => "differs from the package",
            Err(e) if e.kind() == io::ErrorKind::FileTooLarge => "differs from the package",
            Err(e) if e.kind() == io::ErrorKind::NotFound => "is missing",
            Err(_) => continue,
        };
        let path = file.path.display().to_string();
        let (check, then) = if file.path.starts_with(RULES) {
            ("rule", "operators may have too few or too many permissions")
        } else {
            ("files", "services may not work as expected")
        };
        findings.push(Finding::problem(check, &path, format!("`{path}` {what}: {then}"), reinstall(table)));
    }
    findings
}

/// Checks the environment files of the services.
pub(super) fn environment(table: &Table) -> Vec<Finding> {
    let used: BTreeSet<&Path> = table.launchable().filter_map(|(_, l)| l.env_file.as_deref()).collect();
    used.into_iter().flat_map(|path| one(table, path)).collect()
}

fn one(table: &Table, path: &Path) -> Vec<Finding> {
    let shown = path.display().to_string();
    let bytes = match bounded::read(path, bounded::ENVIRONMENT) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let what = format!("`{shown}` is missing, and no service starts without it");
            return vec![Finding::problem("env-file", &shown, what, reinstall(table))];
        }
        Err(_) => return Vec::new(),
    };
    let fault = |(line, why): (usize, &str)| {
        let what = format!("`{shown}`, line {line}: {why}: comment the line out and write it again");
        let fix = format!("sed --in-place '{line}s/^/# /' {}", word(path));
        Finding::problem("env-file", &shown, what, fix)
    };
    // Report one error at a time: an unclosed quote hides the lines after it.
    env_file::faults(&bytes).into_iter().take(1).map(fault).collect()
}

/// Checks the lock files and their directory.
pub(super) fn locks(table: &Table) -> Vec<Finding> {
    let tmpfiles = table.files.iter().find(|f| f.path.starts_with(TMPFILES));
    let make = match tmpfiles {
        Some(file) => format!("systemd-tmpfiles --create {}", word(&file.path)),
        None => "systemd-tmpfiles --create".to_owned(),
    };
    let mut findings = Vec::new();
    let mut folders = BTreeSet::new();
    for lock in &table.locks {
        let Some(folder) = lock.path.parent().filter(|folder| folders.insert(*folder)) else { continue };
        let shown = folder.display();
        let (what, fix) = match fs::symlink_metadata(folder) {
            Ok(m) if !m.is_dir() => {
                (format!("`{shown}` is not a directory"), format!("rm {} && {make}", word(folder)))
            }
            Ok(m) if m.uid() != 0 || m.mode() & 0o022 != 0 => (
                format!(
                    "users other than root can write to `{shown}`, and could replace a lock while it is held"
                ),
                make.clone(),
            ),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                (format!("`{shown}` is missing, and no stack can start"), make.clone())
            }
            _ => continue,
        };
        findings.push(Finding::problem("lock", shown, what, fix));
    }
    if findings.is_empty() {
        findings.extend(table.locks.iter().filter_map(|lock| lock_file(lock, &make)));
    }
    findings
}

fn lock_file(lock: &LockFile, make: &str) -> Option<Finding> {
    let shown = lock.path.display();
    let found = |what: String, fix: String| Some(Finding::problem("lock", shown.to_string(), what, fix));
    let metadata = match fs::symlink_metadata(&lock.path) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return found(format!("`{shown}` is missing, and only root can create it"), make.to_owned());
        }
        Err(_) => return None,
    };
    if !metadata.is_file() {
        let what = format!("`{shown}` is not a regular file, and no stack can start");
        return found(what, format!("rm --recursive {} && {make}", word(&lock.path)));
    }
    let owned = standing::uid(&lock.user).is_none_or(|uid| uid == metadata.uid())
        && standing::gid(&lock.group).is_none_or(|gid| gid == metadata.gid());
    if owned && metadata.mode() & 0o7777 == 0o660 {
        return None;
    }
    let what = format!(
        "`{shown}` must have owner {}, group {} and mode 0660, or some users cannot take the lock",
        lock.user, lock.group
    );
    found(what, make.to_owned())
}
