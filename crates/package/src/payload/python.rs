//! A Python application: the wheels of a lock, unpacked as a virtual environment at its final path.
//!
//! One tree serves several versions of Python. Wheels that are the same file for every version are in `lib/shared`; the
//! others are in `lib/python3.X/site-packages`, where a `.pth` names the shared folder. The interpreter is that of the
//! machine. Nothing here runs Python, so a package for another processor needs no emulation.

mod license;
mod lock;
mod marker;
mod script;
mod tag;
mod wheel;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use catalog::model::{Payload, Python};
use common::parallel;
use serde_json::{Value, json};
use workspace::target::Target;

pub(super) use self::lock::make;
use self::lock::{Lock, Locked};
pub use self::lock::{Made, Upgrade};
use self::tag::Machine;
use self::wheel::{Scheme, Wheel, WheelFile};
use super::{Faults, Needs, file_mode, files};
use crate::copyright::Notice;
use crate::entry::{Entry, Kind};

/// Longest first line of a script that the kernel reads.
const LONGEST_SHEBANG: usize = 127;
/// Where wheels are that every version of Python has.
const SHARED: &str = "lib/shared";

/// Folders that wheels are kept in.
#[derive(Debug)]
pub(super) struct Folders {
    /// For downloads.
    pub downloads: PathBuf,
    /// For unpacked wheels.
    pub unpacked: PathBuf,
}

/// An environment for one target.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment {
    pub entries: Vec<Entry>,
    /// The wheels in a bill of materials.
    pub components: Vec<Value>,
    /// Their licenses.
    pub notices: Vec<Notice>,
}

/// Collects the environment for each target.
pub(super) fn collect(
    payload: &Payload,
    python: &Python,
    folders: &Folders,
    targets: &[Target],
    report: Faults<'_>,
) -> Result<Vec<Environment>> {
    let none = || vec![Environment::default(); targets.len()];
    check_directory(payload, report);
    let Some(lock) = Lock::read(payload, &python.lock, report) else { return Ok(none()) };
    let machines = Machine::all(targets, &python.versions);
    // All faults of the lock are found before anything is fetched.
    let Some(chosen) = lock.choose(payload, &machines, report) else { return Ok(none()) };
    let wanted: BTreeSet<&Locked> = chosen.iter().flatten().copied().collect();
    lock::fetch(&wanted, &folders.downloads)?;
    let wanted: Vec<&Locked> = wanted.into_iter().collect();
    let unpacked =
        parallel::each(&wanted, |locked| Ok(wheel::unpack(locked, &folders.downloads, &folders.unpacked)))?;
    let mut wheels: BTreeMap<&Locked, Wheel> = BTreeMap::new();
    for (locked, wheel) in wanted.iter().copied().zip(unpacked) {
        match wheel {
            Ok(wheel) => _ = wheels.insert(locked, wheel),
            Err(fault) => report(payload, format!("{} {fault}", locked.describe())),
        }
    }
    if wheels.len() < wanted.len() {
        return Ok(none());
    }
    check_licenses(payload, python, &wheels, report);
    chosen
        .chunks(python.versions.len())
        .map(|by_version| {
            let used: BTreeSet<&Locked> = by_version.iter().flatten().copied().collect();
            Ok(Environment {
                entries: lay_out(payload, python, by_version, &wheels, report)?,
                components: used.iter().map(|locked| describe(python, locked, &wheels[locked])).collect(),
                notices: used.iter().map(|locked| notice(payload, python, locked, &wheels[locked])).collect(),
            })
        })
        .collect()
}

/// Lays out the tree of one target.
fn lay_out(
    payload: &Payload,
    python: &Python,
    by_version: &[Vec<&Locked>],
    wheels: &BTreeMap<&Locked, Wheel>,
    report: Faults<'_>,
) -> Result<Vec<Entry>> {
    let mut tree = Tree { payload, python, entries: BTreeMap::new(), owners: BTreeMap::new() };
    let shared = find_shared(by_version, wheels);
    let site = |(major, minor): &(u32, u32)| format!("lib/python{major}.{minor}/site-packages");
    let config = "home = /usr/bin\ninclude-system-site-packages = false\n";
    tree.add_own("pyvenv.cfg", |path| Entry::bytes(path, config.into(), 0o644));
    for (link, target) in [("bin/python3", "/usr/bin/python3"), ("bin/python", "python3"), ("lib64", "lib")] {
        tree.add_own(link, |path| Entry { path, kind: Kind::Link(target.to_owned()) });
    }
    for version in python.versions.iter().filter(|_| !shared.is_empty()) {
        let line = format!("{}/{SHARED}\n", payload.dir);
        tree.add_own(&format!("{}/_shared.pth", site(version)), |path| {
            Entry::bytes(path, line.into_bytes(), 0o644)
        });
    }
    for locked in &shared {
        tree.add_wheel(locked, &wheels[locked], SHARED, report)?;
    }
    for (version, chosen) in python.versions.iter().zip(by_version) {
        for locked in chosen.iter().filter(|locked| !shared.contains(*locked)) {
            tree.add_wheel(locked, &wheels[locked], &site(version), report)?;
        }
    }
    Ok(tree.entries.into_values().collect())
}

