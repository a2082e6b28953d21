//! What has to be there on a machine: takes the tables of accounts, groups, slices, directories and files, makes what
//! sysusers.d, tmpfiles.d and the package bring.

use crate::finding::{known, shown};
use crate::model::bounds::limits;
use crate::model::place::Place;
use crate::model::{Account, Config, Directory, Group, Slice};
use crate::raw::Catalog;
use crate::rule::{name, path, quantity, text};

pub(super) fn watchdog(catalog: &Catalog, place: &mut Place<'_>) -> Option<String> {
    let watchdog = catalog.machine.as_ref()?.hardware_watchdog.clone()?;
    place.rule(&["machine", "hardware-watchdog"], quantity::timeout(&watchdog));
    Some(watchdog)
}

pub(super) fn accounts(catalog: &Catalog, place: &mut Place<'_>) -> Vec<Account> {
    let mut accounts = Vec::new();
    for (name, account) in &catalog.account {
        place.rule(&["account", name], name::account(name));
        place.rule(&["account", name, "description"], quotable(&account.description));
        place.rule(&["account", name, "home"], account.home.as_deref().map_or(Ok(()), path::home));
        place.rule(&["account", name, "shell"], account.shell.as_deref().map_or(Ok(()), path::shell));
        place.list(&["account", name, "groups"], &account.groups);
        for (i, group) in account.groups.iter().enumerate() {
            place.rule(&["account", name, "groups", &i.to_string()], name::foreign_group(group));
        }
        place.list(&["account", name, "groups-if-present"], &account.groups_if_present);
        for (i, group) in account.groups_if_present.iter().enumerate() {
            let at = ["account", name, "groups-if-present", &i.to_string()];
            place.rule(&at, name::foreign_group(group));
            if account.groups.contains(group) || catalog.group.contains_key(group) {
                place.fault(&at, "is made by this package: keep it in `groups`");
            }
        }
        accounts.push(Account {
            name: name.clone(),
            description: account.description.clone(),
            home: account.home.clone(),
            shell: account.shell.clone(),
            groups: account.groups.clone(),
            groups_if_present: account.groups_if_present.clone(),
            linger: account.linger,
        });
    }
    accounts
}

pub(super) fn groups(catalog: &Catalog, place: &mut Place<'_>) -> Vec<Group> {
    let mut groups = Vec::new();
    for (name, group) in &catalog.group {
        place.rule(&["group", name], name::account(name));
        place.rule(&["group", name, "description"], text::line(&group.description));
        if catalog.account.contains_key(name) {
            place.fault(&["group", name], "is the group of the account of that name already: choose another");
        }
        groups.push(Group { name: name.clone(), description: group.description.clone() });
    }
    groups
}

/// A description goes into the fifth field of /etc/passwd.
fn quotable(value: &str) -> text::Verdict {
    text::line(value)?;
    match value.chars().find(|c| matches!(c, ':' | '"' | '%' | '\\')) {
        Some(c) => Err(format!("holds `{c}`, which the list of users cannot: take it away")),
        None if value == "-" => Err("is `-`, which means that there is none: write who this is".to_owned()),
        None => Ok(()),
    }
}

/// Slices, below that of the product: its name in theirs says so.
pub(super) fn slices(catalog: &Catalog, place: &mut Place<'_>) -> Vec<Slice> {
    let mut slices = Vec::new();
    for (name, slice) in &catalog.slice {
        place.rule(&["slice", name], name::ours(name));
        place.rule(&["slice", name, "description"], text::line(&slice.description));
        let bounds = &slice.limits;
        for (field, value, rule) in [
            ("cpu-quota", &bounds.cpu_quota, quantity::percentage as fn(&str) -> text::Verdict),
            ("memory-max", &bounds.memory_max, quantity::memory),
        ] {
            place.rule(&["slice", name, "limits", field], value.as_deref().map_or(Ok(()), rule));
        }
        place.rule(&["slice", name, "limits", "tasks-max"], bounds.tasks_max.map_or(Ok(()), quantity::count));
        for (field, value) in [("nofile", bounds.nofile), ("nproc", bounds.nproc)] {
            if value.is_some() {
                let text =
                    "is a bound of single processes, which a slice has none of: write it in the services";
                place.fault(&["slice", name, "limits", field], text);
            }
        }
        slices.push(Slice {
            unit: slice_unit(&catalog.product.name, name),
            description: slice.description.clone(),
            limits: limits(bounds),
        });
    }
    slices
}

/// The name of a slice's unit.
pub(super) fn slice_unit(product: &str, slice: &str) -> String {
    format!("{product}-{slice}.slice")
}

/// Directories for tmpfiles.d to make: none that is somebody else's.
pub(super) fn directories(catalog: &Catalog, place: &mut Place<'_>) -> Vec<Directory> {
    let own = format!("/etc/{}", catalog.product.name);
    let mut directories = Vec::new();
    for (path, directory) in &catalog.directory {
        let at = |field| ["directory", path.as_str(), field];
        let below = path.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        place.rule(&["directory", path], if below { path::plain(path) } else { path::home(path) });
        let user = directory.user.clone().unwrap_or_else(|| "root".to_owned());
        if user != "root" && !catalog.account.contains_key(&user) {
            let accounts = known(catalog.account.keys());
            place.fault(&at("user"), &format!("{} names no account: {accounts}, or root", shown(&user)));
        }
        let mode = directory.mode.clone().unwrap_or_else(|| "0755".to_owned());
        place.rule(&at("mode"), path::mode(&mode));
        directories.push(Directory { path: path.clone(), user, mode });
    }
    directories
}

/// Configuration files that the package brings.
pub(super) fn configs(catalog: &Catalog, place: &mut Place<'_>) -> Vec<Config> {
    let mut configs = Vec::new();
    for (name, config) in &catalog.config {
        let path = format!("/etc/{}/{name}", catalog.product.name);
        if name.starts_with('/') {
            let text = format!("is below /etc/{} already: write it from there on", catalog.product.name);
            place.fault(&["config", name], &text);
        } else {
            place.rule(&["config", name], path::relative(name).and_then(|()| path::plain(&path)));
        }
        let taken = name.starts_with(".env.") || name == "alert.conf";
        let of_instances =
            catalog.service.keys().any(|s| name.starts_with(&format!("{s}/")) && name.ends_with(".env"));
        if taken || of_instances {
            place.fault(
                &["config", name],
                "is written by itself, from a role, alerts or instances: choose another name",
            );
        }
        place.rule(&["config", name, "text"], text::document(&config.text));
        configs.push(Config { path, text: config.text.clone() });
    }
    configs
}
