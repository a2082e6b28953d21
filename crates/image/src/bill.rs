//! Writes the CycloneDX bill of materials of an image: every distribution package as its lock names it, and
//! every package of ours by its file. It does not depend on the date or the machine.

use base::date::Date;
use common::checksum::sha256;
use debian::archive::package::Package;
use serde_json::{Value, json};

/// One of our packages in an image.
#[derive(Debug, Clone)]
pub struct Own {
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// Debian's name for the processor.
    pub architecture: String,
    /// SHA-256 of the .deb.
    pub sha256: String,
}

/// Returns the bill of materials of an image as JSON.
pub fn bill(image: &str, suite: &str, epoch: u64, packages: &[Package], own: &[Own]) -> String {
    let mut packages: Vec<&Package> = packages.iter().collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    let mut components: Vec<Value> = packages.iter().map(|package| distribution(package, suite)).collect();
    components.extend(own.iter().map(ours));
    let refs: Vec<&Value> = components.iter().map(|c| &c["bom-ref"]).collect();
    let hex = sha256(components.iter().map(Value::to_string).collect::<String>().as_bytes());
    let serial =
        format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32]);
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": format!("urn:uuid:{serial}"),
        "version": 1,
        "metadata": {
            "timestamp": format!("{}T00:00:00Z", Date::from_epoch(epoch).iso()),
            "component": { "type": "operating-system", "bom-ref": image, "name": image, "version": suite },
        },
        "components": components,
        "dependencies": [{ "ref": image, "dependsOn": refs }],
    });
    let mut text = serde_json::to_string_pretty(&bill).expect("all keys are strings");
    text.push('\n');
    text
}

fn distribution(package: &Package, suite: &str) -> Value {
    let (name, version) = (&package.name, &package.version);
    let purl =
        format!("pkg:deb/debian/{name}@{}?arch={}&distro={suite}", escape(version), package.architecture);
    let source = package.field("Source").unwrap_or(name);
    json!({
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
        "hashes": [{ "alg": "SHA-256", "content": package.sha256 }],
        "properties": [
            { "name": "source", "value": source },
            { "name": "pocket", "value": package.pocket },
        ],
    })
}

fn ours(own: &Own) -> Value {
    let purl = format!("pkg:deb/{}@{}?arch={}", own.name, escape(&own.version), own.architecture);
    json!({
        "type": "application", "bom-ref": purl, "name": own.name, "version": own.version, "purl": purl,
        "hashes": [{ "alg": "SHA-256", "content": own.sha256 }],
    })
}

fn escape(version: &str) -> String {
    version.replace('%', "%25").replace('+', "%2B").replace(':', "%3A")
}
