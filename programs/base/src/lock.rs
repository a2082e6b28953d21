//! The exclusive lock: only one of the services that share a lock file can run, however it is started.
//!
//! It is a `flock(2)`, which also works with a shell's `flock -n`. The file contains a record of the holder,
//! and is empty after an orderly release. Any user who may take the lock may write the record, so it counts
//! only as far as the kernel confirms it ([`proc_locks`], [`leftovers`]). This never removes the file or
//! creates its directory, which `tmpfiles.d` does, because two processes could hold the lock if the file were
//! replaced.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::failure::{Failure, reason};
use crate::holder::Holder;
use crate::table::Table;
use crate::{leftovers, proc_locks, processes};

/// The unit's user and its group may write the record, whoever creates the file.
const MODE: u32 = 0o664;

/// How often and at which interval to retry a held lock without a record; in total too short to notice.
const LOOKS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(1);

/// A held lock. Dropping it clears the record and releases the lock.
#[derive(Debug)]
pub struct Lock(File);

/// The state of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Free, and no killed holder left processes behind.
    Free,
    /// Held; without a record, by an unknown program.
    Held(Option<Holder>),
    /// The holder was killed, and these processes of it are still running; a negative number is a process
    /// group.
    Left(Holder, Vec<i32>),
}

impl Lock {
    /// Takes the lock for `holder`, or returns an error that names the current holder.
    pub fn acquire(table: &Table, path: &Path, holder: &Holder) -> Result<Lock, Failure> {
        let mut seen = Seen::Free;
        for _ in 0..LOOKS {
            let file = open(path)?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                // Checking a lock takes it for a moment. A holder without a record may also be about to write
                // it, after looking for leftover processes.
                seen = Seen::Held(confirmed(table, path, &file));
                if let Seen::Held(Some(_)) = seen {
                    break;
                }
                drop(file);
                sleep(PAUSE);
                continue;
            }
            // If the file was replaced between opening and locking it, the lock is worthless.
            if !same_file(&file, path) {
                seen = Seen::Free;
                continue;
            }
            seen = left_by(table, path, &file);
            if seen != Seen::Free {
                break;
            }
            write(&file, &holder.to_string()).map_err(|e| {
                let todo = match e.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "free space on its file system"
                    }
                    _ => "check its file system",
                };
                let why = format!("cannot write the lock record: {}", reason(&e));
                Failure::failed(format!("`{}`: {why}: {todo}", path.display()))
            })?;
            return Ok(Lock(file));
        }
        Err(refusal(path, &seen))
    }

    /// Calls `act` if the lock is free and no leftover processes run; returns whether it did. A start that
    /// comes meanwhile waits.
    pub fn while_free(table: &Table, path: &Path, act: impl FnOnce()) -> Result<bool, Failure> {
        let file = open_to_read(path)?;
        // Other processes may be checking the lock at the same time.
        let has_shared = (0..LOOKS).any(|look| {
            sleep(if look == 0 { Duration::ZERO } else { PAUSE });
            flock(&file, FlockOperation::NonBlockingLockShared).is_ok()
        });
        let free = has_shared && left_by(table, path, &file) == Seen::Free;
        if free {
            act();
        }
        Ok(free)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.set_len(0);
    }
}

/// Returns the state of a lock without blocking anybody; needs only read permission.
pub fn look(table: &Table, path: &Path) -> Result<Seen, Failure> {
    if matches!(path.try_exists(), Ok(false)) {
        return Ok(Seen::Free);
    }
    let file = open_to_read(path)?;
    let mut seen = Seen::Free;
    for look in 0..LOOKS {
        sleep(if look == 0 { Duration::ZERO } else { PAUSE });
        seen = match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) if is_alone(&file) => return Ok(left_by(table, path, &file)),
            // As in `acquire`: another process may be checking the lock, or about to write its record.
            Ok(()) | Err(Errno::WOULDBLOCK) => Seen::Held(confirmed(table, path, &file)),
            Err(e) => return Err(cannot_open(path, &e.into())),
        };
        if let Seen::Held(Some(_)) = seen {
            break;
        }
    }
    Ok(seen)
}

/// Returns whether no other process shares the lock, by taking it exclusively for a moment. Otherwise the
/// lock is lost.
fn is_alone(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
        && flock(file, FlockOperation::NonBlockingLockShared).is_ok()
}

impl Seen {
    /// Describes the holder for people; `None` if the lock is free.
    pub fn describe(&self) -> Option<String> {
        match self {
            Seen::Free => None,
            Seen::Held(Some(holder)) => Some(holder.describe()),
            Seen::Held(None) => Some("an unknown program".to_owned()),
            Seen::Left(holder, pids) => {
                Some(format!("{}, killed, has left processes running: {}", holder.describe(), list(pids)))
            }
        }
    }
}

