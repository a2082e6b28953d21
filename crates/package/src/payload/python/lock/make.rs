//! Makes a lock: uv resolves the requirements, and the wheels that the machines of the payload need are written down.
//! A package that is published only as source is built here, if it is pure Python.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use catalog::model::{Payload, Python};
use common::checksum::sha256_file;
use debian::archive::fetch::{self, Wanted};
use workspace::output;
use workspace::target::{self, Target};
use xshell::{Shell, cmd};

use super::{Lock, Locked, Package, normalize};
use crate::payload::Faults;
use crate::payload::python::tag::Machine;
use crate::payload::python::{Folders, wheel};

/// The folder beside a lock for wheels that are in no index.
const VENDORED: &str = "wheels";
/// uv trusts the certificates of this machine, and uses the Python that is installed.
const HOST: [&str; 5] =
    ["--no-progress", "--color=never", "--system-certs", "--no-managed-python", "--no-python-downloads"];
/// The date in the archives of wheels that are built here, so that the same source gives the same wheel.
const EPOCH: &str = "1577836800";

/// Which versions change although the lock has them.
#[derive(Debug, Clone)]
pub enum Upgrade {
    /// Only those that have to.
    Nothing,
    /// All.
    Everything,
    /// Those of these packages.
    Some(Vec<String>),
}

/// A lock that was made.
#[derive(Debug)]
pub struct Made {
    /// The files that were written: the lock, and wheels.
    pub written: Vec<PathBuf>,
    /// The differences from the lock before, one line each.
    pub changes: Vec<String>,
}

/// Makes the lock of a payload for every processor. `None` after a fault; then nothing is written.
pub(in crate::payload) fn make(
    payload: &Payload,
    python: &Python,
    upgrade: &Upgrade,
    folders: &Folders,
    report: Faults<'_>,
) -> Result<Option<Made>> {
    if python.requirements.is_empty() {
        let todo = "write what to lock in `requirements`";
        report(payload, format!("the lock `{}` is not made from here: {todo}", python.lock.display()));
        return Ok(None);
    }
    let sh = Shell::new()?;
    let work = sh.create_temp_dir()?;
    let uv = uv(folders)?;
    let machines = Machine::all(&target::ALL, &python.versions);
    let resolved = resolve(&sh, &uv, python, &machines, upgrade, work.path())?;
    let folder = python.lock.parent().unwrap_or(Path::new("."));
    let mut maker = Maker { sh, uv, folders, folder, work: work.path(), built: Vec::new() };
    let mut is_whole = true;
    let mut refuse = |text: String| {
        is_whole = false;
        report(payload, text);
    };
    let mut parts: Vec<Part<'_>> = Vec::new();
    for package in &resolved.packages {
        let is_needed =
            |machine: &&Machine| package.marker.as_ref().is_none_or(|marker| marker.holds(machine));
        let needed: Vec<&Machine> = machines.iter().filter(is_needed).collect();
        if needed.is_empty() {
            continue;
        }
        let wheels = maker.find_wheels(package, &needed)?;
        let missing: Vec<String> =
            needed.iter().filter(|machine| best(machine, &wheels).is_none()).map(|m| m.to_string()).collect();
        if !missing.is_empty() {
            let todo = format!(
                "choose another version or package in `requirements`, or build the wheels yourself and put them into `{}`",
                folder.join(VENDORED).display()
            );
            let of = format!("`{}` {}", package.name, package.version);
            refuse(format!("{of} has no wheel for {}, and is not pure Python: {todo}", missing.join(", ")));
        }
        parts.push(Part { package, needed, wheels });
    }
    if !is_whole {
        return Ok(None);
    }
    let before = Lock::read(payload, &python.lock, &mut |_, _| {});
    let changes = compare(before.as_ref(), &parts);
    let mut written = vec![python.lock.clone()];
    for built in &maker.built {
        let to = folder.join(VENDORED).join(built.file_name().unwrap_or_default());
        fs::create_dir_all(folder.join(VENDORED))?;
        output::copy(built, &to)?;
        written.push(to);
    }
    output::replace(&python.lock, write(&machines, &parts).as_bytes())?;
    Ok(Some(Made { written, changes }))
}

/// A package of the new lock.
struct Part<'a> {
    package: &'a Package,
    /// The machines that need it.
    needed: Vec<&'a Machine>,
    wheels: Vec<Locked>,
}

