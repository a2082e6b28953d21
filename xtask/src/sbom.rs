//! What is inside a package: takes cargo's account of the dependencies, makes a CycloneDX bill of materials. Nothing in
//! it depends on the day or the machine.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use crate::model::Product;
use crate::package::{Format, Package, sha256};
use crate::target::Target;
use crate::workspace::Workspace;

/// The crates that are linked into the programs for one target.
#[derive(Debug, Clone)]
pub struct Crates {
    components: Vec<Value>,
}

impl Crates {
    /// Asks cargo, from what is locked and on this machine.
    pub fn of(workspace: &Workspace, target: Target) -> Result<Crates> {
        let sh = Shell::new()?;
        sh.change_dir(workspace.path(""));
        let triple = target.triple;
        let text = cmd!(sh, "cargo metadata --format-version 1 --locked --filter-platform {triple}")
            .quiet()
            .read()?;
        let metadata: Value = serde_json::from_str(&text)?;
        let lock: toml::Table = toml::from_str(&std::fs::read_to_string(workspace.path("Cargo.lock"))?)?;
        let rustc = cmd!(sh, "rustc --version").quiet().read()?;
        let version = rustc.split_whitespace().nth(1).unwrap_or_default();
        let mut components = vec![json!({
            "type": "library", "bom-ref": format!("rust-std@{version}"), "name": "rust-std", "version": version,
            "description": format!("Rust's standard library for {triple}, with musl's libc"),
            "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        })];
        components.extend(linked(&metadata)?.into_iter().map(|package| component(package, &lock)));
        Ok(Crates { components })
    }
}

/// The bill of one package.
pub fn bill(product: &Product, package: &Package, crates: &Crates) -> String {
    let kind = match package.format {
        Format::Deb => "deb",
        Format::Rpm => "rpm",
    };
    let purl = format!("pkg:{kind}/{}@{}?arch={}", package.package, package.version, package.architecture);
    let components = if product.programs.is_empty() { &[] } else { crates.components.as_slice() };
    let refs: Vec<&Value> = components.iter().map(|c| &c["bom-ref"]).collect();
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": format!("urn:uuid:{}", uuid(&package.sha256)),
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

/// The packages that the root package's programs are linked from, itself not included, by name.
fn linked(metadata: &Value) -> Result<Vec<&Value>> {
    let by_id: BTreeMap<&str, &Value> =
        array(&metadata["packages"]).filter_map(|p| Some((p["id"].as_str()?, p))).collect();
    let nodes: BTreeMap<&str, &Value> =
        array(&metadata["resolve"]["nodes"]).filter_map(|n| Some((n["id"].as_str()?, n))).collect();
    let root = metadata["resolve"]["root"].as_str().context("cargo names no root package")?;
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        for dependency in array(&nodes[id]["deps"]) {
            let normal = array(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null());
            let id = dependency["pkg"].as_str().context("cargo names no package of a dependency")?;
            let macros = array(&by_id[id]["targets"]).any(|t| array(&t["kind"]).any(|k| k == "proc-macro"));
            if normal && !macros && found.insert(id) {
                open.push(id);
            }
        }
    }
    Ok(found.into_iter().map(|id| by_id[id]).collect())
}

fn component(package: &Value, lock: &toml::Table) -> Value {
    let (name, version) = (&package["name"], &package["version"]);
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let purl = format!("pkg:cargo/{}@{}", text(name), text(version));
    let locked = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
    let checksum = locked
        .filter(|p| p["name"].as_str() == name.as_str() && p["version"].as_str() == version.as_str())
        .find_map(|p| p.get("checksum")?.as_str());
    json!({
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
        "licenses": [{ "expression": text(&package["license"]).replace('/', " OR ") }],
        "hashes": checksum.map(|sum| json!([{ "alg": "SHA-256", "content": sum }])).unwrap_or_else(|| json!([])),
    })
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A name-based UUID of the package's hash: the same package, the same number.
fn uuid(hash: &str) -> String {
    let hex = sha256(hash.as_bytes());
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
