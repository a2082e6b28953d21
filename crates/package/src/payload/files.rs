//! Files and directories as they are.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Component, Path};

use base::failure::reason;
use catalog::finding::quote;
use catalog::model::Payload;
use common::glob;
use walkdir::{DirEntry, WalkDir};

use super::{Faults, LARGEST, describe, directory_mode, file_mode, is_forbidden, too_large};
use crate::entry::{Entry, Kind};

/// Version control and byte code, which depends on the machine.
const NEVER: [&str; 3] = [".git", "__pycache__", "*.pyc"];
/// Longest path that systems agree on.
const LONGEST: usize = 4095;

/// Collects a file, or a directory with everything below it.
pub(super) fn collect(payload: &Payload, from: &Path, exclude: &[String], report: Faults<'_>) -> Vec<Entry> {
    let root = match fs::metadata(from) {
        Ok(root) => root,
        Err(error) => {
            let todo = "build it first, or correct the path, which is relative to the catalog";
            report(payload, format!("`{}`: {}: {todo}", from.display(), reason(&error)));
            return Vec::new();
        }
    };
    let mut entries = Vec::new();
    if root.is_dir() {
        let walk = WalkDir::new(from).follow_root_links(true).min_depth(1).sort_by_file_name().into_iter();
        let is_wanted = |entry: &DirEntry| {
            let below = entry.path().strip_prefix(from).unwrap_or(entry.path());
            !is_excluded(exclude, &below.to_string_lossy())
        };
        for found in walk.filter_entry(is_wanted) {
            match found {
                Ok(found) => {
                    let below = found.path().strip_prefix(from).unwrap_or(found.path()).to_owned();
                    let metadata = found.metadata().map_err(io::Error::from);
                    add(payload, (from, found.path()), &below, metadata, report, &mut entries);
                }
                Err(error) => {
                    let path = shorten(error.path().unwrap_or(from));
                    let why = error.io_error().map_or("a loop of links".to_owned(), reason);
                    report(payload, format!("`{path}` cannot be read: {why}"));
                }
            }
        }
    } else {
        let name = from.file_name().map(Path::new).unwrap_or(from);
        add(payload, (from, from), name, Ok(root), report, &mut entries);
    }
    if entries.is_empty() {
        let todo = "it would bring nothing: correct the path, or `exclude`";
        report(payload, format!("`{}` has no files to pack: {todo}", from.display()));
    }
    entries
}

fn add(
    payload: &Payload,
    (from, source): (&Path, &Path),
    below: &Path,
    metadata: io::Result<Metadata>,
    report: Faults<'_>,
    entries: &mut Vec<Entry>,
) {
    let shown = shorten(source);
    let mut refuse = |text: String| report(payload, format!("`{shown}` {text}"));
    let Some(name) = below.to_str() else {
        return refuse("has a name that is not UTF-8: rename it".to_owned());
    };
    if let Some(c) = name.chars().find(|c| is_forbidden(*c)) {
        return refuse(format!(
            "has {} in its name, which lists of files cannot hold: rename it",
            quote(&c.to_string())
        ));
    }
    let path = format!("{}/{name}", payload.dir);
    if path.len() > LONGEST {
        return refuse(format!("has a path of {} bytes on the machine: use at most {LONGEST}", path.len()));
    }
    let metadata = match metadata {
        Ok(metadata) => metadata,
        Err(error) => return refuse(format!("cannot be read: {}", reason(&error))),
    };
    let kind = metadata.file_type();
    if kind.is_dir() {
        entries.push(Entry { path, kind: Kind::Directory(directory_mode(payload)) });
    } else if kind.is_symlink() {
        match read_link(from, source, below) {
            Ok(target) => entries.push(Entry { path, kind: Kind::Link(target) }),
            Err(text) => refuse(text),
        }
    } else if kind.is_file() {
        let mode = metadata.permissions().mode();
        if mode & 0o6000 != 0 {
            let todo = "remove the bit with `chmod`, and grant what the program needs in the catalog";
            return refuse(format!("would run with the rights of its owner (set-uid or set-gid): {todo}"));
        }
        // It would take long to read.
        if metadata.len() > LARGEST {
            return refuse(too_large(metadata.len()));
        }
        match Entry::file(path, source, file_mode(payload, mode & 0o111 != 0)) {
            Ok(entry) => entries.push(entry),
            Err(error) => refuse(format!("cannot be read: {}", describe(&error))),
        }
    } else {
        let what = match kind {
            kind if kind.is_fifo() => "a named pipe",
            kind if kind.is_socket() => "a socket",
            _ => "a device",
        };
        refuse(format!(
            "is {what}: only files, links and directories can be packed: leave it out with `exclude`"
        ));
    }
}

/// Returns the target of a link, which must be a path inside the payload.
fn read_link(from: &Path, source: &Path, below: &Path) -> Result<String, String> {
    let target = fs::read_link(source).map_err(|error| format!("cannot be read: {}", reason(&error)))?;
    let text = target.to_str().filter(|text| !text.chars().any(char::is_control));
    let text = text.ok_or("is a link to a name that is not plain UTF-8: rename its target")?;
    let mut depth = below.components().count() - 1;
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                let todo = "link to a path inside the payload, relative to the link";
                return Err(format!("is a link to {}, outside of the payload: {todo}", quote(text)));
            }
        }
    }
    // Directories on the way may be links themselves, but not to the outside either.
    let root = from.canonicalize().map_err(|error| reason(&error))?;
    match source.canonicalize() {
        Ok(real) if real.starts_with(&root) => Ok(text.to_owned()),
        Ok(_) => Err(format!("is a link to {}, outside of the payload: copy the file", quote(text))),
        Err(_) => Err(format!("is a link to {}, which does not exist: correct or remove it", quote(text))),
    }
}

/// Tells whether a path below `from` is left out. A pattern without a slash is compared with the name alone.
pub(super) fn is_excluded(exclude: &[String], below: &str) -> bool {
    let name = below.rsplit('/').next().unwrap_or(below);
    NEVER.into_iter().chain(exclude.iter().map(String::as_str)).any(|pattern| {
        let pattern = pattern.trim_end_matches('/');
        let anywhere = pattern.strip_prefix("**/");
        match pattern.contains('/') {
            true => {
                glob::matches(pattern, below)
                    || anywhere.is_some_and(|rest| glob::matches(rest, below) || glob::matches(rest, name))
            }
            false => glob::matches(pattern, name),
        }
    })
}

/// Returns a path for a message: a very long one without its middle.
fn shorten(path: &Path) -> String {
    const LONG: usize = 200;
    const END: usize = 60;
    let text = path.to_string_lossy();
    let count = text.chars().count();
    if count <= LONG {
        return text.into_owned();
    }
    let (start, end): (String, String) =
        (text.chars().take(END).collect(), text.chars().skip(count - END).collect());
    format!("{start}…{end}")
}
