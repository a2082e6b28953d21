//! Checks the machine: polkit, disk space, clock.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::diagnosis::Finding;
use base::failure::Failure;
use base::moment;
use base::table::Table;
use rustix::fs::statvfs;
use zbus::zvariant::OwnedValue;

use crate::executor::doctor::word;
use crate::executor::message::{Call, PROPERTIES};
use crate::executor::standing;
use crate::executor::systemd::Systemd;
use crate::executor::unit::Unit;

/// A file system has enough space if this share is free, or this much.
const SHARE: u64 = 20;
const ENOUGH: u64 = 512 << 20;

/// The journal on disk or in memory.
const JOURNALS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];

/// systemd-timesyncd updates this file whenever it knows the time.
const LAST_KNOWN: &str = "/var/lib/systemd/timesync/clock";

/// Ignore a clock that is behind by less.
const DAY: Duration = Duration::from_secs(86_400);

/// Returns polkit's version if it is known to matter, or an error if polkit does not answer.
pub(super) fn polkit(systemd: &mut Systemd) -> Result<Result<Option<u32>, Finding>, Failure> {
    let name = "org.freedesktop.PolicyKit1";
    let path = "/org/freedesktop/PolicyKit1/Authority";
    match property(systemd, name, path, &format!("{name}.Authority"), "BackendVersion")? {
        Some(version) => {
            let version = String::try_from(version).unwrap_or_default();
            // Version 121 followed 0.105.
            Ok(Ok(version.split('.').next().and_then(|number| number.parse().ok())))
        }
        None => {
            let unit = "polkit.service";
            let load = Unit::read(systemd, &[unit])?.pop().unwrap_or_default().load;
            let fix = if load == "masked" { "unmask" } else { "restart" };
            let what = "polkit does not answer, so only root can control the services";
            Ok(Err(Finding::problem("polkit", unit, what, format!("systemctl {fix} {unit}"))))
        }
    }
}

/// Finds file systems that are almost full.
pub(super) fn disk(table: &Table) -> Vec<Finding> {
    let users: BTreeSet<&str> = table.services.iter().filter_map(|s| s.user.as_deref()).collect();
    let homes = users
        .into_iter()
        .filter(|user| *user != "root")
        .filter_map(|user| standing::home(standing::uid(user)?));
    let old = |home: &str| format!("find {} -xdev -type f -name '*.log*' -mtime +7 -delete", word(home));
    let mut places: Vec<(String, String)> = homes.map(|home| (home.clone(), old(&home))).collect();
    let journal = JOURNALS.iter().find(|path| Path::new(path).is_dir());
    places.extend(journal.map(|p| ((*p).to_owned(), "journalctl --rotate --vacuum-size=32M".to_owned())));
    let finding = |(path, fix): (String, String)| {
        let room = statvfs(&*path).ok()?;
        let (size, free) =
            (room.f_blocks.checked_mul(room.f_frsize)?, room.f_bavail.checked_mul(room.f_frsize)?);
        let little = size > 0 && free < ENOUGH && free < size / SHARE;
        let mebibytes = |bytes: u64| bytes >> 20;
        let what = format!(
            "the file system of `{path}` is almost full: {} MiB of {} MiB are free, and new data may be lost",
            mebibytes(free),
            mebibytes(size)
        );
        little.then(|| Finding::problem("disk", &path, what, fix))
    };
    places.into_iter().filter_map(finding).collect()
}

/// Finds a wrong clock, or one that is not synchronized.
pub(super) fn clock(table: &Table, systemd: &mut Systemd) -> Result<Option<Finding>, Failure> {
    let now = SystemTime::now();
    let made = moment::day(&table.date).map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
    let known = std::fs::metadata(LAST_KNOWN).and_then(|m| m.modified()).ok();
    let behind = made.into_iter().chain(known).max().filter(|earliest| now + DAY < *earliest);
    if let Some(earliest) = behind {
        let seconds = earliest.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let what = format!(
            "the clock says {}, but it must be later than {}: log entries get the wrong time",
            moment::now(),
            moment::precise(u64::try_from(seconds).unwrap_or_default()).split('T').next().unwrap_or_default()
        );
        let fix = "timedatectl set-ntp false && timedatectl set-ntp true";
        return Ok(Some(Finding::problem("clock", "clock", what, fix)));
    }
    let mut ask = |name| {
        let time = "org.freedesktop.timedate1";
        let value = property(systemd, time, "/org/freedesktop/timedate1", time, name);
        value.map(|v| v.and_then(|v| bool::try_from(v).ok()))
    };
    if ask("CanNTP")? == Some(false) {
        let fix = match super::is_debian() {
            true => "apt-get install --yes systemd-timesyncd",
            false => "dnf --assumeyes install chrony",
        };
        let what = "no time synchronization service is installed";
        return Ok(Some(Finding::problem("clock", "clock", what, fix).note()));
    }
    if ask("NTP")? == Some(false) {
        let what = "time synchronization is installed, but disabled";
        return Ok(Some(Finding::problem("clock", "clock", what, "timedatectl set-ntp true").note()));
    }
    Ok(None)
}

/// Returns a property of another service on the bus, or nothing if it does not answer.
fn property(
    systemd: &mut Systemd,
    name: &str,
    path: &str,
    interface: &str,
    property: &str,
) -> Result<Option<OwnedValue>, Failure> {
    match systemd.call(Call::to(name, path, PROPERTIES, "Get", &(interface, property))?) {
        Ok(answer) => Ok(answer.body().deserialize::<OwnedValue>().ok()),
        // Treat a hanging service like a missing one; the next call to systemd reports a broken bus.
        Err(_) => Ok(None),
    }
}
