//! One service: takes its whole table, makes the [`Service`] that the unit template prints and the table lists.

use std::collections::{BTreeMap, BTreeSet};

use base::table::Expects;

use crate::finding::{known, shown};
use crate::model::bounds::{limits, start_limit};
use crate::model::place::{Chain, Place, list_faults};
use crate::model::{Lock, Role, Service};
use crate::raw::{self, Boot, Catalog, Hardening, Manager, OnUpgrade, Restart, Scope, ServiceType};
use crate::rule::text::{self, Verdict};
use crate::rule::{about, name, specifier};

/// The program that launches services.
pub const LAUNCHER: &str = "run_stack";

/// What a service may refer to.
pub(super) struct Known<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) roles: &'a [Role],
    pub(super) locks: &'a [Lock],
    /// Services that stand for others.
    pub(super) parents: BTreeSet<&'a str>,
    /// Services with instances.
    pub(super) templates: BTreeSet<&'a str>,
    /// The user of each manager for tasks.
    pub(super) task_managers: BTreeMap<&'a str, Option<&'a str>>,
    /// Where each service runs.
    pub(super) scopes: BTreeMap<&'a str, Scope>,
}

/// The name of a service's unit.
///
/// The one that is called like the product is the product: its unit has that name alone.
pub fn unit_name(product: &str, service: &str) -> String {
    format!("{}.service", stem(product, service))
}

pub(super) fn stem(product: &str, service: &str) -> String {
    if product == service { product.to_owned() } else { format!("{product}-{service}") }
}

/// What a service has in common with the same one in user scope.
pub(super) fn mirrored(spec: &raw::Service) -> raw::Service {
    let mut spec = raw::Service {
        user: None,
        hardening: spec.hardening.filter(|h| *h == Hardening::None),
        write_paths: Vec::new(),
        devices: Vec::new(),
        ..spec.clone()
    };
    if let Some(limit) = &mut spec.start_limit {
        limit.action = None;
    }
    spec
}

/// Resolves one service in one scope.
pub(super) fn build(
    chain: &Chain,
    spec: &raw::Service,
    scope: Manager,
    known: &Known<'_>,
    place: &mut Place<'_>,
) -> Service {
    let mut builder = Builder { chain, spec, known, place, scope };
    builder.place.rule(&["service", &chain.name], name::ours(&chain.name));
    let product = &known.catalog.product.name;
    let role = builder.role();
    let user = builder.user();
    let only_while = spec.only_while.as_ref().and_then(|other| builder.own(&["only-while"], other, ""));
    let parent = spec.parent.as_ref().and_then(|other| builder.own(&["parent"], other, ""));
    let once_ready = builder.services("once-ready", &spec.once_ready);
    let instances = builder.instances();
    let socket = builder.socket();
    let task_manager = builder.task_manager();
    let mut relations = builder.relations();
    extend(&mut relations.after, only_while.iter().chain(&once_ready));
    extend(&mut relations.part_of, &parent);
    if let Some(socket) = &socket {
        // Who starts it opens its door, too.
        extend(&mut relations.wants, [&socket.unit]);
        extend(&mut relations.after, [&socket.unit]);
    }
    if let Some(manager) = &task_manager {
        let manager = format!("{manager}.service");
        extend(&mut relations.wants, [&manager]);
        extend(&mut relations.after, [&manager]);
    }
    let launched = builder.is_launched();
    let home = user.as_ref().and_then(|u| known.catalog.account.get(u)).and_then(|a| a.home.as_deref());
    let hardening = spec.hardening.unwrap_or(match builder.scope {
        Manager::User => Hardening::User,
        Manager::System => Hardening::Strict,
    });
    builder.values();
    let launch = if launched { Some(builder.launch(role)) } else { None };
    Service {
        name: chain.name.clone(),
        unit: format!("{}{}.service", builder.stem(), if instances.is_some() { "@" } else { "" }),
        description: builder.description(),
        instances,
        socket,
        slice: builder.slice(),
        tasks: builder.tasks(),
        task_manager,
        joins: builder.joins(user.as_deref()),
        kinds: chain.kinds.clone(),
        scope: builder.scope,
        documentation: builder.list("documentation", &spec.documentation, about::documentation),
        exec: builder.exec(role),
        lock: launch.as_ref().and_then(|l| l.lock.as_ref()).map(|l| l.display().to_string()),
        launch,
        r#type: builder.service_type(launched).to_owned(),
        watched: spec.ready.is_some(),
        identifier: builder.identifier(),
        watchdog: spec.watchdog.as_ref().and_then(|w| w.every.clone()),
        state_directory: home.and_then(|h| h.strip_prefix("/var/lib/")).map(str::to_owned),
        user,
        environment_file: role.map(|r| r.file.clone()),
        own_environment_file: role
            .filter(|_| builder.scope == Manager::User)
            .map(|r| format!("%E/{product}/.env.{}", r.name)),
        environment_files: builder.environment_files(),
        environment: builder.environment(),
        working_directory: if launched { None } else { spec.working_directory.clone() },
        only_while,
        dependents: Vec::new(),
        parent,
        children: Vec::new(),
        once_ready,
        relations,
        boot: spec.boot == Some(Boot::Always(true)),
        install: matches!(spec.boot, Some(Boot::Always(true) | Boot::When(_))),
        boot_target: match builder.scope {
            Manager::User => "default.target".to_owned(),
            Manager::System => "multi-user.target".to_owned(),
        },
        restart: match spec.restart {
            None | Some(Restart::No) => "no",
            Some(Restart::OnFailure) => "on-failure",
            Some(Restart::Always) => "always",
        }
        .to_owned(),
        restart_sec: spec.restart_sec.clone(),
        uncounted: spec.start_limit.is_none() && matches!(spec.restart, None | Some(Restart::No)),
        start_limit: start_limit(spec),
        kill_signal: spec.kill_signal.clone(),
        timeout_start: spec.timeout_start.clone(),
        timeout_stop: spec.timeout_stop.clone(),
        on_upgrade: spec.on_upgrade.unwrap_or(OnUpgrade::Restart),
        holds_kept: false,
        guarded: false,
        permitted: false,
        limits: spec.limits.as_ref().map(limits).unwrap_or_default(),
        hardening,
        write_paths: builder.write_paths(),
        devices: builder.list("devices", &spec.devices, name::device),
        guard: builder.guard(),
        processes: builder.list("processes", &spec.processes, name::process),
        frame: spec.frame.clone(),
        expects: builder.expects(),
        directives: builder.directives(),
    }
}

