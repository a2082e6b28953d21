//! `first-boot apply`: applies the settings on the boot partition once.
//!
//! Settings that make the machine reachable come first. Every step may be repeated. The file counts as
//! applied once all settings are on the card; only then are its secrets overwritten.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use base::failure::{Failure, reason};
use base::say::say;

use crate::document::Fault;
use crate::settings::{self, LONGEST, Reading, Settings};
use crate::state::{FOLDER, State, Task};
use crate::{FILE, durable, host, locale, mask, notice, read_only, role, ssh, tool, user, wlan};

/// Applies the file in `boot`, if necessary.
pub fn run(boot: &Path) -> Result<(), Failure> {
    let mut failures = Vec::new();
    match ssh::host_keys() {
        Ok(true) => {
            say("created SSH host keys for this card");
            rustix::fs::sync();
        }
        Ok(false) => {}
        Err(why) => failures.push(Failure::failed(format!("ssh: cannot create host keys: {why}"))),
    }
    let faults = match file(boot) {
        Ok(faults) => faults,
        Err(failure) => {
            failures.push(failure);
            0
        }
    };
    notice::issue(faults);
    if !notice::somebody() {
        say(format_args!("nobody can log in: no user has a password or an SSH key: create `{FILE}`"));
    }
    failures.into_iter().next().map_or(Ok(()), Err)
}

/// Returns the number of errors in the file, if it was applied now.
fn file(boot: &Path) -> Result<usize, Failure> {
    let path = boot.join(FILE);
    let failed = |e: io::Error| Failure::failed(format!("`{}`: {}", path.display(), reason(&e)));
    // Read one byte more than allowed, to detect files that are too long.
    let Some(bytes) = durable::read(&path, LONGEST + 1).map_err(failed)? else {
        let windows = boot.join(format!("{FILE}.txt"));
        if windows.exists() {
            let fault =
                format!("`{FILE}.txt`: has a second extension, which Windows hides: rename it to `{FILE}`");
            notice::errors(boot, std::slice::from_ref(&fault))?;
            return Err(Failure::configuration(fault));
        }
        return Ok(0);
    };
    let state = State::at(Path::new(FOLDER));
    match state.decide(&bytes).map_err(failed)? {
        Task::Done => return Ok(0),
        Task::Wipe(masked) => return wipe(&path, &masked, &state).map(|()| 0),
        Task::Apply => {}
    }
    if read_only::now() {
        return again(boot);
    }
    let Reading { settings, faults } = settings::read(&bytes);
    let mut said: Vec<String> = faults.iter().map(describe).collect();
    let masked = mask::masked(&bytes);
    said.extend(settle(boot, &settings));
    for line in notice::shortened(&said) {
        say(format_args!("{FILE}: {line}"));
    }
    // Sync everything to the card before recording it as applied.
    rustix::fs::sync();
    let listed = notice::errors(boot, &said);
    state.applied(&bytes, &masked).map_err(|e| {
        Failure::failed(format!(
            "`{FOLDER}`: {}: `{FILE}` will be applied again at the next boot",
            reason(&e)
        ))
    })?;
    if masked != bytes {
        wipe(&path, &masked, &state)?;
    }
    listed?;
    say(format_args!("{FILE}: applied"));
    Ok(said.len())
}

/// Applies all settings and returns the errors.
fn settle(boot: &Path, settings: &Settings) -> Vec<String> {
    let mut faults = Vec::new();
    let mut step = |place: &str, result: Option<Result<(), String>>| {
        if let Some(Err(why)) = result {
            faults.push(format!("{place}: {why}"));
        }
    };
    step("[user]", settings.user.as_ref().map(user::apply));
    step("[wlan]", settings.wlan.as_ref().map(wlan::apply));
    step("[system] hostname", settings.hostname.as_deref().map(host::apply));
    step("[locale] keymap", settings.keymap.as_deref().map(locale::keymap));
    step("[locale] timezone", settings.timezone.as_deref().map(locale::timezone));
    step("[locale] language", settings.language.as_deref().map(locale::language));
    ssh::apply(&settings.ssh, settings.user.as_ref().map(|user| user.name.as_str()), &mut faults);
    faults.extend(role::apply(settings.role.as_deref(), settings.workspace.as_deref()));
    // Last: after a reboot with a read-only root, nothing else could be completed.
    if let Some(Err(failure)) = settings.read_only.map(|on| read_only::set(boot, on)) {
        faults.push(format!("[system] read_only: {}", failure.message));
    }
    faults
}

/// Overwrites the secrets in place.
fn wipe(path: &Path, masked: &[u8], state: &State) -> Result<(), Failure> {
    let overwritten = (|| {
        let file = OpenOptions::new().write(true).open(path)?;
        file.write_all_at(masked, 0)?;
        file.sync_all()
    })();
    overwritten.and_then(|()| state.wiped()).map_err(|e| {
        let told = format!(
            "`{}`: cannot overwrite its passwords: {}: make the boot partition writable",
            path.display(),
            reason(&e)
        );
        Failure::failed(told)
    })
}

/// The root of this boot is an overlay in memory: reboot with the card's root writable.
fn again(boot: &Path) -> Result<usize, Failure> {
    // If this fails, the next line reports why.
    let _ = tool::run(&["mount", "-o", "remount,rw", &boot.to_string_lossy()], None);
    read_only::set(boot, false)?;
    say(format_args!("{FILE}: changed while the root file system is read-only: rebooting to apply it"));
    tool::systemctl(&["--no-block", "reboot"])
        .map_err(|why| Failure::failed(format!("cannot reboot: {why}")))?;
    Ok(0)
}

/// Formats an error for people.
pub fn describe(fault: &Fault) -> String {
    if fault.line == 0 {
        format!("the file: {}", fault.what)
    } else {
        format!("line {}: {}", fault.line, fault.what)
    }
}