/// Returns the wheels that are the same for every version. Python looks for all of a package in the folder where it finds
/// the first part, and reads `.pth` files only in its own folders, so some of them cannot be shared.
fn find_shared<'a>(
    by_version: &[Vec<&'a Locked>],
    wheels: &BTreeMap<&Locked, Wheel>,
) -> BTreeSet<&'a Locked> {
    let all: BTreeSet<&Locked> = by_version.iter().flatten().copied().collect();
    let is_everywhere = |locked: &&&Locked| by_version.iter().all(|wheels| wheels.contains(*locked));
    let mut shared: BTreeSet<&Locked> =
        all.iter().filter(is_everywhere).copied().filter(|locked| !wheels[locked].has_pth).collect();
    loop {
        let others = all.difference(&shared).flat_map(|locked| wheels[locked].modules());
        let others: BTreeSet<&str> = others.collect();
        let count = shared.len();
        shared.retain(|locked| wheels[locked].modules().is_disjoint(&others));
        if shared.len() == count {
            return shared;
        }
    }
}

/// The tree of an environment.
struct Tree<'a> {
    payload: &'a Payload,
    python: &'a Python,
    entries: BTreeMap<String, Entry>,
    /// The wheel of each entry, for messages.
    owners: BTreeMap<String, String>,
}

impl Tree<'_> {
    /// Adds a part of the environment itself.
    fn add_own(&mut self, below: &str, make: impl FnOnce(String) -> Entry) {
        let path = format!("{}/{below}", self.payload.dir);
        self.owners.insert(path.clone(), "the environment itself".to_owned());
        self.entries.insert(path.clone(), make(path));
    }

    fn add_wheel(&mut self, locked: &Locked, wheel: &Wheel, place: &str, report: Faults<'_>) -> Result<()> {
        let python = self.python;
        for file in wheel.files.iter().filter(|file| !is_excluded(python, &file.path)) {
            let below = match &file.scheme {
                Scheme::Library => format!("{place}/{}", file.path),
                Scheme::Data => file.path.clone(),
                Scheme::Script => format!("bin/{}", file.path),
            };
            let entry = self.read(format!("{}/{below}", self.payload.dir), file)?;
            self.add(entry, locked, report);
        }
        for (name, object) in &wheel.commands {
            let path = format!("{}/bin/{name}", self.payload.dir);
            match script::command(&self.interpreter(), object) {
                Some(text) => {
                    let entry = Entry::bytes(path, text.into_bytes(), file_mode(self.payload, true));
                    self.add(entry, locked, report);
                }
                None => {
                    let text =
                        format!("{} has a command `{name}` that is not `MODULE:OBJECT`", locked.describe());
                    report(self.payload, text);
                }
            }
        }
        Ok(())
    }

    fn read(&self, path: String, file: &WheelFile) -> Result<Entry> {
        if file.scheme == Scheme::Script {
            let text = std::fs::read(&file.source)?;
            if let Some(text) = script::with_interpreter(&text, &self.interpreter()) {
                return Ok(Entry::bytes(path, text, file_mode(self.payload, true)));
            }
        }
        let is_program = file.is_program || file.scheme == Scheme::Script;
        Entry::file(path, &file.source, file_mode(self.payload, is_program))
    }

    /// Adds an entry. Wheels may have the same file, but not different files in one place.
    fn add(&mut self, entry: Entry, locked: &Locked, report: Faults<'_>) {
        let owner = format!("the wheel of `{}`", locked.name);
        match self.entries.get(&entry.path) {
            Some(other) if other.fingerprint() != entry.fingerprint() => {
                let other = &self.owners[&entry.path];
                let what = match *other == owner {
                    true => "differs between versions of Python".to_owned(),
                    false => format!("is also in {other}"),
                };
                let todo = "leave it out with `exclude`, or change the lock";
                report(self.payload, format!("{}: `{}` {what}: {todo}", locked.describe(), entry.path));
            }
            Some(_) => {}
            None => {
                self.owners.insert(entry.path.clone(), owner);
                self.entries.insert(entry.path.clone(), entry);
            }
        }
    }

    fn interpreter(&self) -> String {
        format!("{}/bin/python3", self.payload.dir)
    }
}

