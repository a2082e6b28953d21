//! The product as a whole: takes the catalog as read, makes the [`Product`], with the faults of everything that is
//! not a service.

use std::collections::BTreeSet;

use base::date::Date;

use crate::finding::{Findings, known, shown};
use crate::model::place::Place;
use crate::model::service::{Known, build as build_service, extend, mirrored};
use crate::model::{
    Lock, Permit, Product, Release, Role, Service, Variable, alert, drop_in, machine, order, permit,
    program_dir, resolve, tasks,
};
use crate::raw::{self, Catalog, Manager, OnUpgrade, Scope};
use crate::rule::{about, name, text};
use crate::source::Source;

/// Resolves everything.
pub(super) fn build(
    catalog: &Catalog,
    text: &toml::Table,
    source: &Source,
    programs: &[String],
    findings: &mut Findings,
) -> Product {
    let place = &mut Place { source, findings };
    head(&catalog.product, programs, place);
    let specs = resolve::services(catalog, text, place);
    let roles = roles(catalog, place);
    let mut locks = locks(catalog, place);
    let scopes =
        specs.iter().map(|(chain, spec)| (chain.name.as_str(), spec.scope.unwrap_or_default())).collect();
    // Which instances there will be, nobody knows: they go down with it, and it starts none.
    let single = specs.iter().map(|(_, spec)| spec).filter(|spec| spec.instances.is_none());
    let parents = single.filter_map(|spec| spec.parent.as_deref()).collect();
    let named = || specs.iter().map(|(chain, spec)| (chain.name.as_str(), spec));
    let templates = named().filter(|(_, spec)| spec.instances.is_some()).map(|(name, _)| name).collect();
    let task_managers = named().filter_map(|(name, spec)| tasks::manager(name, spec)).collect();
    let known = Known { catalog, roles: &roles, locks: &locks, parents, templates, task_managers, scopes };
    let (mut services, mut mirrors) = (Vec::new(), Vec::new());
    for (chain, spec) in &specs {
        match spec.scope.unwrap_or_default() {
            Scope::System => services.push(build_service(chain, spec, Manager::System, &known, place)),
            Scope::User => services.push(build_service(chain, spec, Manager::User, &known, place)),
            Scope::Both => {
                services.push(build_service(chain, spec, Manager::System, &known, place));
                mirrors.push(build_service(chain, &mirrored(spec), Manager::User, &known, place));
            }
        }
    }
    if services.is_empty() {
        place.fault(
            &["service"],
            "a product without services has nothing to do: write a [service.NAME] table",
        );
    }
    find_children(&mut services);
    find_children(&mut mirrors);
    order::check(&services, place);
    find_dependents(&mut services);
    find_dependents(&mut mirrors);
    hold_kept(&mut services);
    hold_kept(&mut mirrors);
    let permits = permit::permits(catalog, &services, place);
    own_locks(&mut locks, &services, &permits, place);
    guard(&mut services, &permits, place);
    let alerts = alert::managers(catalog, services.iter().chain(&mirrors), place);
    let spec = &catalog.product;
    Product {
        name: spec.name.clone(),
        package: spec.package.clone(),
        summary: spec.summary.clone(),
        description: paragraphs(&spec.description),
        maintainer: spec.maintainer.clone(),
        license: spec.license.clone(),
        copyright: spec.copyright.clone(),
        homepage: spec.homepage.clone(),
        releases: releases(catalog, place),
        program_dir: program_dir(&spec.name),
        share_dir: format!("/usr/share/{}", spec.name),
        programs: spec.programs.clone(),
        commands: spec.commands.clone(),
        depends_deb: spec.depends.deb.clone(),
        depends_rpm: spec.depends.rpm.clone(),
        hardware_watchdog: machine::watchdog(catalog, place),
        drop_ins: drop_in::drop_ins(catalog, place),
        accounts: machine::accounts(catalog, place),
        groups: machine::groups(catalog, place),
        selector: selector(&spec.name),
        roles,
        locks,
        asks: services.iter().any(|s| !s.children.is_empty() || !s.once_ready.is_empty()),
        slices: machine::slices(catalog, place),
        directories: machine::directories(catalog, place),
        configs: machine::configs(catalog, place),
        services,
        mirrors,
        permits,
        alerts,
    }
}

/// Paragraphs are parted by empty lines; within one, lines are joined.
fn paragraphs(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines
        .split(|line| line.is_empty())
        .filter(|lines| !lines.is_empty())
        .map(|lines| lines.join(" "))
        .collect()
}

