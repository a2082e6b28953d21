//! Payloads: takes what a catalog says about programs and files that a package brings, and makes the [`Entry`]s of each
//! processor. Everything is checked before anything is built or written, and all faults are reported at once.

mod binary;
mod cargo;
mod elf;
mod files;
mod needs;
mod python;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use base::plain::deceives;
use catalog::finding::{Faults as Faulty, Findings};
use catalog::model::{Kind as Source, Payload, Product};
use serde_json::Value;
use workspace::Workspace;
use workspace::target::{self, Target};

use self::cargo::Crate;
pub use self::needs::Needs;
pub use self::python::{Made, Upgrade};
use crate::copyright::Notice;
use crate::entry::{Content, Entry, Kind};
use crate::sbom;

/// The largest total size of the files of a package. Both formats have fields of 32 bits.
const LARGEST: u64 = 4_000_000_000;

/// The contents of a product's payloads.
#[derive(Debug, Clone, Default)]
pub struct Brought {
    /// The contents for each target.
    pub by_target: Vec<Part>,
    /// Whether a payload has a program, which runs on one processor.
    pub has_programs: bool,
}

/// The contents of a product's payloads for one target.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Files, links and directories.
    pub entries: Vec<Entry>,
    /// Packages that they need.
    pub needs: Needs,
    /// Their components in a bill of materials.
    pub components: Vec<Value>,
    /// Licenses of software that others made.
    pub notices: Vec<Notice>,
}

/// A fault of a payload: the line of its table, and a message.
type Faults<'a> = &'a mut dyn FnMut(&Payload, String);

/// Collects the payloads of a product for these targets. `rendered` are the paths of the package's other files.
pub fn collect(
    workspace: &Workspace,
    product: &Product,
    rendered: &[String],
    targets: &[Target],
) -> Result<Brought> {
    let mut brought = Brought { by_target: vec![Part::default(); targets.len()], has_programs: false };
    let mut owned: Vec<Vec<Owned<'_>>> = vec![Vec::new(); targets.len()];
    let mut crates: Vec<Crate<'_>> = Vec::new();
    fail_on_faults(product, |report| {
        for payload in &product.payloads {
            let own = |entries: Vec<Entry>| entries.into_iter().map(move |entry| Owned { payload, entry });
            match &payload.kind {
                Source::Files { from, exclude } => {
                    let files = files::collect(payload, from, exclude, report);
                    owned.iter_mut().for_each(|all| all.extend(own(files.clone())));
                }
                Source::Binary(binaries) => {
                    for (target, all) in targets.iter().zip(&mut owned) {
                        all.extend(own(binary::collect(payload, binaries, *target, report)));
                    }
                }
                Source::Cargo { manifest, bin, features } => {
                    crates.extend(Crate::find(payload, manifest, bin.as_deref(), features, report));
                }
                Source::Python(python) => {
                    let folders = python::folders(&workspace.target_dir())?;
                    let environments = python::collect(payload, python, &folders, targets, report)?;
                    let parts = owned.iter_mut().zip(&mut brought.by_target);
                    for ((all, part), environment) in parts.zip(environments) {
                        all.extend(own(environment.entries));
                        part.components.extend(environment.components);
                        part.notices.extend(environment.notices);
                        python::add_needs(python, &mut part.needs);
                    }
                }
            }
        }
        // A lock can have other wheels for another processor, even if none of them is compiled.
        brought.has_programs = owned.windows(2).any(|pair| pair[0] != pair[1]);
        for ((target, all), part) in targets.iter().zip(&owned).zip(&mut brought.by_target) {
            brought.has_programs |= check_programs(product, all, *target, &mut part.needs, report)?;
        }
        if let Some(all) = owned.first() {
            // Cargo has not built them yet.
            let programs: Vec<Owned<'_>> = crates.iter().map(Owned::stand_for).collect();
            check_paths(rendered, all.iter().chain(&programs), report);
            check_size(all, report);
            check_services(product, all.iter().chain(&programs), report);
        }
        Ok(())
    })?;
    // Building takes long, so it comes last.
    for krate in &crates {
        brought.has_programs = true;
        for (i, (entry, crates)) in krate.build(workspace, targets)?.into_iter().enumerate() {
            owned[i].push(Owned { payload: krate.payload(), entry });
            brought.by_target[i].components.extend(crates.components);
        }
    }
    for (all, part) in owned.into_iter().zip(&mut brought.by_target) {
        for payload in &product.payloads {
            let own = all.iter().filter(|owned| owned.payload.name == payload.name);
            let own: Vec<Entry> = own.map(|owned| owned.entry.clone()).collect();
            part.components.push(sbom::describe_payload(payload, &own));
        }
        part.entries = add_directories(product, all);
    }
    Ok(brought)
}