/// Tells whether a file of a wheel is left out, or a directory above it.
fn is_excluded(python: &Python, path: &str) -> bool {
    let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
    ends.into_iter().any(|end| files::is_excluded(&python.exclude, &path[..end]))
}

/// Returns the license that the catalog or the wheel says.
fn license<'a>(python: &'a Python, locked: &Locked, wheel: &'a Wheel) -> (Option<&'a str>, bool) {
    match python.licenses.iter().find(|(name, _)| *name == locked.name) {
        Some((_, license)) => (Some(license), true),
        None => (wheel.license.name.as_deref(), wheel.license.is_expression),
    }
}

fn check_licenses(payload: &Payload, python: &Python, wheels: &BTreeMap<&Locked, Wheel>, report: Faults<'_>) {
    for (locked, wheel) in wheels {
        if license(python, locked, wheel).0.is_none() && wheel.license.texts.is_empty() {
            let todo = format!("write it in `licenses`, such as \"{}\" = \"MIT\"", locked.name);
            report(payload, format!("{} does not say its license: {todo}", locked.describe()));
        }
    }
    for (name, _) in &python.licenses {
        if !wheels.keys().any(|locked| locked.name == *name) {
            let todo = "remove it, or write the name as the lock does";
            report(payload, format!("`licenses` names {name}, which is not a package of the lock: {todo}"));
        }
    }
}

/// Describes a wheel as a component in a bill of materials.
fn describe(python: &Python, locked: &Locked, wheel: &Wheel) -> Value {
    let purl =
        format!("pkg:pypi/{}@{}?file_name={}", locked.name, locked.version, locked.file.replace('+', "%2B"));
    let licenses = match license(python, locked, wheel) {
        (Some(expression), true) => json!([{ "expression": expression }]),
        (Some(name), false) => json!([{ "license": { "name": name } }]),
        (None, _) => json!([]),
    };
    json!({
        "type": "library", "bom-ref": purl, "name": locked.name, "version": locked.version, "purl": purl,
        "licenses": licenses, "hashes": [{ "alg": "SHA-256", "content": locked.sha256 }],
    })
}

fn notice(payload: &Payload, python: &Python, locked: &Locked, wheel: &Wheel) -> Notice {
    let (name, _) = license(python, locked, wheel);
    Notice {
        files: format!("{}/lib/*/{}-*", payload.dir.trim_start_matches('/'), locked.name.replace('-', "?")),
        what: format!("{} {}", locked.name, locked.version),
        license: name.unwrap_or("license of its own").to_owned(),
        texts: wheel.license.texts.iter().cloned().collect(),
    }
}

/// Checks that the kernel can start scripts of the environment.
fn check_directory(payload: &Payload, report: Faults<'_>) {
    let length = format!("#!{}/bin/python3", payload.dir).len();
    if length > LONGEST_SHEBANG {
        let text = format!(
            "is installed in a path that is too long for the first line of a script: {length} bytes, and the kernel reads \
             {LONGEST_SHEBANG}: choose a shorter one in `to`"
        );
        report(payload, text);
    }
}

/// Adds the interpreter of the machine, which has to be one of the versions.
pub(super) fn add_needs(python: &Python, needs: &mut Needs) {
    let (Some((_, first)), Some((_, last))) = (python.versions.first(), python.versions.last()) else {
        return;
    };
    let next = last + 1;
    needs.deb.extend([format!("python3 (>= 3.{first})"), format!("python3 (<< 3.{next})")]);
    needs.rpm.extend([format!("python3 >= 3.{first}"), format!("python3 < 3.{next}")]);
    for pair in python.versions.windows(2) {
        let (before, after) = (pair[0].1 + 1, pair[1].1);
        if before < after {
            needs.deb.insert(format!("python3 (<< 3.{before}) | python3 (>= 3.{after})"));
            needs.rpm.insert(format!("(python3 < 3.{before} or python3 >= 3.{after})"));
        }
    }
}

/// Returns the folders that wheels are kept in.
pub(super) fn folders(target_dir: &Path) -> Result<Folders> {
    let downloads = workspace::tool::cache()?.join("wheels");
    Ok(Folders { downloads, unpacked: target_dir.join("payload/wheels") })
}