fn head(spec: &raw::Product, programs: &[String], place: &mut Place<'_>) {
    let at = |field| ["product", field];
    place.rule(&at("name"), name::product(&spec.name));
    place.rule(&at("package"), name::package(&spec.package));
    place.rule(&at("summary"), about::summary(&spec.summary));
    place.rule(&at("description"), text::prose(&spec.description));
    place.rule(&at("maintainer"), about::maintainer(&spec.maintainer));
    place.rule(&at("license"), about::license(&spec.license));
    place.rule(&at("copyright"), text::line(&spec.copyright));
    place.rule(&at("homepage"), about::homepage(&spec.homepage));
    place.list(&at("programs"), &spec.programs);
    place.list(&at("commands"), &spec.commands);
    for (i, program) in spec.programs.iter().enumerate() {
        if !programs.contains(program) {
            let text = format!("{} is no program of the toolchain: {}", shown(program), known(programs));
            place.fault(&["product", "programs", &i.to_string()], &text);
        }
    }
    for (i, command) in spec.commands.iter().enumerate() {
        if !spec.programs.contains(command) {
            let text =
                format!("{} is not among the product's programs: {}", shown(command), known(&spec.programs));
            place.fault(&["product", "commands", &i.to_string()], &text);
        }
    }
    relations("deb", &spec.depends.deb, about::relation_deb, place);
    relations("rpm", &spec.depends.rpm, about::relation_rpm, place);
}

fn relations(format: &str, list: &[String], rule: fn(&str) -> text::Verdict, place: &mut Place<'_>) {
    place.list(&["product", "depends", format], list);
    for (i, relation) in list.iter().enumerate() {
        place.rule(&["product", "depends", format, &i.to_string()], rule(relation));
    }
}

fn releases(catalog: &Catalog, place: &mut Place<'_>) -> Vec<Release> {
    if catalog.release.is_empty() {
        place.fault(&["release"], "there is none: write a [[release]] table with version, date and changes");
    }
    let mut releases: Vec<Release> = Vec::new();
    for (i, release) in catalog.release.iter().enumerate() {
        let i = i.to_string();
        let at = |field| ["release", i.as_str(), field];
        place.rule(&at("version"), name::version(&release.version));
        for (k, change) in release.changes.iter().enumerate() {
            place.rule(&["release", &i, "changes", &k.to_string()], text::line(change));
        }
        if release.changes.is_empty() {
            place.fault(&at("changes"), "is empty: say what changed, one line each");
        }
        if releases.iter().any(|r| r.version == release.version) {
            place.fault(
                &at("version"),
                &format!("{} is there twice: give each release its own", shown(&release.version)),
            );
        }
        let above = |r: &Release| name::numbers(&r.version) < name::numbers(&release.version);
        if releases.last().is_some_and(above) {
            place.fault(&at("version"), "is higher than that of the release above: the newest comes first");
        }
        let Some(date) = Date::parse(&release.date) else {
            place
                .fault(&at("date"), &format!("{} is no day: write it like 2026-11-20", shown(&release.date)));
            continue;
        };
        if releases.last().is_some_and(|newer| newer.epoch < date.epoch()) {
            place.fault(&at("date"), "is later than that of the release above: the newest comes first");
        }
        releases.push(Release {
            version: release.version.clone(),
            date: release.date.clone(),
            date_rfc2822: date.rfc2822(),
            epoch: date.epoch(),
            changes: release.changes.clone(),
        });
    }
    releases
}

fn roles(catalog: &Catalog, place: &mut Place<'_>) -> Vec<Role> {
    let selector = selector(&catalog.product.name);
    let mut roles = Vec::new();
    for (name, role) in &catalog.role {
        place.rule(&["role", name], name::ours(name));
        place.rule(&["role", name, "description"], text::line(&role.description));
        let mut variables = Vec::new();
        for (key, variable) in &role.environment {
            let at = ["role", name, "environment", key];
            let (value, why) = match variable {
                raw::Variable::Value(value) => (value, None),
                raw::Variable::Explained(explained) => (&explained.value, Some(&explained.why)),
            };
            place.rule(&at, name::variable(key));
            let explained = ["role", name, "environment", key, "value"];
            place.rule(if why.is_some() { &explained } else { &at }, text::variable(value));
            if *key == selector {
                place.fault(&at, "is written by itself, it names the role: leave it out");
            }
            if let Some(why) = why {
                place.rule(&["role", name, "environment", key, "why"], text::comment(why));
            }
            variables.push(Variable {
                name: key.clone(),
                value: value.clone(),
                quoted: shell_quote(value),
                why: why.map(|w| w.trim().to_owned()),
            });
        }
        let file = format!("/etc/{}/.env.{name}", catalog.product.name);
        roles.push(Role { name: name.clone(), description: role.description.clone(), file, variables });
    }
    roles
}

/// The variable that says which role a machine has.
fn selector(product: &str) -> String {
    format!("{}_ENV", product.to_uppercase().replace('-', "_"))
}

/// A value that systemd's EnvironmentFile= and every shell read as the same text.
pub(super) fn shell_quote(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r#"'"'"'"#))
}

