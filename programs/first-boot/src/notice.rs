//! Messages for a person at the machine, or at a PC with its card.

use std::path::Path;

use base::failure::{Failure, reason};
use base::plain::Plain;

use crate::{ERRORS, FILE, durable, template, user};

const ISSUE: &str = "/run/issue.d/50-first-boot.issue";
const NOBODY: &str = include_str!("files/nobody.issue");
const FAULTS: &str = include_str!("files/faults.issue");
const HEAD: &str = include_str!("files/errors.txt");

const MOST: usize = 50;

/// Writes the list of errors next to the file, or removes an old list.
pub(super) fn errors(boot: &Path, faults: &[String]) -> Result<(), Failure> {
    let path = boot.join(ERRORS);
    let written = if faults.is_empty() {
        durable::remove(&path)
    } else {
        let mut text = template::filled(HEAD, &[("file", FILE)]);
        shortened(faults).iter().for_each(|fault| text += &format!("{}\n", Plain(fault)));
        // Old Windows editors require CRLF.
        durable::replace(&path, None, text.replace('\n', "\r\n").as_bytes())
    };
    written.map_err(|e| {
        Failure::failed(format!("`{}`: {}: free space on the boot partition", path.display(), reason(&e)))
    })
}

/// Limits the number of lines, because a console is slow.
pub(super) fn shortened(faults: &[String]) -> Vec<String> {
    let more = faults.len().saturating_sub(MOST);
    let more = (more > 0).then(|| format!("and {more} more"));
    faults.iter().take(MOST).cloned().chain(more).collect()
}

/// Writes the message above the login prompt.
pub(super) fn issue(faults: usize) {
    let mut text = String::new();
    if faults > 0 {
        text +=
            &template::filled(FAULTS, &[("number", &faults.to_string()), ("file", FILE), ("errors", ERRORS)]);
    }
    if !somebody() {
        text += &template::filled(NOBODY, &[("file", FILE)]);
    }
    // Ignore errors: the list contains the same information.
    let _ = if text.is_empty() {
        durable::remove(Path::new(ISSUE))
    } else {
        durable::replace(Path::new(ISSUE), Some(0o644), text.as_bytes())
    };
}

/// Returns whether anybody can log in.
pub(super) fn somebody() -> bool {
    let keys =
        |home: &str| Path::new(home).join(".ssh/authorized_keys").metadata().is_ok_and(|m| m.len() > 0);
    let by_key = keys("/root") || user::people().iter().any(|person| keys(&person.home));
    by_key || user::has_password("root") || user::people().iter().any(|p| user::has_password(&p.name))
}
