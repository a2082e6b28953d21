//! Reads the journal with journalctl, the only program that supports all formats and compressions of the
//! machine's journal.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{Access, access};

use crate::executor::unit::Unit;
use crate::executor::{ask, standing};

/// Time limit; a slower journal is on a failing card.
const PATIENCE: Duration = Duration::from_secs(5);

/// Returns the last lines of a unit's run, or why there are none.
pub fn last(unit: &Unit, lines: usize) -> Result<Vec<String>, String> {
    let Some(invocation) = &unit.invocation else { return Ok(Vec::new()) };
    if !readable() {
        return Err(hidden(&unit.name));
    }
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--output=cat", &format!("--lines={lines}")]);
    // Messages of the unit's processes, and of systemd about the unit.
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

/// Returns whether this user may read the log of system services.
pub fn readable() -> bool {
    let files: Vec<PathBuf> = journals();
    // Without journal files, nothing denies access: the machine may keep its journal elsewhere.
    files.is_empty() || files.iter().any(|file| access(file, Access::READ_OK).is_ok())
}

/// Returns the message for users without access.
pub fn hidden(unit: &str) -> String {
    format!(
        "you may not read the log of system services: an administrator can run `journalctl --unit={unit}`, \
         or give you access with `usermod --append --groups systemd-journal {}`",
        standing::user()
    )
}

/// Returns the system's current journal files.
fn journals() -> Vec<PathBuf> {
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let files = ["/var/log/journal", "/run/log/journal"];
    // If the directory is not accessible, the file in it is not visible.
    files
        .iter()
        .map(|dir| PathBuf::from(dir).join(id.trim()))
        .filter(|dir| dir.is_dir())
        .map(|dir| dir.join("system.journal"))
        .collect()
}
