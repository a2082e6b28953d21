//! Where the programs of services come from: the package, one of its dependencies, or somebody else.

use catalog::model::{Product, Service};

use crate::tree::Tree;

/// Directories of the system's own programs.
const SYSTEM: [&str; 5] = ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/lib/systemd/"];
/// Programs that every machine has.
const EVERYWHERE: [&str; 28] = [
    "bash",
    "cat",
    "chmod",
    "cp",
    "date",
    "dd",
    "echo",
    "env",
    "false",
    "find",
    "flock",
    "grep",
    "journalctl",
    "ln",
    "ls",
    "mkdir",
    "mv",
    "rm",
    "sed",
    "sh",
    "sleep",
    "sync",
    "systemctl",
    "systemd-run",
    "tail",
    "tar",
    "touch",
    "true",
];

/// Returns a warning for each service whose program has no known origin. `tree` is what the product renders.
pub fn find_unknown(product: &Product, tree: &Tree) -> Vec<String> {
    let mut warnings: Vec<String> =
        product.units().filter_map(|service| warn(product, tree, service)).collect();
    warnings.dedup();
    warnings
}

fn warn(product: &Product, tree: &Tree, service: &Service) -> Option<String> {
    let program = service.program.as_ref().filter(|_| service.external.is_none())?;
    let is_own = product.programs.contains(program)
        || product.payloads.iter().any(|payload| payload.contains(program))
        || tree.installed().any(|(path, _)| path == program);
    if is_own || is_of_system(product, program) {
        return None;
    }
    Some(format!(
        "service.{}: neither the package nor a dependency has `{program}`: bring it with a payload, add its package to \
         product.depends, or write in `external` who brings it",
        service.name
    ))
}

/// Tells whether every machine has a program, or a package of its name that the product depends on.
fn is_of_system(product: &Product, program: &str) -> bool {
    let Some(name) = SYSTEM.iter().find_map(|folder| program.strip_prefix(folder)) else { return false };
    let words = |relation: &String| -> Vec<String> {
        relation.split('|').filter_map(|one| Some(one.split_whitespace().next()?.to_owned())).collect()
    };
    // `python3.11` is in `python3.11`, `nginx` in `nginx-light`.
    let is_like = |package: &String| package.starts_with(name) || name.starts_with(package.as_str());
    EVERYWHERE.contains(&name)
        || product
            .depends_deb
            .iter()
            .chain(&product.depends_rpm)
            .flat_map(words)
            .any(|package| is_like(&package))
}
