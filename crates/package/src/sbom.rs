//! Bills of materials: takes the dependencies that cargo lists, and makes a CycloneDX document for each package.
//! Nothing in it depends on the day or the machine.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use catalog::model::{Payload, Product};
use common::checksum::sha256;
use serde_json::{Value, json};
use workspace::Workspace;
use workspace::target::Target;
use xshell::{Shell, cmd};

use crate::entry::{Entry, Kind as EntryKind};
use crate::format::{Format, Package};

/// The crates that are linked into the programs for one target.
#[derive(Debug, Clone)]
pub struct Crates {
    pub(crate) components: Vec<Value>,
}

impl Crates {
    /// Returns the crates of a package without programs.
    pub fn none() -> Crates {
        Crates { components: Vec::new() }
    }

    /// Lists the crates of this workspace's programs.
    pub fn list(workspace: &Workspace, target: Target) -> Result<Crates> {
        Crates::list_of(
            &workspace.path(""),
            &workspace.path("Cargo.lock"),
            &workspace.programs()?,
            &[],
            target,
        )
    }

    /// Lists the crates of programs with `cargo tree`, from the versions in `lock`.
    pub(crate) fn list_of(
        folder: &Path,
        lock: &Path,
        programs: &[String],
        features: &[String],
        target: Target,
    ) -> Result<Crates> {
        let sh = Shell::new()?;
        sh.change_dir(folder);
        let (triple, format) = (target.triple, "{p}|{l}");
        // `cargo metadata` would unite the features of all workspace members, and list crates that only the toolchain
        // uses.
        let packages = programs.iter().map(|name| format!("--package={name}"));
        let features = features.iter().map(|feature| format!("--features={feature}"));
        let tree = cmd!(
            sh,
            "cargo tree --locked {packages...} {features...} --edges normal,no-proc-macro --target {triple} --prefix none --format {format}"
        );
        // `(*)` marks a crate whose dependencies are listed above.
        let line = |line: &str| line.trim_end_matches(" (*)").to_owned();
        // Crates of the workspace itself have their path in parentheses.
        let is_foreign = |line: &&str| !line.is_empty() && !line.contains(" (/");
        let lines: BTreeSet<String> = tree.quiet().read()?.lines().filter(is_foreign).map(line).collect();
        let lock: toml::Table = toml::from_str(&std::fs::read_to_string(lock)?)?;
        let rustc = cmd!(sh, "rustc --version").quiet().read()?;
        let version = rustc.split_whitespace().nth(1).unwrap_or_default();
        let mut components = vec![json!({
            "type": "library", "bom-ref": format!("rust-std@{version}"), "name": "rust-std", "version": version,
            "description": format!("Rust's standard library for {triple}, with musl's libc"),
            "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        })];
        components.extend(lines.iter().filter_map(|line| parse_component(line, &lock)));
        Ok(Crates { components })
    }
}

/// Returns the bill of materials of one package, as JSON.
pub fn bill(product: &Product, package: &Package, crates: &Crates, brought: &[Value]) -> String {
    let kind = match package.format {
        Format::Deb => "deb",
        Format::Rpm => "rpm",
    };
    let purl = format!("pkg:{kind}/{}@{}?arch={}", package.package, package.version, package.architecture);
    let own = if product.programs.is_empty() { &[] } else { crates.components.as_slice() };
    let mut components: Vec<&Value> = own.iter().chain(brought).collect();
    // Several programs can be linked with the same crate.
    let mut seen = BTreeSet::new();
    components.retain(|component| seen.insert(component["bom-ref"].to_string()));
    let refs: Vec<&Value> = components.iter().map(|c| &c["bom-ref"]).collect();
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": format!("urn:uuid:{}", derive_uuid(&package.sha256)),
        "version": 1,
        "metadata": {
            "timestamp": format!("{}T00:00:00Z", product.release().date),
            "component": {
                "type": "application", "bom-ref": purl, "name": package.package, "version": package.version,
                "description": product.summary, "purl": purl,
                "licenses": [{ "expression": product.license }],
                "hashes": [{ "alg": "SHA-256", "content": package.sha256 }],
            },
        },
        "components": components,
        "dependencies": [{ "ref": purl, "dependsOn": refs }],
    });
    let mut text = serde_json::to_string_pretty(&bill).expect("a bill has only text keys");
    text.push('\n');
    text
}

/// Describes a payload by the checksum of its files. A payload with a single file has the checksum of that file.
pub(crate) fn describe_payload(payload: &Payload, entries: &[Entry]) -> Value {
    let sum = match entries {
        [Entry { kind: EntryKind::File { sha256, .. }, .. }] => sha256.clone(),
        _ => sha256(entries.iter().map(Entry::fingerprint).collect::<Vec<_>>().join("\n").as_bytes()),
    };
    json!({
        "type": "file", "bom-ref": format!("payload/{}", payload.name), "name": payload.name,
        "description": format!("installed in {}", payload.dir),
        "hashes": [{ "alg": "SHA-256", "content": sum }],
    })
}

/// Parses a line of `cargo tree` as a component.
fn parse_component(line: &str, lock: &toml::Table) -> Option<Value> {
    let (head, license) = line.split_once('|')?;
    let mut words = head.split_whitespace();
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    let purl = format!("pkg:cargo/{name}@{version}");
    let locked = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
    let checksum = locked
        .filter(|p| p["name"].as_str() == Some(name) && p["version"].as_str() == Some(version))
        .find_map(|p| p.get("checksum")?.as_str());
    Some(json!({
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
        "licenses": [{ "expression": license.trim_end_matches(" (*)").replace('/', " OR ") }],
        "hashes": checksum.map(|sum| json!([{ "alg": "SHA-256", "content": sum }])).unwrap_or_else(|| json!([])),
    }))
}

/// Derives a UUID from the package's hash, so that the same package has the same number.
fn derive_uuid(hash: &str) -> String {
    let hex = sha256(hash.as_bytes());
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
