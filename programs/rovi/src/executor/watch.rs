//! Follows changes: events of systemd, and of the files that show launches outside systemd. It does not poll.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use base::bus::unit_path;
use base::failure::{Failure, reason};
use base::report::Status;
use base::table::Table;
use rustix::fs::inotify;

use crate::executor::message::{Event, Unanswered};
use crate::executor::snapshot;
use crate::executor::systemd::{Source, Systemd, Woken};

/// Follows the services of a table.
#[derive(Debug)]
pub struct Watch<'t> {
    table: &'t Table,
    systemd: Systemd,
    files: Option<Source>,
    only: Option<String>,
    last: Option<Status>,
    /// systemd was reloaded or replaced since the last call.
    renewed: bool,
}

/// Errors of the bus while systemd is being replaced.
const AWAY: [&str; 3] = [
    "org.freedesktop.DBus.Error.NoReply",
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
];

impl<'t> Watch<'t> {
    /// Starts to follow all services, or one.
    pub fn new(table: &'t Table, only: Option<&str>) -> Result<Self, Failure> {
        let mut systemd = Systemd::connect()?;
        // All units, because the warnings of a service depend on others.
        let paths: Vec<String> = table.services.iter().map(|s| unit_path(&s.unit)).collect();
        systemd.follow_units(&paths)?;
        let files = files(table).map_err(|e| {
            let todo = "raise `fs.inotify.max_user_instances`";
            Failure::failed(format!("inotify: {}: {todo}", reason(&e)))
        })?;
        Ok(Watch { table, systemd, files, only: only.map(str::to_owned), last: None, renewed: false })
    }

    /// Returns the current state, and then the next different one; `None` if one of `ends` is ready.
    pub fn next(&mut self, ends: &[&Source]) -> Result<Option<&Status>, Failure> {
        let mut wait = self.last.is_some();
        loop {
            if wait && !self.changed(ends)? {
                return Ok(None);
            }
            wait = true;
            self.drain();
            let now = match self.look() {
                // systemd is being replaced and will send a signal when it is back.
                Err(Unanswered::Refused(name, _)) if AWAY.contains(&name.as_str()) => continue,
                other => other?,
            };
            if self.last.as_ref().is_none_or(|last| differ(last, &now)) {
                return Ok(Some(self.last.insert(now)));
            }
        }
    }

    fn look(&mut self) -> Result<Status, Unanswered> {
        if self.systemd.forget()? || std::mem::take(&mut self.renewed) {
            self.systemd.subscribe()?;
        }
        snapshot::take(self.table, &mut self.systemd, self.only.as_deref())
    }

    /// Waits; returns false at the end.
    fn changed(&mut self, ends: &[&Source]) -> Result<bool, Failure> {
        let mut others = ends.to_vec();
        others.extend(&self.files);
        loop {
            match self.systemd.wait(&others, None)? {
                Woken::Event(event) => {
                    self.renewed |= event == Event::Everything;
                    return Ok(true);
                }
                Woken::Late => {}
                Woken::Other => return Ok(self.drain()),
            }
        }
    }

    /// Returns whether the files have changed.
    fn drain(&self) -> bool {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let Some(files) = &self.files else { return false };
        let mut reader = inotify::Reader::new(files, &mut buffer);
        let mut any = false;
        while reader.next().is_ok() {
            any = true;
        }
        any
    }
}

/// Returns whether a difference matters; the memory always differs.
fn differ(last: &Status, now: &Status) -> bool {
    let without_memory = |status: &Status| {
        let mut status = status.clone();
        status.services.iter_mut().for_each(|service| service.memory = None);
        status
    };
    without_memory(last) != without_memory(now)
}

/// Watches the directories of locks and of the restart records, if they exist.
fn files(table: &Table) -> io::Result<Option<Source>> {
    let locks = table.launchable().filter_map(|(_, launch)| launch.lock.clone());
    let pending = snapshot::pending(table);
    let folders: BTreeSet<PathBuf> = locks
        .chain([pending])
        .filter_map(|path| path.parent().map(Path::to_owned))
        .filter(|dir| dir.is_dir())
        .collect();
    if folders.is_empty() {
        return Ok(None);
    }
    let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    let flags = inotify::WatchFlags::MODIFY
        | inotify::WatchFlags::CLOSE_WRITE
        | inotify::WatchFlags::CREATE
        | inotify::WatchFlags::DELETE
        | inotify::WatchFlags::MOVE;
    for folder in folders {
        inotify::add_watch(&fd, &folder, flags)?;
    }
    Source::new(fd).map(Some)
}
