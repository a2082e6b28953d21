//! Finds problems on this machine and the commands that fix them. This changes nothing.
//!
//! Causes come before their effects, so that the commands can be run from top to bottom. The expected state
//! is in the table; objects that this user may not read cause no findings.

mod expectation;
mod files;
mod machine;
mod person;
mod setup;
mod units;

use std::path::Path;

use base::diagnosis::Diagnosis;
use base::failure::Failure;
use base::program::quote;
use base::report::SCHEMA;
use base::table::Table;

use crate::executor::systemd::Systemd;
use crate::executor::{snapshot, standing};

/// Runs all checks.
pub fn examine(table: &Table, systemd: &mut Systemd) -> Result<Diagnosis, Failure> {
    let units = snapshot::units(table, systemd)?;
    let mut findings = files::shipped(table);
    let polkit = machine::polkit(systemd)?;
    findings.extend(polkit.as_ref().err().cloned());
    findings.extend(person::group(table, polkit.ok().flatten()));
    findings.extend(person::journal());
    findings.extend(files::environment(table));
    findings.extend(setup::scripts(table));
    findings.extend(files::locks(table));
    findings.extend(machine::disk(table));
    findings.extend(machine::clock(table, systemd)?);
    findings.extend(units::files(table, &units, systemd)?);
    findings.extend(expectation::differences(table, &units));
    findings.extend(units::pending(table));
    findings.extend(units::boot(table, &units));
    Ok(Diagnosis {
        schema: SCHEMA,
        product: table.product.clone(),
        version: table.version.clone(),
        user: standing::user(),
        findings,
    })
}

/// Returns the command that reinstalls the package and restores missing configuration files, but keeps
/// existing ones.
fn reinstall(table: &Table) -> String {
    let package = &table.package;
    if is_debian() {
        format!("apt-get install --reinstall --yes -o Dpkg::Options::=--force-confmiss {package}")
    } else {
        format!("dnf --assumeyes reinstall {package}")
    }
}

/// Returns whether this is a Debian system. Other users may not read dpkg's own folder.
fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists()
}

/// Quotes a path or word for a shell.
fn word(text: impl AsRef<std::ffi::OsStr>) -> String {
    quote(text.as_ref()).to_string_lossy().into_owned()
}
