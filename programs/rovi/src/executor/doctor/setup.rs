//! Checks the setup scripts at the paths from the environment file.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use base::diagnosis::Finding;
use base::environment::Environment;
use base::table::{Launch, Setup, Table};
use base::{bounded, env_file};

use crate::executor::doctor::word;

/// Finds missing scripts, and unset variables in their paths.
pub(super) fn scripts(table: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for (_, launch) in table.launchable() {
        // Without its file, the paths are unknown.
        let Some(environment) = environment(launch) else { continue };
        for script in launch.setup.iter().filter(|s| seen.insert((launch.env_file.clone(), s.path.clone()))) {
            findings.extend(one(table, launch, script, &environment));
        }
    }
    // Two scripts may need the same variable.
    findings.dedup();
    findings
}

fn one(table: &Table, launch: &Launch, script: &Setup, environment: &Environment) -> Option<Finding> {
    let path = match environment.expand(&script.path) {
        Ok(path) => path,
        Err(name) => {
            let file = launch.env_file.as_deref()?;
            let shipped = table.env_files.iter().find(|f| f.path == file)?.environment.get(&name)?;
            let what = format!(
                "`{}` does not set {name}, which is part of the path `{}`",
                file.display(),
                script.path
            );
            return Some(Finding::problem("env-file", file.display(), what, assign(file, &name, shipped)));
        }
    };
    match Path::new(&path).metadata() {
        Ok(metadata) if metadata.is_file() => None,
        Err(e) if e.kind() != io::ErrorKind::NotFound => None,
        _ => {
            let hint = environment.expand_shown(&script.hint);
            let shown = path.to_string_lossy();
            let fix = script.fix.as_ref().map(|fix| environment.expand_shown(fix));
            // If the catalog has no command, print the hint as a comment.
            let fix = fix.unwrap_or_else(|| format!("# {hint}"));
            Some(Finding::problem("setup", &shown, format!("`{shown}` is missing: {hint}"), fix))
        }
    }
}

fn environment(launch: &Launch) -> Option<Environment> {
    let mut environment = Environment::default();
    launch.environment.iter().for_each(|(name, value)| environment.set(name, value));
    if let Some(file) = &launch.env_file {
        // Another check reports errors in the file itself.
        bounded::read(file, bounded::ENVIRONMENT)
            .ok()
            .filter(|content| env_file::faults(content).is_empty())?;
        environment.load(file, false).ok()?;
    }
    Some(environment)
}

/// Returns the command that sets a variable in an environment file.
pub(super) fn assign(file: &Path, name: &str, value: &str) -> String {
    let line = format!("{name}={}", word(value));
    let there = bounded::read(file, bounded::ENVIRONMENT).unwrap_or_default();
    let there = String::from_utf8(there).unwrap_or_default();
    let is_it =
        |l: &str| l.trim_start().strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='));
    if there.lines().any(is_it) && !line.contains(['|', '\\', '&', '\'']) {
        format!("sed --in-place 's|^[[:blank:]]*{name}[[:blank:]]*=.*|{line}|' {}", word(file))
    } else {
        format!("echo {} >>{}", word(line), word(file))
    }
}
