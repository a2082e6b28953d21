//! The journal, read by journalctl: its files have several formats and compressions, and only systemd's own reader
//! knows those of the machine it runs on.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{Access, access};

use crate::executor::unit::Unit;
use crate::executor::{ask, standing};

/// A journal that takes longer to read is on a card that fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// The last lines of a run of a unit, or why there are none.
pub fn last(unit: &Unit, lines: usize) -> Result<Vec<String>, String> {
    let Some(invocation) = &unit.invocation else { return Ok(Vec::new()) };
    if !readable() {
        return Err(hidden(&unit.name));
    }
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--output=cat", &format!("--lines={lines}")]);
    // What the unit's processes said, and what systemd said of it.
    command.args([
        &format!("_SYSTEMD_INVOCATION_ID={invocation}"),
        "+",
        &format!("INVOCATION_ID={invocation}"),
    ]);
    match ask::run(command, PATIENCE) {
        Ok(ask::Answer { status: Some(status), text }) if status.success() => {
            Ok(text.lines().map(str::to_owned).collect())
        }
        Ok(ask::Answer { status: None, .. }) => {
            Err(format!("journalctl did not answer within {} s", PATIENCE.as_secs()))
        }
        _ => Err("journalctl cannot read the journal: see `journalctl --verify`".to_owned()),
    }
}

/// Whether this user may read what system services log.
pub fn readable() -> bool {
    let files: Vec<PathBuf> = journals();
    // Without any there is no one to forbid it: a machine may keep its journal elsewhere.
    files.is_empty() || files.iter().any(|file| access(file, Access::READ_OK).is_ok())
}

/// What to tell who may not.
pub fn hidden(unit: &str) -> String {
    format!(
        "you may not read the log of system services: an administrator can run `journalctl --unit={unit}`, \
         or give you access with `usermod --append --groups systemd-journal {}`",
        standing::user()
    )
}

/// The system's journals that are written to.
fn journals() -> Vec<PathBuf> {
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let files = ["/var/log/journal", "/run/log/journal"];
    // Where the folder itself is closed, the file in it cannot even be seen.
    files
        .iter()
        .map(|dir| PathBuf::from(dir).join(id.trim()))
        .filter(|dir| dir.is_dir())
        .map(|dir| dir.join("system.journal"))
        .collect()
}
