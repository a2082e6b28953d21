//! The variables that a service runs with: `role`, `environment`, `environment-files`, and every `${NAME}` that other
//! fields use.

use super::entry::Entry;
use crate::finding::{describe_unknown, find_near};
use crate::model::Role;
use crate::raw::{self, Manager};
use crate::resolve::quote::quote_word;
use crate::rule::{name, path, text};

/// Variables that systemd sets by itself.
const SET_BY_SYSTEMD: [&str; 18] = [
    "CACHE_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "EXIT_CODE",
    "EXIT_STATUS",
    "HOME",
    "INVOCATION_ID",
    "LISTEN_FDS",
    "LOGNAME",
    "LOGS_DIRECTORY",
    "MAINPID",
    "NOTIFY_SOCKET",
    "PATH",
    "RUNTIME_DIRECTORY",
    "SERVICE_RESULT",
    "SHELL",
    "STATE_DIRECTORY",
    "USER",
];

pub(super) fn resolve_role<'a>(entry: &mut Entry<'a, '_>) -> Option<&'a Role> {
    let wanted = entry.spec.role.as_ref()?;
    let roles = entry.context.roles;
    let role = roles.iter().find(|role| role.name == *wanted);
    if role.is_none() {
        let names = roles.iter().map(|role| &role.name);
        entry.refuse(&["role"], &describe_unknown("role", wanted, names));
    }
    role
}

/// Returns the files of `EnvironmentFile=`, without that of the role.
pub(super) fn resolve_environment_files(entry: &mut Entry<'_, '_>) -> Vec<String> {
    let files = &entry.spec.environment_files;
    entry.check_list("environment-files", files, |file| {
        path::check_in_unit(file.strip_prefix('-').unwrap_or(file))
    });
    for (i, file) in files.iter().enumerate() {
        entry.check_specifiers(&["environment-files", &i.to_string()], file);
    }
    files.clone()
}

/// Returns `Environment=`, quoted.
pub(super) fn resolve_environment(entry: &mut Entry<'_, '_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, value) in &entry.spec.environment {
        entry.check(&["environment", key], name::check_variable(key));
        entry.check(&["environment", key], text::check_variable(value));
        lines.push(quote_word(&format!("{key}={value}").replace('%', "%%")));
    }
    lines
}

/// Returns a word with the values that the package gives to its variables.
pub(super) fn expand(entry: &Entry<'_, '_>, word: &str, role: Option<&Role>) -> String {
    let variables = list_variables(entry.spec, role);
    variables.fold(word.to_owned(), |word, (name, value)| word.replace(&format!("${{{name}}}"), value))
}

/// Returns the variables of the role and of the service: name and value.
fn list_variables<'a>(
    spec: &'a raw::Service,
    role: Option<&'a Role>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let of_role = role.into_iter().flat_map(|role| &role.variables);
    let of_role = of_role.map(|variable| (variable.name.as_str(), variable.value.as_str()));
    of_role.chain(spec.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// Checks a word of a command line, in which systemd expands variables and specifiers.
pub(super) fn check_word(entry: &mut Entry<'_, '_>, at: &[&str], word: &str, role: Option<&Role>) {
    check_expansion(entry, at, word, role);
    entry.check_specifiers(at, word);
}

/// Checks the variables of a word: systemd splits the value of `$NAME` into words, and drops a variable that is not set.
fn check_expansion(entry: &mut Entry<'_, '_>, at: &[&str], word: &str, role: Option<&Role>) {
    let dollars = word.replace("$$", "").replace("${", "");
    if dollars.contains('$') {
        entry.refuse(at, "contains a bare `$`: write `${NAME}` for a variable, or `$$` for a dollar sign");
        return;
    }
    if entry.scope == Manager::System && !entry.spec.directives.service.contains_key("PassEnvironment") {
        check_variables(entry, at, &word.replace("$$", ""), role, &SET_BY_SYSTEMD);
    }
}

/// Checks a value in which `run_stack` expands variables: its launch fails if one is empty.
pub(super) fn check_launch_variables(
    entry: &mut Entry<'_, '_>,
    at: &[&str],
    value: &str,
    role: Option<&Role>,
) {
    check_variables(entry, at, value, role, &[]);
}

/// Checks that the role, the service or its instances set every `${NAME}` of a value.
fn check_variables(
    entry: &mut Entry<'_, '_>,
    at: &[&str],
    value: &str,
    role: Option<&Role>,
    set_by_systemd: &[&str],
) {
    if value.rsplit_once("${").is_some_and(|(_, rest)| !rest.contains('}')) {
        entry.refuse(at, "contains a `${` without `}`: write `${NAME}`");
        return;
    }
    let of_instances = entry.spec.instances.iter().flat_map(|i| i.variables.keys());
    let of_instances = of_instances.map(|name| (name.as_str(), "set by each instance"));
    let set: Vec<(&str, &str)> = list_variables(entry.spec, role).chain(of_instances).collect();
    for variable in text::find_variables(value) {
        match set.iter().rfind(|(name, _)| *name == variable) {
            Some((_, "")) if set_by_systemd.is_empty() => {
                entry.refuse(at, &format!("`${{{variable}}}` is empty: set a value"));
            }
            None if !set_by_systemd.contains(&variable) => {
                let names: Vec<&str> = set.iter().map(|(name, _)| *name).collect();
                let hint = match find_near(variable, &names) {
                    Some(near) => format!("did you mean `${{{near}}}`?"),
                    None => "set it in `environment` or in the role".to_owned(),
                };
                entry.refuse(at, &format!("`${{{variable}}}` is not set: {hint}"));
            }
            _ => {}
        }
    }
}