/// Returns the program, and fetches it if necessary.
fn uv(folders: &Folders) -> Result<PathBuf> {
    let lock = parse(include_str!("../uv.toml"))?;
    let host: &Target = target::ALL
        .iter()
        .find(|target| target.rpm == std::env::consts::ARCH)
        .context("uv: unknown processor")?;
    let machine = Machine::new(*host, (3, 13));
    let wheels = lock.packages.first().map(|package| package.wheels.as_slice()).unwrap_or_default();
    let wheel = best(&machine, wheels).context("uv: no wheel for this processor")?;
    super::fetch(&[wheel].into(), &folders.downloads)?;
    let unpacked =
        wheel::unpack(wheel, &folders.downloads, &folders.unpacked).map_err(|fault| anyhow!("uv {fault}"))?;
    let program =
        unpacked.files.iter().find(|file| file.path == "uv").context("uv: its wheel has no program")?;
    Ok(program.source.clone())
}

fn parse(text: &str) -> Result<Lock> {
    Lock::parse(text, Path::new("pylock.toml"), true)
        .map_err(|faults| anyhow!("uv's lock: {}", faults.join("; ")))
}

/// Resolves the requirements for all machines at once, and keeps the versions of the lock that is there.
fn resolve(
    sh: &Shell,
    uv: &Path,
    python: &Python,
    machines: &[Machine],
    upgrade: &Upgrade,
    work: &Path,
) -> Result<Lock> {
    let markers =
        machines.iter().map(|machine| format!("{} and implementation_name == 'cpython'", marker(machine)));
    let markers: toml::Value = markers.collect::<Vec<_>>().into();
    // With the second field, uv passes over versions that some machine has no wheel for.
    let table = toml::Table::from_iter([
        ("override-dependencies".to_owned(), python.overrides.clone().into()),
        ("environments".to_owned(), markers.clone()),
        ("required-environments".to_owned(), markers),
    ]);
    let config = toml::Table::from_iter([(
        "tool".to_owned(),
        toml::Value::Table(toml::Table::from_iter([("uv".to_owned(), toml::Value::Table(table))])),
    )]);
    fs::write(work.join("pyproject.toml"), toml::to_string(&config)?)?;
    fs::write(work.join("requirements.in"), python.requirements.join("\n"))?;
    // One that is damaged, for example by a merge, is made anew.
    if let Ok(text) = fs::read_to_string(&python.lock)
        && Lock::parse(&text, &python.lock, false).is_ok()
    {
        fs::write(work.join("pylock.toml"), text)?;
    }
    let upgrade: Vec<String> = match upgrade {
        Upgrade::Nothing => Vec::new(),
        Upgrade::Everything => vec!["--upgrade".to_owned()],
        Upgrade::Some(packages) => packages.iter().map(|name| format!("--upgrade-package={name}")).collect(),
    };
    let vendored = std::path::absolute(python.lock.parent().unwrap_or(Path::new(".")).join(VENDORED))?;
    let links = vendored.is_dir().then(|| format!("--find-links={}", vendored.display()));
    let (major, minor) = python.versions[0];
    let version = format!("{major}.{minor}");
    sh.change_dir(work);
    let output = cmd!(
        sh,
        "{uv} pip compile --universal --python-version {version} --fork-strategy fewest --format pylock.toml
        --output-file pylock.toml --no-header --no-annotate --quiet {HOST...} {links...} {upgrade...} requirements.in"
    )
    .quiet()
    .ignore_status()
    .output()
    .context("uv cannot be started")?;
    ensure!(
        output.status.success(),
        "uv finds no versions for `requirements`:\n{}",
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    parse(&fs::read_to_string(work.join("pylock.toml"))?)
}

/// Finds and builds wheels.
struct Maker<'a> {
    sh: Shell,
    uv: PathBuf,
    folders: &'a Folders,
    /// The folder of the lock.
    folder: &'a Path,
    work: &'a Path,
    /// New wheels.
    built: Vec<PathBuf>,
}

