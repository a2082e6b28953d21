//! A wheel: checked, unpacked once into a folder of its own, and described.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base::failure::reason;
use catalog::finding::quote;
use common::checksum::sha256_file;
use zip::ZipArchive;

use super::license::License;
use super::lock::Locked;
use crate::payload::{LARGEST, is_forbidden};

/// Limit for the files of one wheel.
const MOST_FILES: usize = 100_000;
/// Byte code depends on the machine, and is made there.
const LEFT_OUT: [&str; 2] = [".pyc", ".pyo"];

/// An unpacked wheel.
#[derive(Debug)]
pub(super) struct Wheel {
    /// Its files.
    pub files: Vec<WheelFile>,
    /// Its commands: name and object.
    pub commands: Vec<(String, String)>,
    /// Whether a `.pth` file extends the paths of Python.
    pub has_pth: bool,
    /// Its license, as its metadata states it.
    pub license: License,
}

/// A file of a wheel.
#[derive(Debug)]
pub(super) struct WheelFile {
    /// Path below the folder of its scheme.
    pub path: String,
    /// The unpacked file.
    pub source: PathBuf,
    /// The kind of file.
    pub scheme: Scheme,
    /// Whether it can be run.
    pub is_program: bool,
}

/// Where a file of a wheel goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Where Python looks for modules.
    Library,
    /// Into the environment itself.
    Data,
    /// Beside the interpreter.
    Script,
}

impl Wheel {
    /// Returns the names of its modules and packages, by which Python finds them.
    pub(super) fn modules(&self) -> BTreeSet<&str> {
        let files = self.files.iter().filter(|file| file.scheme == Scheme::Library);
        let names = files.filter_map(|file| file.path.split('/').next());
        names.filter(|name| !name.ends_with(".dist-info")).collect()
    }
}

/// Unpacks a wheel below `unpacked`, unless it is there. The error is the second part of a message on the package.
pub(super) fn unpack(locked: &Locked, downloads: &Path, unpacked: &Path) -> Result<Wheel, String> {
    let source = locked.place(downloads);
    let sum = sha256_file(&source).map_err(|error| {
        let why = error.downcast_ref().map_or(error.to_string(), reason);
        format!("has no wheel `{}`: {why}: restore it, or make the lock again", source.display())
    })?;
    if sum != locked.sha256 {
        let todo = "check where it comes from, and make the lock again if it is the right one";
        return Err(format!(
            "has a wheel with the SHA-256 {sum}, and the lock says {}: {todo}",
            locked.sha256
        ));
    }
    let damaged = |why: String| format!("has a damaged wheel: {why}: make the lock again");
    let file = File::open(&source).map_err(|error| damaged(reason(&error)))?;
    let mut archive = ZipArchive::new(io::BufReader::new(file))
        .map_err(|_| damaged("it is no zip archive, or a part is missing".to_owned()))?;
    let names = check_names(&mut archive)?;
    let folder = unpacked.join(&locked.sha256);
    if !folder.exists() {
        // Renamed once it is whole, so that a run that is killed leaves nothing that looks whole.
        let draft = unpacked.join(format!(".{}", locked.sha256));
        let _ = fs::remove_dir_all(&draft);
        for (index, name) in names.iter().enumerate().filter_map(|(i, name)| Some((i, name.as_ref()?))) {
            write(&mut archive, index, &draft.join(name))
                .map_err(|error| damaged(format!("{}: {}", quote(name), reason(&error))))?;
        }
        fs::create_dir_all(&draft)
            .and_then(|()| fs::rename(&draft, &folder))
            .map_err(|error| format!("cannot be unpacked: `{}`: {}", folder.display(), reason(&error)))?;
    }
    describe(&folder, names.into_iter().flatten().collect())
}

