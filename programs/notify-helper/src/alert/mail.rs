//! Mails go to the mail system's `sendmail`, which may be set-uid or set-gid to reach its queue: no process that is
//! locked out of such things can call it.
//!
//! An alert of the machine's own services is therefore made by a process that is locked in, which leaves the mail in
//! a file, and sent by one of the same user that is not, and that does nothing else.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::config::Config;
use super::refusal::{Refusal, run_bounded};

/// More than any mail of ours.
const LONGEST: u64 = 4 << 20;

/// Where a mail system puts it when `PATH` does not lead there.
const PLACES: [&str; 3] = ["sendmail", "/usr/sbin/sendmail", "/usr/lib/sendmail"];

/// Leaves it for `notify-helper mail`: all of it or nothing.
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

/// Its text; afterwards it is gone, so that nothing is sent twice.
pub(crate) fn take(file: &Path) -> io::Result<Vec<u8>> {
    if !fs::symlink_metadata(file)?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut mail = Vec::new();
    File::open(file)?.take(LONGEST).read_to_end(&mut mail)?;
    fs::remove_file(file)?;
    Ok(mail)
}

/// Hands it to the mail system.
pub(crate) fn send(config: &Config, mail: &[u8]) -> Result<(), Refusal> {
    let mut missing = String::new();
    for place in PLACES {
        let mut command = Command::new(place);
        // A line with a single dot is not its end.
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
