//! Sends mail with `sendmail`, which may be set-uid or set-gid to reach its queue, so a hardened process
//! cannot run it.
//!
//! Therefore, for system services, the hardened alert process writes the mail to a file. A process of the
//! same user without that hardening sends it and does nothing else.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::config::Config;
use super::refusal::{Refusal, run_bounded};

/// Largest mail.
const LONGEST: u64 = 4 << 20;

/// Paths of sendmail, which `PATH` may not contain.
const PLACES: [&str; 3] = ["sendmail", "/usr/sbin/sendmail", "/usr/lib/sendmail"];

/// Writes the mail to a file for `notify-helper mail`, atomically.
pub(crate) fn leave(file: &Path, mail: &str) -> io::Result<()> {
    let mut begun = file.as_os_str().to_owned();
    begun.push("-");
    let begun = PathBuf::from(begun);
    let _ = fs::remove_file(&begun);
    let written = File::options().write(true).create_new(true).mode(0o600).open(&begun);
    let written =
        written.and_then(|mut new| new.write_all(mail.as_bytes())).and_then(|()| fs::rename(&begun, file));
    if written.is_err() {
        let _ = fs::remove_file(&begun);
    }
    written
}

/// Reads and removes the file, so that no mail is sent twice.
pub(crate) fn take(file: &Path) -> io::Result<Vec<u8>> {
    if !fs::symlink_metadata(file)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut mail = Vec::new();
    File::open(file)?.take(LONGEST).read_to_end(&mut mail)?;
    fs::remove_file(file)?;
    Ok(mail)
}

/// Passes the mail to the mail system.
pub(crate) fn send(config: &Config, mail: &[u8]) -> Result<(), Refusal> {
    let mut missing = String::new();
    for place in PLACES {
        let mut command = Command::new(place);
        // A line with a single dot does not end the mail.
        command.arg("-i");
        if let Some(from) = &config.mail_from {
            command.args(["-f", from]);
        }
        command.arg("--").args(&config.mail_to);
        match run_bounded(&mut command, mail, config.timeout) {
            Err(Refusal::ForGood(why)) if missing.is_empty() => missing = why,
            Err(Refusal::ForGood(_)) => {}
            other => return other,
        }
    }
    Err(Refusal::ForGood(format!("{missing}; install a mail system, such as msmtp-mta")))
}