/// Makes the locks of a product's Python payloads, and checks their wheels, so that the person who changes a lock sees its
/// faults at once.
pub fn lock(
    workspace: &Workspace,
    product: &Product,
    upgrade: &Upgrade,
    mut tell: impl FnMut(Made),
) -> Result<()> {
    let _turn = workspace.turn()?;
    let folders = python::folders(&workspace.target_dir())?;
    fail_on_faults(product, |report| {
        for payload in &product.payloads {
            let Some(python) = payload.python() else { continue };
            if let Some(made) = python::make(payload, python, upgrade, &folders, report)? {
                tell(made);
                python::collect(payload, python, &folders, &target::ALL, report)?;
            }
        }
        Ok(())
    })
}

/// Does the work, and fails with all faults that it has reported.
fn fail_on_faults(product: &Product, work: impl FnOnce(Faults<'_>) -> Result<()>) -> Result<()> {
    let file = product.payloads.first().map_or("", |payload| payload.at.0.as_str());
    let mut findings = Findings::new(file);
    work(&mut |payload, text| findings.add(payload.at.1, format!("payload.{}: {text}", payload.name)))?;
    Ok(findings.fail_if_any().map_err(|findings| Faulty(vec![findings]))?)
}

/// An entry, and the payload that brings it.
#[derive(Debug, Clone, PartialEq)]
struct Owned<'a> {
    payload: &'a Payload,
    entry: Entry,
}

impl<'a> Owned<'a> {
    /// Returns an entry for the program of a crate that is not built yet.
    fn stand_for(krate: &Crate<'a>) -> Owned<'a> {
        Owned { payload: krate.payload(), entry: Entry::bytes(krate.path(), Vec::new(), 0o755) }
    }
}

/// Checks that every program is for the target, and finds what the programs need. Returns whether there is one.
fn check_programs(
    product: &Product,
    all: &[Owned<'_>],
    target: Target,
    needs: &mut Needs,
    report: Faults<'_>,
) -> Result<bool> {
    let there: BTreeSet<&str> = all.iter().filter_map(|owned| owned.entry.path.rsplit('/').next()).collect();
    let mut has_programs = false;
    for payload in &product.payloads {
        let mut programs = Vec::new();
        for Owned { entry, .. } in all.iter().filter(|owned| owned.payload.name == payload.name) {
            let Kind::File { content: Content::Path(source), .. } = &entry.kind else { continue };
            let path = entry.path.as_str();
            match elf::read(source)? {
                None => {}
                Some(Err(fault)) => report(payload, format!("`{path}` {fault}")),
                Some(Ok(elf)) if elf.machine != elf::machine(target) => {
                    let found = elf::name(elf.machine);
                    let todo = "bring it with `binary`, once for each processor, or choose the processor with `--target`";
                    let text =
                        format!("`{path}` is for {found}, and the package is for {}: {todo}", target.deb);
                    report(payload, text);
                }
                Some(Ok(elf)) => programs.push((path, elf)),
            }
        }
        has_programs |= !programs.is_empty();
        needs::collect(payload, &programs, &there, needs, report);
    }
    Ok(has_programs)
}

/// Checks that no path is brought twice, and that nothing is below a file. `rendered` are the paths of the package that
/// no payload brings.
fn check_paths<'a>(rendered: &'a [String], all: impl Iterator<Item = &'a Owned<'a>>, report: Faults<'_>) {
    let mut others: BTreeMap<&str, Option<&Payload>> =
        rendered.iter().map(|path| (path.as_str(), None)).collect();
    for Owned { payload, entry } in all {
        let whole = Some(entry.path.as_str()).filter(|_| !matches!(entry.kind, Kind::Directory(_)));
        for path in entry.parents().chain(whole) {
            if let Some(other) = others.get(path) {
                let whose =
                    other.map_or("the product".to_owned(), |other| format!("payload `{}`", other.name));
                let todo = "change `to`, or leave it out with `exclude`";
                report(payload, format!("`{path}` is also a file of {whose}: {todo}"));
            }
        }
        if let Some(path) = whole {
            others.insert(path, Some(payload));
        }
    }
}

/// Checks that payloads have the programs that services name.
fn check_services<'a>(
    product: &Product,
    all: impl Iterator<Item = &'a Owned<'a>> + Clone,
    report: Faults<'_>,
) {
    for program in product.units().filter_map(|service| service.program.as_deref()) {
        let Some(payload) = product.payloads.iter().rev().find(|payload| payload.contains(program)) else {
            continue;
        };
        match all.clone().find(|owned| owned.entry.path == program).map(|owned| &owned.entry.kind) {
            Some(Kind::File { mode, .. }) if mode & 0o111 == 0 => {
                let todo = "make it executable, or name its interpreter first in `exec`";
                report(
                    payload,
                    format!("`{program}` is the program of a service and not executable: {todo}"),
                );
            }
            Some(Kind::File { .. } | Kind::Link(_)) => {}
            _ => {
                let todo = "correct the path in `exec`, or what is left out with `exclude`";
                report(payload, format!("`{program}` is the program of a service and not there: {todo}"));
            }
        }
    }
}