/// Writes one file of an archive.
fn write(archive: &mut ZipArchive<impl Read + io::Seek>, index: usize, path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let mut entry = archive.by_index(index).map_err(io::Error::other)?;
    let (size, mode) = (entry.size(), entry.unix_mode().unwrap_or(0));
    let mut file = File::create_new(path)?;
    // zip compares the checksum at the end of the content.
    if io::copy(&mut entry.by_ref().take(size + 1), &mut file)? != size {
        return Err(io::Error::other("has another size than the archive says"));
    }
    let mode = if mode & 0o111 == 0 { 0o644 } else { 0o755 };
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Returns the name of each file, or `None` for those that are left out. Nothing is written before all are checked.
fn check_names(archive: &mut ZipArchive<impl Read + io::Seek>) -> Result<Vec<Option<String>>, String> {
    if archive.len() > MOST_FILES {
        return Err(format!("has a wheel of {} files: more than {MOST_FILES}", archive.len()));
    }
    let (mut names, mut size) = (Vec::new(), 0_u64);
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| format!("has a damaged wheel: {error}"))?;
        let name = match std::str::from_utf8(entry.name_raw()) {
            Ok(name) => name.to_owned(),
            Err(_) => return Err("has a wheel with a name that is not UTF-8".to_owned()),
        };
        let refuse = |what: &str| Err(format!("has a wheel with {what}: {}", quote(&name)));
        if name.trim_end_matches('/').split('/').any(|part| ["", ".", ".."].contains(&part)) {
            return refuse("a path to the outside");
        }
        if name.chars().any(is_forbidden) {
            return refuse("a name that lists of files cannot hold");
        }
        let mode = entry.unix_mode().unwrap_or(0);
        if !matches!(mode & 0o170_000, 0 | 0o100_000 | 0o040_000) {
            return refuse("a symlink or device");
        }
        size = size.saturating_add(entry.size());
        if size > LARGEST {
            return Err(format!("has a wheel that unpacks to more than {} GB", LARGEST / 1_000_000_000));
        }
        let is_directory = name.ends_with('/');
        let is_left_out = is_directory || LEFT_OUT.iter().any(|end| name.ends_with(end));
        names.push((!is_left_out).then_some(name));
    }
    Ok(names)
}

/// Reads the metadata of an unpacked wheel.
fn describe(folder: &Path, names: Vec<String>) -> Result<Wheel, String> {
    let info = names.iter().find_map(|name| {
        let (top, rest) = name.split_once('/')?;
        (top.ends_with(".dist-info") && rest == "WHEEL").then(|| top.to_owned())
    });
    let info = info.ok_or("has a wheel without metadata: build it again")?;
    let data = format!("{}.data/", info.trim_end_matches(".dist-info"));
    let mut files = Vec::new();
    for name in &names {
        let (scheme, path) = match name.strip_prefix(&data).and_then(|rest| rest.split_once('/')) {
            None => (Scheme::Library, name.as_str()),
            Some(("purelib" | "platlib", path)) => (Scheme::Library, path),
            Some(("data", path)) => (Scheme::Data, path),
            Some(("scripts", path)) if !path.contains('/') => (Scheme::Script, path),
            // Headers are for compilers.
            Some(("headers", _)) => continue,
            Some((other, _)) => {
                return Err(format!("has a wheel with an unknown kind of data: {}", quote(other)));
            }
        };
        let source = folder.join(name);
        let is_program = scheme != Scheme::Script && is_program(&source).unwrap_or(false);
        files.push(WheelFile { path: path.to_owned(), source, scheme, is_program });
    }
    let has_pth = files.iter().any(|file| {
        file.scheme == Scheme::Library && !file.path.contains('/') && file.path.ends_with(".pth")
    });
    let commands = fs::read(folder.join(&info).join("entry_points.txt")).unwrap_or_default();
    let commands = read_commands(&String::from_utf8_lossy(&commands));
    if let Some((name, _)) = commands.iter().find(|(name, _)| !is_command(name)) {
        return Err(format!("has a command with a strange name: {}", quote(name)));
    }
    let license = License::read(&folder.join(&info)).map_err(|why| format!("has damaged metadata: {why}"))?;
    Ok(Wheel { files, commands, has_pth, license })
}

/// Tells whether a file can be run: the archive says so, and it begins as a program does. Shared libraries do as well, but
/// they are only loaded.
fn is_program(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o111 == 0 {
        return Ok(false);
    }
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_library = name.ends_with(".so") || name.contains(".so.");
    Ok(start.starts_with(b"#!") || start == b"\x7fELF" && !is_library)
}

fn is_command(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Returns the commands of `entry_points.txt`, which is an INI file.
fn read_commands(text: &str) -> Vec<(String, String)> {
    let mut commands = Vec::new();
    let mut is_section = false;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        if let Some(section) = line.strip_prefix('[') {
            is_section = ["console_scripts]", "gui_scripts]"].contains(&section);
        } else if let (true, Some((name, object))) = (is_section, line.split_once('=')) {
            commands.push((name.trim().to_owned(), object.trim().to_owned()));
        }
    }
    commands
}
