//! Finds files that two products share. Packages that ship the same path cannot be installed together.

use std::collections::BTreeMap;

use catalog::finding::{Faults, Findings};
use catalog::model::Product;

use crate::extra::Extra;
use crate::render::render;

/// Reports each path and package name that two products share. `files` has the catalog of each product, for messages.
pub fn check(files: &[&str], products: &[Product], extras: &[Extra]) -> Result<(), Faults> {
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for (i, product) in products.iter().enumerate() {
        let mut findings = Findings::new(files[i]);
        let tree = render(product, extras);
        let programs = product.programs.iter().map(|p| format!("{}/{p}", product.program_dir));
        for path in tree.installed().map(|(path, _)| path.to_owned()).chain(programs) {
            match owners.get(&path) {
                Some(other) => findings
                    .add(1, format!("`{path}` is also shipped by {}: {}", files[*other], advise(&path))),
                None => _ = owners.insert(path, i),
            }
        }
        if let Some(other) = products[..i].iter().position(|p| p.package == product.package) {
            findings.add(
                1,
                format!(
                    "product.package: \"{}\" is also the package of {}: choose another name",
                    product.package, files[other]
                ),
            );
        }
        faults.extend(findings.fail_if_any().err());
    }
    if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
}

fn advise(path: &str) -> &'static str {
    if path.starts_with("/usr/bin/") || path.contains("/man1/") {
        "remove the program from product.commands in one of them"
    } else {
        "choose another product.name or service name in one of them"
    }
}
