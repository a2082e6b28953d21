//! What is not as it should be on this machine, each with the command that puts it right: takes the table and a
//! connection, makes a [`Diagnosis`]. Looks, and changes nothing.
//!
//! Causes come before what comes of them, so that the commands can be run from top to bottom. What a check compares
//! with is in the table; what this user may not see is no finding.

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

/// Looks at everything.
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

/// How the package is installed anew, with the configuration files that are gone; those that are there stay.
fn reinstall(table: &Table) -> String {
    let package = &table.package;
    if is_debian() {
        format!("apt-get install --reinstall --yes -o Dpkg::Options::=--force-confmiss {package}")
    } else {
        format!("dnf --assumeyes reinstall {package}")
    }
}

/// Whether packages are Debian's here. dpkg's own folder is not for others to look into.
fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists()
}

/// A path or word as a shell reads it back.
fn word(text: impl AsRef<std::ffi::OsStr>) -> String {
    quote(text.as_ref()).to_string_lossy().into_owned()
}