fn locks(catalog: &Catalog, place: &mut Place<'_>) -> Vec<Lock> {
    let mut locks = Vec::new();
    for (name, lock) in &catalog.lock {
        place.rule(&["lock", name], name::ours(name));
        place.rule(&["lock", name, "description"], text::line(&lock.description));
        let path = format!("/run/{}/{name}.lock", catalog.product.name);
        let (user, group) = ("root".to_owned(), "root".to_owned());
        locks.push(Lock { name: name.clone(), path, description: lock.description.clone(), user, group });
    }
    locks
}

/// A lock belongs to the user of its services, and to the group that may start them.
fn own_locks(locks: &mut [Lock], services: &[Service], permits: &[Permit], place: &mut Place<'_>) {
    for lock in locks {
        let holds = |s: &&Service| s.lock.as_ref() == Some(&lock.path);
        let holders: Vec<&Service> = services.iter().filter(holds).collect();
        let users: BTreeSet<_> =
            holders.iter().filter_map(|s| s.user.as_deref()).filter(|u| *u != "root").collect();
        if users.len() > 1 {
            let names = Vec::from_iter(users).join(", ");
            let text = format!("is taken by services of several accounts ({names}): use one account");
            place.fault(&["lock", &lock.name], &text);
        }
        if let Some(user) = holders.iter().find_map(|s| s.user.clone()) {
            lock.group = user.clone();
            lock.user = user;
        }
        let may_start = |p: &&Permit| holders.iter().any(|s| p.covers(&s.unit));
        if let Some(group) = permits.iter().filter(may_start).find_map(|p| p.group.clone()) {
            lock.group = group;
        }
    }
}

/// The other end of `parent`.
fn find_children(services: &mut [Service]) {
    let ends: Vec<(String, String)> = services
        .iter()
        .filter(|s| !s.is_template())
        .filter_map(|s| Some((s.parent.clone()?, s.unit.clone())))
        .collect();
    for service in services {
        let of_it = ends.iter().filter(|(unit, _)| *unit == service.unit);
        service.children = of_it.map(|(_, child)| child.clone()).collect();
        extend(&mut service.relations.wants, &service.children);
        extend(&mut service.relations.after, &service.children);
    }
}

/// The other end of `only-while`.
fn find_dependents(services: &mut [Service]) {
    let ends: Vec<(String, String)> =
        services.iter().filter_map(|s| Some((s.only_while.clone()?, s.pattern()))).collect();
    for service in services {
        let of_it = ends.iter().filter(|(unit, _)| *unit == service.unit);
        service.dependents = of_it.map(|(_, dependent)| dependent.clone()).collect();
    }
}

/// Somebody who may start a service must get no say over the one that it cannot be without.
fn guard(services: &mut [Service], permits: &[Permit], place: &mut Place<'_>) {
    for service in services.iter_mut() {
        service.permitted = permits.iter().any(|permit| permit.covers(&service.unit));
        if service.permitted {
            // What DefaultDependencies= would order it after.
            extend(
                &mut service.relations.after,
                ["sysinit.target", "basic.target"].map(str::to_owned).iter(),
            );
        }
    }
    let needed: Vec<String> =
        services.iter().filter(|s| s.permitted).filter_map(|s| s.only_while.clone()).collect();
    for service in services.iter_mut() {
        service.guarded = needed.contains(&service.unit);
    }
    for service in services.iter().filter(|s| s.permitted && s.only_while.is_some()) {
        let at = ["service", service.name.as_str(), "only-while"];
        // Nothing in the unit may tie the two together, so run_stack has to.
        if service.launch.is_none() {
            let text = "needs run_stack where a permit lets others start the service: write `launch` instead of `exec`";
            place.fault(&at, text);
        } else if service.restart != "no" {
            let text = "cannot be combined with `restart` where a permit lets others start the service, which would come \
                        back by itself: remove `restart`";
            place.fault(&at, text);
        }
        let has_no_process = |other: &&Service| other.r#type == "oneshot" || !other.children.is_empty();
        if let Some(other) =
            services.iter().find(|s| Some(&s.unit) == service.only_while.as_ref()).filter(has_no_process)
        {
            let text = format!(
                "names {}, which has no process to follow: name a service that runs a program",
                shown(&other.name)
            );
            place.fault(&at, &text);
        }
    }
}

/// A restart stops what depends on the service: it must wait while one of those is to be kept.
fn hold_kept(services: &mut [Service]) {
    let kept: Vec<Service> = services.iter().filter(|s| s.on_upgrade == OnUpgrade::Keep).cloned().collect();
    for service in services {
        let needs = |k: &Service| {
            k.only_while.as_ref() == Some(&service.unit)
                || k.relations.requires.contains(&service.unit)
                || k.relations.part_of.contains(&service.unit)
        };
        service.holds_kept = service.on_upgrade == OnUpgrade::Restart && kept.iter().any(needs);
    }
}