/// Adds what is not there yet.
pub(super) fn extend<'s>(list: &mut Vec<String>, more: impl IntoIterator<Item = &'s String>) {
    for unit in more {
        if !list.contains(unit) {
            list.push(unit.clone());
        }
    }
}

/// A service in the making.
pub(super) struct Builder<'a, 'p> {
    pub(super) chain: &'a Chain,
    pub(super) spec: &'a raw::Service,
    pub(super) known: &'a Known<'a>,
    pub(super) place: &'a mut Place<'p>,
    pub(super) scope: Manager,
}

impl<'a> Builder<'a, '_> {
    pub(super) fn fault(&mut self, field: &[&str], what: &str) {
        self.place.service_fault(self.chain, field, what);
    }

    pub(super) fn rule(&mut self, field: &[&str], verdict: Verdict) {
        self.place.service_rule(self.chain, field, verdict);
    }

    pub(super) fn specifier(&mut self, field: &[&str], value: &str) {
        self.rule(field, specifier::check(value, self.scope, self.is_template()));
    }

    fn description(&mut self) -> String {
        let Some(description) = &self.spec.description else {
            self.fault(&["description"], "is missing: one line for people");
            return String::new();
        };
        self.rule(&["description"], text::line(description));
        description.clone()
    }

    fn is_launched(&mut self) -> bool {
        let stands_alone = self.is_parent() || self.is_task_manager();
        let (launch, exec) = (!self.spec.launch.is_empty(), !self.spec.exec.is_empty());
        if stands_alone {
            let set = [
                ("launch", launch),
                ("exec", exec),
                ("type", self.spec.r#type.is_some()),
                ("ready", self.spec.ready.is_some()),
                ("watchdog", self.spec.watchdog.is_some()),
            ];
            for (field, _) in set.iter().filter(|(_, set)| *set) {
                let text = if self.is_parent() {
                    "a parent stands for its children and runs nothing itself: leave it out"
                } else {
                    "a manager for tasks runs these and nothing else: leave it out"
                };
                self.fault(&[field], text);
            }
            return false;
        }
        if launch == exec {
            let what = if launch {
                "has both `launch` and `exec`: keep one"
            } else {
                "runs nothing: write `launch` or `exec`"
            };
            self.fault(if launch { &["exec"] } else { &[] }, what);
        }
        if launch && !self.known.catalog.product.programs.iter().any(|p| p == LAUNCHER) {
            self.fault(
                &["launch"],
                &format!("needs `{LAUNCHER}`, which is not packed: add it to product.programs"),
            );
        }
        if !launch {
            let set = [
                ("setup", !self.spec.setup.is_empty()),
                ("lock", self.spec.lock.is_some()),
                ("session", self.spec.session.is_some()),
            ];
            for (field, _) in set.iter().filter(|(_, set)| *set) {
                self.fault(&[field], "is for a service with `launch`: use that, or leave it out");
            }
        }
        launch
    }

    fn service_type(&mut self, launched: bool) -> &'static str {
        if launched && self.spec.r#type.is_some_and(|t| t != ServiceType::Notify) {
            self.fault(&["type"], "a launched service reports when it is up: leave it out");
        }
        match self.spec.r#type {
            Some(ServiceType::Simple) => "simple",
            Some(ServiceType::Exec) => "exec",
            Some(ServiceType::Notify) => "notify",
            Some(ServiceType::Oneshot) => "oneshot",
            None if self.is_parent() => "oneshot",
            None if launched || self.is_task_manager() || self.spec.ready.is_some() => "notify",
            None => "exec",
        }
    }

    /// Whether it stands for others.
    pub(super) fn is_parent(&self) -> bool {
        self.known.parents.contains(self.chain.name.as_str())
    }

    fn role(&mut self) -> Option<&'a Role> {
        let wanted = self.spec.role.as_ref()?;
        let found = self.known.roles.iter().find(|r| r.name == *wanted);
        if found.is_none() {
            let roles = known(self.known.roles.iter().map(|r| &r.name));
            self.fault(&["role"], &format!("{} names no role: {roles}", shown(wanted)));
        }
        found
    }

    fn user(&mut self) -> Option<String> {
        let accounts = &self.known.catalog.account;
        match (&self.spec.user, self.scope) {
            (None, Manager::System) if !self.is_parent() => {
                let text = format!(
                    "is missing, it would run as root: name an account ({}) or say \"root\"",
                    known(accounts.keys())
                );
                self.fault(&["user"], &text);
            }
            (Some(_), Manager::User) => {
                self.fault(&["user"], "a user service runs as whoever owns it: leave it out")
            }
            (Some(user), Manager::System) if user != "root" && !accounts.contains_key(user) => {
                let verdict = text::setting(user);
                let malformed = verdict.is_err();
                self.rule(&["user"], verdict);
                if !malformed {
                    let text =
                        format!("{} names no account: {}, or root", shown(user), known(accounts.keys()));
                    self.fault(&["user"], &text);
                }
            }
            _ => {}
        }
        self.spec.user.clone().filter(|_| self.scope == Manager::System)
    }

    pub(super) fn list(&mut self, field: &str, list: &[String], rule: fn(&str) -> Verdict) -> Vec<String> {
        self.whole(field, list);
        for (i, value) in list.iter().enumerate() {
            self.rule(&[field, &i.to_string()], rule(value));
        }
        list.to_vec()
    }

    pub(super) fn whole(&mut self, field: &str, list: &[String]) {
        for (at, what) in list_faults(list) {
            self.fault(&[field, &at.to_string()], &what);
        }
    }

    /// The words of a command may repeat, but not without end.
    pub(super) fn length(&mut self, field: &str, list: &[String]) {
        if let Some((at, what)) = list_faults(list).into_iter().find(|_| list.len() > 100) {
            self.fault(&[field, &at.to_string()], &what);
        }
    }

    fn expects(&mut self) -> Vec<Expects> {
        let mut expects = Vec::new();
        for (other, environment) in &self.spec.expects {
            let Some(unit) = self.own(&["expects", other], other, "") else { continue };
            if environment.is_empty() {
                self.fault(&["expects", other], "expects nothing: write variables and their values");
            }
            for (key, value) in environment {
                self.rule(&["expects", other, key], name::variable(key));
                self.rule(&["expects", other, key], text::variable(value));
            }
            expects.push(Expects {
                service: other.clone(),
                unit,
                environment: environment.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            });
        }
        expects
    }
}
