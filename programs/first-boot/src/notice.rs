//! What a person is told who stands before the machine, or puts its card into a PC.

use std::path::Path;

use base::failure::{Failure, reason};
use base::plain::Plain;

use crate::{ERRORS, FILE, durable, template, user};

const ISSUE: &str = "/run/issue.d/50-first-boot.issue";
const NOBODY: &str = include_str!("files/nobody.issue");
const FAULTS: &str = include_str!("files/faults.issue");
const HEAD: &str = include_str!("files/errors.txt");

/// Most lines that anybody reads.
const MOST: usize = 50;

/// Writes what is wrong beside the file, or takes the older list away.
pub(super) fn errors(boot: &Path, faults: &[String]) -> Result<(), Failure> {
    let path = boot.join(ERRORS);
    let written = if faults.is_empty() {
        durable::remove(&path)
    } else {
        let mut text = template::filled(HEAD, &[("file", FILE)]);
        shortened(faults).iter().for_each(|fault| text += &format!("{}\n", Plain(fault)));
        // The oldest editors of Windows see no other end of a line.
        durable::replace(&path, None, text.replace('\n', "\r\n").as_bytes())
    };
    written.map_err(|e| {
        Failure::failed(format!("`{}`: {}: free space on the boot partition", path.display(), reason(&e)))
    })
}

/// As many lines as anybody reads; a console is slow as well.
pub(super) fn shortened(faults: &[String]) -> Vec<String> {
    let more = faults.len().saturating_sub(MOST);
    let more = (more > 0).then(|| format!("and {more} more"));
    faults.iter().take(MOST).cloned().chain(more).collect()
}

/// Writes what stands above the login.
pub(super) fn issue(faults: usize) {
    let mut text = String::new();
    if faults > 0 {
        text +=
            &template::filled(FAULTS, &[("number", &faults.to_string()), ("file", FILE), ("errors", ERRORS)]);
    }
    if !somebody() {
        text += &template::filled(NOBODY, &[("file", FILE)]);
    }
    // It is a convenience: what matters is in the list.
    let _ = if text.is_empty() {
        durable::remove(Path::new(ISSUE))
    } else {
        durable::replace(Path::new(ISSUE), Some(0o644), text.as_bytes())
    };
}

/// Whether there is anybody who can log in.
pub(super) fn somebody() -> bool {
    let keys =
        |home: &str| Path::new(home).join(".ssh/authorized_keys").metadata().is_ok_and(|m| m.len() > 0);
    let by_key = keys("/root") || user::people().iter().any(|person| keys(&person.home));
    by_key || user::has_password("root") || user::people().iter().any(|p| user::has_password(&p.name))
}