/// Checks that a package can hold all files.
fn check_size(all: &[Owned<'_>], report: Faults<'_>) {
    let size = all.iter().map(|owned| owned.entry.size()).sum();
    if let (true, Some(largest)) = (size > LARGEST, all.iter().max_by_key(|owned| owned.entry.size())) {
        report(largest.payload, format!("with it, the package {}", too_large(size)));
    }
}

fn too_large(size: u64) -> String {
    format!(
        "has {:.1} GB, and a package holds at most 4 GB: leave files out with `exclude`, or make two products",
        size as f64 / 1e9
    )
}

/// Sorts the entries, and adds the directories above them that are the product's own: rpm removes only directories that
/// belong to a package.
fn add_directories(product: &Product, all: Vec<Owned<'_>>) -> Vec<Entry> {
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    for Owned { payload, entry } in &all {
        let is_own = |path: &&str| {
            path.split('/').any(|part| part == product.name)
                || path.strip_prefix(&payload.dir).is_some_and(|below| !below.is_empty())
        };
        for path in entry.parents().filter(is_own) {
            let mode = if path.starts_with(&payload.dir) { directory_mode(payload) } else { 0o755 };
            let directory = Entry { path: path.to_owned(), kind: Kind::Directory(mode) };
            entries.entry(path.to_owned()).or_insert(directory);
        }
    }
    entries.extend(all.into_iter().map(|owned| (owned.entry.path.clone(), owned.entry)));
    entries.into_values().collect()
}

/// Tells whether a name with this character would break a list of files, or look like another name in it.
fn is_forbidden(c: char) -> bool {
    c.is_control() || deceives(c) || c == '\\'
}

fn describe(error: &anyhow::Error) -> String {
    match error.downcast_ref::<std::io::Error>() {
        Some(error) => base::failure::reason(error),
        None => error.root_cause().to_string(),
    }
}

/// Returns the mode of a packed file: what the catalog says, or what follows from whether it is a program.
fn file_mode(payload: &Payload, is_program: bool) -> u32 {
    match (parse_mode(payload), is_program) {
        (Some(mode), false) => mode,
        // Users who can read a program can also run it.
        (Some(mode), true) => mode | (mode & 0o444) >> 2,
        (None, true) => 0o755,
        (None, false) => 0o644,
    }
}

/// Returns the mode of a packed directory: users who can read its files can also list and enter it.
fn directory_mode(payload: &Payload) -> u32 {
    parse_mode(payload).map_or(0o755, |mode| mode | (mode & 0o444) >> 2 | 0o700)
}

fn parse_mode(payload: &Payload) -> Option<u32> {
    u32::from_str_radix(payload.mode.as_deref()?, 8).ok()
}
