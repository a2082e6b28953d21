//! Accounts, groups, slices, directories and configuration files.

use super::limits::{check_limits, render_limits};
use super::report::Report;
use crate::finding::describe_unknown;
use crate::model::{Account, Config, Directory, Group, Slice, slice_unit};
use crate::raw::Catalog;
use crate::rule::{name, path, quantity, text};

pub(super) fn resolve_watchdog(catalog: &Catalog, report: &mut Report<'_>) -> Option<String> {
    let watchdog = catalog.machine.as_ref()?.hardware_watchdog.clone()?;
    report.check(&["machine", "hardware-watchdog"], quantity::check_timeout(&watchdog));
    Some(watchdog)
}

pub(super) fn resolve_accounts(catalog: &Catalog, report: &mut Report<'_>) -> Vec<Account> {
    let mut accounts = Vec::new();
    for (name, account) in &catalog.account {
        report.check(&["account", name], name::check_account(name));
        report.check(&["account", name, "description"], check_gecos(&account.description));
        report.check_optional(&["account", name, "home"], account.home.as_ref(), path::check_home);
        report.check_optional(&["account", name, "shell"], account.shell.as_ref(), path::check_shell);
        report.check_list(&["account", name, "groups"], &account.groups, name::check_group);
        let optional = &account.groups_if_present;
        report.check_list(&["account", name, "groups-if-present"], optional, name::check_group);
        for (i, group) in optional.iter().enumerate() {
            let at = ["account", name, "groups-if-present", &i.to_string()];
            if account.groups.contains(group) || catalog.group.contains_key(group) {
                report.refuse(&at, "is created by this package: remove it, or list it in `groups` instead");
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

pub(super) fn resolve_groups(catalog: &Catalog, report: &mut Report<'_>) -> Vec<Group> {
    let mut groups = Vec::new();
    for (name, group) in &catalog.group {
        report.check(&["group", name], name::check_account(name));
        report.check(&["group", name, "description"], text::check_line(&group.description));
        if catalog.account.contains_key(name) {
            report.refuse(
                &["group", name],
                "is also the name of an account, which has a group of its own: choose another name",
            );
        }
        groups.push(Group { name: name.clone(), description: group.description.clone() });
    }
    groups
}

/// Checks a description, which becomes the fifth field of /etc/passwd.
fn check_gecos(value: &str) -> text::Verdict {
    text::check_line(value)?;
    match value.chars().find(|c| matches!(c, ':' | '"' | '%' | '\\')) {
        Some(c) => Err(format!("contains `{c}`, which the description of a user cannot hold: remove it")),
        None if value == "-" => Err("is `-`, which means no description: describe the account".to_owned()),
        None => Ok(()),
    }
}

pub(super) fn resolve_slices(catalog: &Catalog, report: &mut Report<'_>) -> Vec<Slice> {
    let mut slices = Vec::new();
    for (name, slice) in &catalog.slice {
        report.check(&["slice", name], name::check_own(name));
        report.check(&["slice", name, "description"], text::check_line(&slice.description));
        let bounds = &slice.limits;
        check_limits(bounds, |field, verdict| {
            if !["nofile", "nproc"].contains(&field) {
                report.check(&["slice", name, "limits", field], verdict);
            }
        });
        for (field, value) in [("nofile", bounds.nofile), ("nproc", bounds.nproc)] {
            if value.is_some() {
                let text = "limits single processes, not a slice: set it in the services";
                report.refuse(&["slice", name, "limits", field], text);
            }
        }
        slices.push(Slice {
            unit: slice_unit(&catalog.product.name, name),
            description: slice.description.clone(),
            limits: render_limits(bounds),
        });
    }
    slices
}

pub(super) fn resolve_directories(catalog: &Catalog, report: &mut Report<'_>) -> Vec<Directory> {
    let own = format!("/etc/{}", catalog.product.name);
    let mut directories = Vec::new();
    for (path, directory) in &catalog.directory {
        let at = |field| ["directory", path.as_str(), field];
        let below = path.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        report.check(
            &["directory", path],
            if below { path::check_plain(path) } else { path::check_home(path) },
        );
        let user = directory.user.clone().unwrap_or_else(|| "root".to_owned());
        if user != "root" && !catalog.account.contains_key(&user) {
            let accounts = catalog.account.keys().map(String::as_str).chain(["root"]);
            report.refuse(&at("user"), &describe_unknown("account", &user, accounts));
        }
        let mode = directory.mode.clone().unwrap_or_else(|| "0755".to_owned());
        report.check(&at("mode"), path::check_mode(&mode));
        directories.push(Directory { path: path.clone(), user, mode });
    }
    directories
}

pub(super) fn resolve_configs(catalog: &Catalog, report: &mut Report<'_>) -> Vec<Config> {
    let mut configs = Vec::new();
    for (name, config) in &catalog.config {
        let path = format!("/etc/{}/{name}", catalog.product.name);
        if name.starts_with('/') {
            let text = format!("is an absolute path: write it relative to /etc/{}", catalog.product.name);
            report.refuse(&["config", name], &text);
        } else {
            report
                .check(&["config", name], path::check_relative(name).and_then(|()| path::check_plain(&path)));
        }
        let taken = name.starts_with(".env.") || name == "alert.conf";
        let of_instances =
            catalog.service.keys().any(|s| name.starts_with(&format!("{s}/")) && name.ends_with(".env"));
        if taken || of_instances {
            report.refuse(
                &["config", name],
                "is reserved for files of roles, alerts and instances: choose another name",
            );
        }
        report.check(&["config", name, "text"], text::check_document(&config.text));
        configs.push(Config { path, text: config.text.clone() });
    }
    configs
}
