//! Sets the role of the machine for every product on it: the environment of shells and services, and the
//! services that start.
//!
//! Products are found by their tables, and no product is named here. A product without that role is not
//! changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use base::failure::reason;
use base::table::{FILE, Table};

use crate::{durable, template, tool};

const PROFILE: &str = "/etc/profile.d/50-first-boot.sh";
const PRODUCT: &str = include_str!("files/profile.sh");

/// Reads the tables of all products on this machine.
pub(super) fn tables() -> Vec<Table> {
    let entries = fs::read_dir("/usr/share").into_iter().flatten().flatten();
    let mut paths: Vec<_> =
        entries.map(|entry| entry.path().join(FILE)).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.iter().filter_map(|path| Table::read(path).ok()).collect()
}

/// Sets the role and the workspace; returns the errors.
pub(super) fn apply(role: Option<&str>, workspace: Option<&str>) -> Vec<String> {
    let (tables, mut faults, mut profile) = (tables(), Vec::new(), String::new());
    if let Some(role) = role {
        let known: BTreeSet<&str> = tables.iter().flat_map(roles).collect();
        if !known.contains(role) {
            let known = Vec::from_iter(known).join(", ");
            faults.push(format!("[robot] role: unknown role: expected one of {known}"));
        }
    }
    let mut placed = false;
    for table in &tables {
        let variables = workspaces(table);
        if let Some(workspace) = workspace {
            placed |= !variables.is_empty();
            for file in
                table.env_files.iter().filter(|f| variables.iter().any(|v| f.environment.contains_key(v)))
            {
                if let Err(e) = set(&file.path, &variables, workspace) {
                    faults.push(format!("[robot] workspace: `{}`: {}", file.path.display(), reason(&e)));
                }
            }
        }
        let role = role.filter(|role| roles(table).any(|known| known == *role));
        let Some(role) = role else { continue };
        profile += &shell(table, role, &variables, workspace);
        faults.extend(services(table, role));
    }
    if workspace.is_some() && !placed {
        faults.push(
            "[robot] workspace: no product on this machine uses a workspace: remove the line".to_owned(),
        );
    }
    if !profile.is_empty()
        && let Err(e) = durable::replace(Path::new(PROFILE), Some(0o644), profile.as_bytes())
    {
        faults.push(format!("[robot] role: `{PROFILE}`: {}", reason(&e)));
    }
    faults
}

/// Returns the roles of a product, from the names of its environment files.
fn roles(table: &Table) -> impl Iterator<Item = &str> {
    table.env_files.iter().filter_map(|file| file.path.file_name()?.to_str()?.strip_prefix(".env."))
}

/// Returns the variables that name the working directory of services.
fn workspaces(table: &Table) -> Vec<String> {
    let directories = table.launchable().filter_map(|(_, launch)| launch.directory.as_deref());
    let names = directories.filter_map(|text| text.strip_prefix("${")?.split_once('}'));
    let names: BTreeSet<&str> = names.map(|(name, _)| name).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Changes these variables in an environment file and nothing else.
fn set(path: &Path, variables: &[String], value: &str) -> std::io::Result<()> {
    let old = fs::read_to_string(path)?;
    let line = |line: &str| {
        let name = line.split_once('=').map(|(name, _)| name.trim());
        match name.filter(|name| variables.iter().any(|v| v == name)) {
            Some(name) => format!("{name}={value}\n"),
            None => format!("{line}\n"),
        }
    };
    durable::replace(path, Some(0o644), old.lines().map(line).collect::<String>().as_bytes())
}

/// Returns the lines for login shells of one product.
fn shell(table: &Table, role: &str, variables: &[String], workspace: Option<&str>) -> String {
    let word = table.product.replace('-', "_");
    let selector = format!("{}_ENV", word.to_uppercase());
    let loader = format!("/usr/share/{}/{word}_env.sh", table.product);
    let exports: String = workspace
        .iter()
        .flat_map(|workspace| variables.iter().map(move |name| format!("export {name}={workspace}\n")))
        .collect();
    template::filled(
        PRODUCT,
        &[("selector", &selector), ("role", role), ("loader", &loader), ("exports", &exports)],
    )
}

/// Enables the services of this role and disables those of other roles.
fn services(table: &Table, role: &str) -> Vec<String> {
    let file = format!(".env.{role}");
    let mut faults = Vec::new();
    for (service, launch) in table.launchable().filter(|(service, _)| service.boot) {
        let Some(own) = launch.env_file.as_ref().and_then(|path| path.file_name()) else { continue };
        let unit = service.unit.as_str();
        let done = if own == file.as_str() {
            // Enabled, unless an administrator's preset disables it.
            tool::systemctl(&["--quiet", "--no-reload", "preset", unit])
        } else {
            tool::systemctl(&["--quiet", "--no-reload", "disable", unit])
                .and_then(|()| tool::systemctl(&["--no-block", "stop", unit]))
        };
        faults.extend(done.err().map(|why| format!("[robot] role: `{unit}`: {why}")));
    }
    faults
}