impl Maker<'_> {
    /// Returns the best wheel for each machine: of the index, of the folder beside the lock, or built from source.
    fn find_wheels(&mut self, package: &Package, needed: &[&Machine]) -> Result<Vec<Locked>> {
        let mut known: Vec<Locked> =
            package.wheels.iter().filter(|wheel| wheel.url.is_some()).cloned().collect();
        known.extend(read_folder(&self.folder.join(VENDORED), package)?);
        if needed.iter().any(|machine| best(machine, &known).is_none())
            && let Some(source) = &package.source
        {
            known.extend(self.build(package, source)?);
        }
        let mut chosen: Vec<Locked> =
            needed.iter().filter_map(|machine| best(machine, &known).cloned()).collect();
        chosen.sort_by(|a, b| a.file.cmp(&b.file));
        chosen.dedup();
        Ok(chosen)
    }

    /// Builds a wheel from source; `None` if it is not pure Python.
    fn build(&mut self, package: &Package, source: &Wanted) -> Result<Option<Locked>> {
        eprintln!("building a wheel of {} {}", package.name, package.version);
        fetch::fetch(std::slice::from_ref(source), &self.folders.downloads)?;
        let name = source.url.rsplit('/').next().unwrap_or_default();
        let archive = self.work.join(name);
        fs::copy(fetch::cached(&self.folders.downloads, &source.sha256), &archive)?;
        let out = self.work.join(format!("built-{}", package.name));
        let (sh, uv) = (&self.sh, &self.uv);
        let output = cmd!(sh, "{uv} build --wheel {HOST...} --out-dir {out} {archive}")
            .env("SOURCE_DATE_EPOCH", EPOCH)
            .quiet()
            .ignore_status()
            .output()?;
        if !output.status.success() {
            bail!(
                "`{}` {} has only its source, and no wheel can be built of it:\n{}",
                package.name,
                package.version,
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
        }
        let built =
            read_folder(&out, package)?.into_iter().find(|wheel| wheel.file.ends_with("-none-any.whl"));
        let Some(mut built) = built else { return Ok(None) };
        let path = built.path.take().context("a built wheel is a file")?;
        built.path = Some(self.folder.join(VENDORED).join(&built.file));
        self.built.push(path);
        Ok(Some(built))
    }
}

/// Returns the wheels of a package in a folder.
fn read_folder(folder: &Path, package: &Package) -> Result<Vec<Locked>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    let is_it = |file: &&String| {
        let mut parts = file.split('-');
        let (name, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        file.ends_with(".whl")
            && normalize(name) == package.name
            && version == package.version.replace('-', "_")
    };
    let mut wheels = Vec::new();
    for file in names.iter().filter(is_it) {
        let path = folder.join(file);
        let sha256 = sha256_file(&path)?;
        let size = fs::metadata(&path)?.len();
        wheels.push(Locked {
            name: package.name.clone(),
            version: package.version.clone(),
            file: file.clone(),
            url: None,
            path: Some(path),
            sha256,
            size,
            at: String::new(),
        });
    }
    Ok(wheels)
}

fn best<'a>(machine: &Machine, wheels: &'a [Locked]) -> Option<&'a Locked> {
    wheels.iter().filter_map(|wheel| Some((machine.rank(&wheel.file)?, wheel))).max().map(|(_, wheel)| wheel)
}

/// Describes the differences from the lock before.
fn compare(before: Option<&Lock>, parts: &[Part<'_>]) -> Vec<String> {
    let mut old: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in before.iter().flat_map(|lock| &lock.packages) {
        old.entry(&package.name).or_default().push(&package.version);
    }
    let mut new: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for part in parts {
        new.entry(&part.package.name).or_default().push(&part.package.version);
    }
    let mut changes = Vec::new();
    for (name, versions) in &new {
        match old.remove(name) {
            None => changes.push(format!("add {name} {}", versions.join(", "))),
            Some(before) if before == *versions => {}
            Some(before) => {
                changes.push(format!("change {name} {} to {}", before.join(", "), versions.join(", ")))
            }
        }
    }
    changes.extend(old.iter().map(|(name, versions)| format!("remove {name} {}", versions.join(", "))));
    changes
}

/// Returns the text of the lock.
fn write(machines: &[Machine], parts: &[Part<'_>]) -> String {
    let mut text = "# Made by `cargo xtask lock`. Change `requirements` in the catalog, not this file.\n\
                    lock-version = \"1.0\"\nenvironments = [\n"
        .to_owned();
    for machine in machines {
        let _ = writeln!(text, "    \"{}\",", marker(machine));
    }
    text.push_str("]\ncreated-by = \"rovi-services\"\n");
    for Part { package, needed, wheels } in parts {
        let _ =
            write!(text, "\n[[packages]]\nname = \"{}\"\nversion = \"{}\"\n", package.name, package.version);
        if needed.len() < machines.len() {
            let markers: Vec<String> =
                needed.iter().map(|machine| format!("({})", marker(machine))).collect();
            let _ = writeln!(text, "marker = \"{}\"", markers.join(" or "));
        }
        text.push_str("wheels = [\n");
        for wheel in wheels {
            let place = match &wheel.url {
                Some(url) => format!("url = \"{url}\""),
                None => format!("path = \"{VENDORED}/{}\"", wheel.file),
            };
            let _ = writeln!(
                text,
                "    {{ {place}, size = {}, hashes = {{ sha256 = \"{}\" }} }},",
                wheel.size, wheel.sha256
            );
        }
        text.push_str("]\n");
    }
    text
}

fn marker(machine: &Machine) -> String {
    let (major, minor) = machine.version;
    format!(
        "python_version == '{major}.{minor}' and platform_machine == '{}' and sys_platform == 'linux'",
        machine.processor
    )
}