fn refusal(path: &Path, seen: &Seen) -> Failure {
    let Some(shown) = seen.describe() else {
        return Failure::refused(format!(
            "`{}`: too many programs are trying to take this lock: try again",
            path.display()
        ));
    };
    let todo = match seen {
        Seen::Left(_, pids) => end_them(pids),
        _ => "stop it first".to_owned(),
    };
    Failure::refused(format!("`{}`: held by {shown}: {todo}", path.display()))
}

/// Returns what to do about leftover processes. A group is only a guess, so no command is suggested for it.
pub fn end_them(pids: &[i32]) -> String {
    if pids.iter().any(|pid| *pid < 0) {
        "wait until they have ended, or ask the user who started them".to_owned()
    } else {
        format!("wait until they have ended, or end them with `kill -INT {}`", list(pids))
    }
}

fn list(pids: &[i32]) -> String {
    pids.iter().map(i32::to_string).collect::<Vec<_>>().join(" ")
}

fn open_to_read(path: &Path) -> Result<File, Failure> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    file.map_err(|e| cannot_open(path, &e)).and_then(|file| regular(path, file))
}

/// Returns an error unless the file is a regular file.
fn regular(path: &Path, file: File) -> Result<File, Failure> {
    if file.metadata().is_ok_and(|m| m.is_file()) {
        return Ok(file);
    }
    let todo = "remove it while no service is running";
    Err(Failure::configuration(format!("`{}`: not a regular file: {todo}", path.display())))
}

fn open(path: &Path) -> Result<File, Failure> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(flags);
    // First without O_CREAT, which `fs.protected_regular` forbids for another user's file.
    match options.open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other.map_err(|e| cannot_open(path, &e)).and_then(|file| regular(path, file)),
    }
    match options.create_new(true).mode(MODE).open(path) {
        Ok(file) => {
            // Whatever the umask is, another user may need the file next.
            let _ = file.set_permissions(PermissionsExt::from_mode(MODE));
            Ok(file)
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let file = options.create_new(false).open(path);
            file.map_err(|e| cannot_open(path, &e)).and_then(|file| regular(path, file))
        }
        Err(e) => Err(cannot_open(path, &e)),
    }
}

fn cannot_open(path: &Path, error: &io::Error) -> Failure {
    let directory = path.parent().map(PathBuf::from).unwrap_or_default();
    let todo = match error.kind() {
        io::ErrorKind::NotFound => "create its directory: run `systemd-tmpfiles --create` as root".to_owned(),
        io::ErrorKind::PermissionDenied => {
            format!(
                "run this as the unit's user, or as a member of the group that owns `{}`",
                directory.display()
            )
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::StorageFull => {
            format!("make the file system of `{}` writable", directory.display())
        }
        _ => "must be a regular file: remove it while no service is running".to_owned(),
    };
    Failure::configuration(format!("`{}`: {}: {todo}", path.display(), reason(error)))
}

/// Returns whether `path` still names the open file.
fn same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Interprets the record of a free lock.
fn left_by(table: &Table, path: &Path, file: &File) -> Seen {
    let Some((holder, unit)) = record(table, path, file) else { return Seen::Free };
    let owner = file.metadata().map_or(0, |m| m.uid());
    match leftovers::find(&holder, unit, owner) {
        pids if pids.is_empty() => Seen::Free,
        pids => Seen::Left(holder, pids),
    }
}

/// Returns the holder in the record if the kernel confirms it: the process holds a lock on this file, is the
/// same process, and runs run_stack. Its control group tells whether systemd started it.
fn confirmed(table: &Table, path: &Path, file: &File) -> Option<Holder> {
    let (mut holder, _) = record(table, path, file)?;
    if !proc_locks::find(file).contains(&holder.pid) || !holder.lives() || !holder.is_launch() {
        return None;
    }
    let group = processes::read_cgroup(holder.pid);
    holder.cgroup = holder.cgroup.filter(|line| group.is_some_and(|path| line.ends_with(&path)));
    Some(holder)
}

/// Returns the record and the unit of its service. The record may be from a killed holder, or forged.
fn record<'t>(table: &'t Table, path: &Path, file: &File) -> Option<(Holder, &'t str)> {
    let mut bytes = [0; 1024];
    let length = file.read_at(&mut bytes, 0).ok()?;
    let holder = Holder::parse(std::str::from_utf8(&bytes[..length]).ok()?)?;
    let unit = table.find_unit_under(path, &holder.service)?;
    Some((holder, unit))
}

/// In this order, the record is never empty in between: if the file contains two records, the first one
/// counts.
fn write(file: &File, record: &str) -> io::Result<()> {
    file.write_all_at(record.as_bytes(), 0)?;
    file.set_len(record.len() as u64)
}
