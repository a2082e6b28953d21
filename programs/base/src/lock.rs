//! The exclusive lock: one launch at a time among those that share a lock file, whoever starts them and how.
//!
//! It is `flock(2)`, so that a shell's `flock -n` sees it too. The file holds a record of who has the lock;
//! an empty file was released in order. Everybody who may take the lock may write the record, so that it counts only as
//! far as the kernel confirms it ([`proc_locks`], [`leftovers`]). The file is never removed, and its directory never made: `tmpfiles.d`
//! does both parts of that, because a lock file that is replaced lets two holders in.

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

/// Who may write the record: the unit's user and the developers of its group, whoever came first.
const MODE: u32 = 0o664;

/// How often we look again at a lock that somebody has without having said who, and how long we wait before
/// that: all together less than a person notices.
const LOOKS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(1);

/// A held lock. Dropping it empties the record and releases it.
#[derive(Debug)]
pub struct Lock(File);

/// What a look at the lock shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nobody has it, and nobody was killed while having it.
    Free,
    /// Someone has it; without a record it is no run_stack.
    Held(Option<Holder>),
    /// The holder was killed, and these of its processes still run; a negative number is a process group.
    Left(Holder, Vec<i32>),
}

impl Lock {
    /// Takes the lock for `holder` or says who has it.
    pub fn acquire(table: &Table, path: &Path, holder: &Holder) -> Result<Lock, Failure> {
        let mut seen = Seen::Free;
        for _ in 0..LOOKS {
            let file = open(path)?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                // A look takes the lock for a moment. Who has it and has left no record may be about to: it is still
                // looking for what a killed one left, and will write the record or give up.
                seen = Seen::Held(confirmed(table, path, &file));
                if let Seen::Held(Some(_)) = seen {
                    break;
                }
                drop(file);
                sleep(PAUSE);
                continue;
            }
            // Somebody may have replaced the file between opening and locking it; that lock would be worth
            // nothing.
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

    /// Does something while nobody holds the lock and no killed one has left processes; says whether it did. A start
    /// that comes meanwhile waits for the moment that this takes.
    pub fn while_free(table: &Table, path: &Path, act: impl FnOnce()) -> Result<bool, Failure> {
        let file = open_to_read(path)?;
        // Others look too, which takes them a moment.
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

/// Looks who has the lock without taking it from anybody, with nothing but permission to read the file.
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
            // As in `acquire`: it may be another look, or the record may be about to be written.
            Ok(()) | Err(Errno::WOULDBLOCK) => Seen::Held(confirmed(table, path, &file)),
            Err(e) => return Err(cannot_open(path, &e.into())),
        };
        if let Seen::Held(Some(_)) = seen {
            break;
        }
    }
    Ok(seen)
}

/// Whether nobody shares the lock that we share: then it can be had alone for a moment. Otherwise it is lost.
fn is_alone(file: &File) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok()
        && flock(file, FlockOperation::NonBlockingLockShared).is_ok()
}

impl Seen {
    /// For a person; `None` when the lock is free.
    pub fn shown(&self) -> Option<String> {
        match self {
            Seen::Free => None,
            Seen::Held(Some(holder)) => Some(holder.shown()),
            Seen::Held(None) => Some("an unknown program".to_owned()),
            Seen::Left(holder, pids) => {
                Some(format!("{}, killed, has left processes running: {}", holder.shown(), list(pids)))
            }
        }
    }
}

fn refusal(path: &Path, seen: &Seen) -> Failure {
    let Some(shown) = seen.shown() else {
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

/// What to do with processes that a killed one has left. A group is no more than a guess, and nobody is told to end it.
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

/// The file, unless it is something that keeps no record, such as a pipe.
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
    // Without O_CREAT first: with `fs.protected_regular` that is refused for a file of another user.
    match options.open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other.map_err(|e| cannot_open(path, &e)).and_then(|file| regular(path, file)),
    }
    match options.create_new(true).mode(MODE).open(path) {
        Ok(file) => {
            // Whatever the umask of the first user is, the next may be another one.
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

/// Whether `path` still names the open file.
fn same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// What the record of a free lock means.
fn left_by(table: &Table, path: &Path, file: &File) -> Seen {
    let Some((holder, unit)) = record(table, path, file) else { return Seen::Free };
    let owner = file.metadata().map_or(0, |m| m.uid());
    match leftovers::of(&holder, unit, owner) {
        pids if pids.is_empty() => Seen::Free,
        pids => Seen::Left(holder, pids),
    }
}

/// The holder that the record names, if the kernel says so too: the process holds a lock on this file, it is still the
/// same one, and runs our program. Whether systemd started it, its control group tells.
fn confirmed(table: &Table, path: &Path, file: &File) -> Option<Holder> {
    let (mut holder, _) = record(table, path, file)?;
    if !proc_locks::find(file).contains(&holder.pid) || !holder.lives() || !holder.is_launch() {
        return None;
    }
    let group = processes::read_cgroup(holder.pid);
    holder.cgroup = holder.cgroup.filter(|line| group.is_some_and(|path| line.ends_with(&path)));
    Some(holder)
}

/// What the file says, and the unit of the service that it names. It may be a killed one's record, and the holder another
/// one without any; or anything else that somebody has written.
fn record<'t>(table: &'t Table, path: &Path, file: &File) -> Option<(Holder, &'t str)> {
    let mut bytes = [0; 1024];
    let length = file.read_at(&mut bytes, 0).ok()?;
    let holder = Holder::parse(std::str::from_utf8(&bytes[..length]).ok()?)?;
    let unit = table.find_unit_under(path, &holder.service)?;
    Some((holder, unit))
}

/// In this order nobody reads an empty record meanwhile: of two records in the file the first one counts.
fn write(file: &File, record: &str) -> io::Result<()> {
    file.write_all_at(record.as_bytes(), 0)?;
    file.set_len(record.len() as u64)
}
