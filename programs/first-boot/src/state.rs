//! Records what was applied: the file without its secrets.
//!
//! It uses two files, so that a power loss at any time is safe. [`State::decide`] determines the task of a
//! boot: nothing counts as applied before it is on the card, and secrets are overwritten after that.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::durable;
use crate::settings::LONGEST;

pub(super) const FOLDER: &str = "/var/lib/first-boot";

/// The task of a boot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    Done,
    /// Everything is applied; overwrite the secrets with these bytes.
    Wipe(Vec<u8>),
    /// The file is new or was changed.
    Apply,
}

pub(super) struct State {
    applied: PathBuf,
    wiping: PathBuf,
}

impl State {
    pub(super) fn at(folder: &Path) -> State {
        State { applied: folder.join("applied"), wiping: folder.join("wiping") }
    }

    /// Decides what to do with this content.
    pub(super) fn decide(&self, bytes: &[u8]) -> io::Result<Task> {
        let Some(applied) = durable::read(&self.applied, LONGEST + 1)? else { return Ok(Task::Apply) };
        if applied == bytes {
            return Ok(Task::Done);
        }
        let Some(wiping) = durable::read(&self.wiping, LONGEST)? else { return Ok(Task::Apply) };
        // The secrets may be overwritten in part: it is the same file if all other bytes are the same.
        let mut other = bytes.iter().zip(&applied).enumerate().filter(|(_, (a, b))| a != b).map(|(at, _)| at);
        let spans = spans(&wiping);
        let same = bytes.len() == applied.len() && other.all(|at| spans.iter().any(|s| s.contains(&at)));
        Ok(if same { Task::Wipe(applied) } else { Task::Apply })
    }

    /// Records that everything is applied, and the content after overwriting the secrets.
    pub(super) fn applied(&self, bytes: &[u8], masked: &[u8]) -> io::Result<()> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        for (at, _) in bytes.iter().zip(masked).enumerate().filter(|(_, (a, b))| a != b) {
            match spans.last_mut() {
                Some(span) if span.end == at => span.end = at + 1,
                _ => spans.push(at..at + 1),
            }
        }
        if !spans.is_empty() {
            let lines: String = spans.iter().map(|span| format!("{} {}\n", span.start, span.end)).collect();
            durable::replace(&self.wiping, Some(0o600), lines.as_bytes())?;
        }
        durable::replace(&self.applied, Some(0o600), masked)
    }

    /// Records that the secrets are overwritten.
    pub(super) fn wiped(&self) -> io::Result<()> {
        durable::remove(&self.wiping)
    }
}

fn spans(text: &[u8]) -> Vec<Range<usize>> {
    let text = String::from_utf8_lossy(text);
    let span = |line: &str| {
        let (start, end) = line.split_once(' ')?;
        Some(start.parse().ok()?..end.parse().ok()?)
    };
    text.lines().filter_map(span).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{State, Task};

    #[test]
    fn only_a_file_that_was_changed_is_applied_again() {
        let folder = std::env::temp_dir().join(format!("first-boot-state-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let state = State::at(&folder);
        let (full, masked) = (b"password = \"hunter2\"\n", b"password = \"*\"      \n");
        assert_eq!(state.decide(full).unwrap(), Task::Apply);
        state.applied(full, masked).unwrap();
        // Cut before, in and after the overwriting.
        assert_eq!(state.decide(full).unwrap(), Task::Wipe(masked.to_vec()));
        assert_eq!(state.decide(b"password = \"*\" ter2\"\n").unwrap(), Task::Wipe(masked.to_vec()));
        assert_eq!(state.decide(masked).unwrap(), Task::Done);
        // A change elsewhere is one, even now.
        assert_eq!(state.decide(b"Password = \"hunter2\"\n").unwrap(), Task::Apply);
        state.wiped().unwrap();
        assert_eq!(state.decide(masked).unwrap(), Task::Done);
        // A new secret of the same length is a change.
        assert_eq!(state.decide(full).unwrap(), Task::Apply);
        fs::remove_dir_all(&folder).unwrap();
    }
}
