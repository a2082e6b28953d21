//! One service: takes its whole table, makes the [`Service`] that the unit template prints and the table lists.

use indexmap::IndexMap;
use rovi_services::table::{Expects, Launch, Session, Setup};

use crate::catalog::{
    self, Catalog, Directive, Hardening, LimitAction, OnUpgrade, Restart, Scope, ServiceType,
};
use crate::finding::known;
use crate::model::place::{Chain, Place};
use crate::model::{Directives, Lock, Relations, Role, Service, program_dir};
use crate::rule::text::{self, Verdict};
use crate::rule::{directive, name, specifier};

/// The program that launches services.
const LAUNCHER: &str = "run_stack";

/// What a service may refer to.
pub(super) struct Known<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) roles: &'a [Role],
    pub(super) locks: &'a [Lock],
}

/// The name of a service's unit.
pub fn unit_name(product: &str, service: &str) -> String {
    format!("{product}-{service}.service")
}

/// Resolves one service.
pub(super) fn build(
    chain: &Chain,
    spec: &catalog::Service,
    known: &Known<'_>,
    place: &mut Place<'_>,
) -> Service {
    let mut builder = Builder { chain, spec, known, place, scope: spec.scope.unwrap_or_default() };
    builder.place.rule(&["service", &chain.name], name::ours(&chain.name));
    let product = &known.catalog.product.name;
    let role = builder.role();
    let user = builder.user();
    let only_while = spec.only_while.as_ref().and_then(|other| builder.own_service("only-while", other));
    let mut relations = builder.relations();
    relations
        .after
        .extend(only_while.iter().filter(|u| !relations.after.contains(u)).cloned().collect::<Vec<_>>());
    let launched = builder.is_launched();
    let home = user.as_ref().and_then(|u| known.catalog.account.get(u)).and_then(|a| a.home.as_deref());
    let hardening = spec.hardening.unwrap_or(match builder.scope {
        Scope::System => Hardening::Strict,
        Scope::User => Hardening::None,
    });
    builder.values();
    let launch = if launched { Some(builder.launch(role)) } else { None };
    Service {
        name: chain.name.clone(),
        unit: unit_name(product, &chain.name),
        description: builder.description(),
        kinds: chain.kinds.clone(),
        scope: builder.scope,
        documentation: builder.list("documentation", &spec.documentation, text::setting),
        exec: builder.exec(),
        lock: launch.as_ref().and_then(|l| l.lock.as_ref()).map(|l| l.display().to_string()),
        launch,
        r#type: builder.service_type(launched).to_owned(),
        state_directory: home.and_then(|h| h.strip_prefix("/var/lib/")).map(str::to_owned),
        user,
        environment_file: role.map(|r| r.file.clone()),
        environment: builder.environment(),
        working_directory: if launched { None } else { spec.working_directory.clone() },
        only_while,
        dependents: Vec::new(),
        relations,
        boot: spec.boot.unwrap_or(false),
        boot_target: match builder.scope {
            Scope::System => "multi-user.target".to_owned(),
            Scope::User => "default.target".to_owned(),
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
        limits: limits(spec),
        hardening,
        write_paths: builder.list("write-paths", &spec.write_paths, text::path),
        devices: builder.list("devices", &spec.devices, name::device),
        processes: builder.list("processes", &spec.processes, name::process),
        frame: spec.frame.clone(),
        expects: builder.expects(),
        directives: builder.directives(),
    }
}

struct Builder<'a, 'p> {
    chain: &'a Chain,
    spec: &'a catalog::Service,
    known: &'a Known<'a>,
    place: &'a mut Place<'p>,
    scope: Scope,
}

impl<'a> Builder<'a, '_> {
    fn fault(&mut self, field: &[&str], what: &str) {
        self.place.service_fault(self.chain, field, what);
    }

    fn rule(&mut self, field: &[&str], verdict: Verdict) {
        self.place.service_rule(self.chain, field, verdict);
    }

    fn description(&mut self) -> String {
        let Some(description) = &self.spec.description else {
            self.fault(&[], "`description` is missing: one line for people");
            return String::new();
        };
        self.rule(&["description"], text::line(description));
        self.rule(&["description"], specifier::check(description, self.scope));
        description.clone()
    }

    fn is_launched(&mut self) -> bool {
        let (launch, exec) = (!self.spec.launch.is_empty(), !self.spec.exec.is_empty());
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
            None if launched => "notify",
            None => "exec",
        }
    }

    fn role(&mut self) -> Option<&'a Role> {
        let wanted = self.spec.role.as_ref()?;
        let found = self.known.roles.iter().find(|r| r.name == *wanted);
        if found.is_none() {
            let roles = known(self.known.roles.iter().map(|r| &r.name));
            self.fault(&["role"], &format!("\"{wanted}\" names no role: {roles}"));
        }
        found
    }

    fn user(&mut self) -> Option<String> {
        let accounts = &self.known.catalog.account;
        match (&self.spec.user, self.scope) {
            (None, Scope::System) => {
                let text = format!(
                    "`user` is missing, it would run as root: name an account ({}) or say \"root\"",
                    known(accounts.keys())
                );
                self.fault(&[], &text);
            }
            (Some(_), Scope::User) => {
                self.fault(&["user"], "a user service runs as whoever owns it: leave it out")
            }
            (Some(user), Scope::System) if user != "root" && !accounts.contains_key(user) => {
                let verdict = text::setting(user);
                let malformed = verdict.is_err();
                self.rule(&["user"], verdict);
                if !malformed {
                    let text = format!("\"{user}\" names no account: {}, or root", known(accounts.keys()));
                    self.fault(&["user"], &text);
                }
            }
            _ => {}
        }
        self.spec.user.clone().filter(|_| self.scope == Scope::System)
    }

    /// A service of this catalog by its name.
    fn own_service(&mut self, field: &str, wanted: &str) -> Option<String> {
        let services = &self.known.catalog.service;
        if wanted == self.chain.name {
            self.fault(&[field], "names the service itself");
            return None;
        }
        if !services.contains_key(wanted) {
            self.fault(&[field], &format!("\"{wanted}\" names no service: {}", known(services.keys())));
            return None;
        }
        Some(unit_name(&self.known.catalog.product.name, wanted))
    }

    fn relations(&mut self) -> Relations {
        let spec = self.spec;
        if spec.after.iter().any(|u| u == "network-online.target")
            && !spec.wants.iter().any(|u| u == "network-online.target")
        {
            self.fault(
                &["after"],
                "network-online.target is only reached when something wants it: add it to `wants`",
            );
        }
        Relations {
            after: self.references("after", &spec.after),
            before: self.references("before", &spec.before),
            wants: self.references("wants", &spec.wants),
            requires: self.references("requires", &spec.requires),
            part_of: self.references("part-of", &spec.part_of),
            on_failure: self.references("on-failure", &spec.on_failure),
        }
    }

    /// Units: a name without a suffix is a service of this catalog.
    fn references(&mut self, field: &str, list: &[String]) -> Vec<String> {
        let mut units = Vec::new();
        for (i, wanted) in list.iter().enumerate() {
            let at = [field, &i.to_string()];
            let services = &self.known.catalog.service;
            if services.contains_key(wanted) {
                units.push(unit_name(&self.known.catalog.product.name, wanted));
            } else if wanted.contains('.') {
                self.rule(&at, name::foreign_unit(wanted));
                let prefix = format!("{}-", self.known.catalog.product.name);
                let own = wanted.strip_prefix(&prefix).and_then(|n| n.strip_suffix(".service"));
                if own.is_some_and(|n| !services.contains_key(n)) {
                    let text = format!(
                        "\"{wanted}\" is no unit that this package ships: {}",
                        known(services.keys())
                    );
                    self.fault(&at, &text);
                }
                units.push(wanted.clone());
            } else {
                let text = format!(
                    "\"{wanted}\" names no service: {}; another unit is written with its suffix",
                    known(services.keys())
                );
                self.fault(&at, &text);
            }
        }
        units
    }

    fn list(&mut self, field: &str, list: &[String], rule: fn(&str) -> Verdict) -> Vec<String> {
        for (i, value) in list.iter().enumerate() {
            let at = [field, &i.to_string()];
            self.rule(&at, rule(value));
            self.rule(&at, specifier::check(value, self.scope));
        }
        list.to_vec()
    }

    fn exec(&mut self) -> String {
        let programs = program_dir(&self.known.catalog.product.name);
        if !self.spec.launch.is_empty() {
            return format!("{programs}/{LAUNCHER} {}", self.chain.name);
        }
        let mut words = Vec::new();
        for (i, word) in self.spec.exec.iter().enumerate() {
            let at = ["exec", &i.to_string()];
            self.rule(&at, text::free(word));
            self.rule(&at, specifier::check(word, self.scope));
            if i == 0 && self.known.catalog.product.programs.contains(word) {
                words.push(format!("{programs}/{word}"));
                continue;
            }
            if i == 0 && !word.starts_with('/') {
                let own = known(&self.known.catalog.product.programs);
                let text =
                    format!("\"{word}\" is neither an absolute path nor a program of the product: {own}");
                self.fault(&at, &text);
            }
            words.push(quote(word));
        }
        words.join(" ")
    }

    fn launch(&mut self, role: Option<&Role>) -> Launch {
        let spec = self.spec;
        for (i, word) in spec.launch.iter().enumerate() {
            self.rule(&["launch", &i.to_string()], text::free(word));
        }
        let named = |text: &str| text.replace("{name}", &self.chain.name);
        let argv = spec.launch.iter().map(|w| named(w)).collect();
        let session = spec
            .session
            .as_ref()
            .map(|s| Session { path: s.path.clone().into(), content: named(&s.content) });
        for (i, setup) in spec.setup.iter().enumerate() {
            self.rule(&["setup", &i.to_string(), "path"], text::path(&setup.path));
            self.rule(&["setup", &i.to_string(), "hint"], text::line(&setup.hint));
            self.variables(&["setup", &i.to_string(), "path"], &setup.path, role);
            self.variables(&["setup", &i.to_string(), "hint"], &setup.hint, role);
        }
        if let Some(directory) = &spec.working_directory {
            self.rule(&["working-directory"], text::path(directory));
            self.variables(&["working-directory"], directory, role);
        }
        if let Some(session) = &spec.session {
            self.rule(&["session", "path"], text::relative_path(&session.path));
            self.rule(&["session", "content"], text::line(&session.content));
        }
        Launch {
            argv,
            env_file: role.map(|r| r.file.clone().into()),
            setup: spec.setup.iter().map(|s| Setup { path: s.path.clone(), hint: s.hint.clone() }).collect(),
            directory: spec.working_directory.clone(),
            lock: self.lock(),
            session,
        }
    }

    fn lock(&mut self) -> Option<std::path::PathBuf> {
        let wanted = self.spec.lock.as_ref()?;
        let found = self.known.locks.iter().find(|l| l.name == *wanted);
        if found.is_none() {
            let locks = known(self.known.locks.iter().map(|l| &l.name));
            self.fault(&["lock"], &format!("\"{wanted}\" names no lock: {locks}"));
        }
        found.map(|l| l.path.clone().into())
    }

    /// Every `${NAME}` must be set by the role or the service, or the launch would fail on the machine.
    fn variables(&mut self, at: &[&str], value: &str, role: Option<&Role>) {
        let own = self.spec.environment.keys().map(String::as_str);
        let names: Vec<&str> =
            role.iter().flat_map(|r| &r.variables).map(|v| v.name.as_str()).chain(own).collect();
        for variable in text::variables_in(value) {
            if !names.contains(&variable) {
                self.fault(at, &format!("nothing sets `${{{variable}}}`: {}", known(&names)));
            }
        }
    }

    fn environment(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, value) in &self.spec.environment {
            self.rule(&["environment", key], name::variable(key));
            self.rule(&["environment", key], text::variable(value));
            lines.push(quote(&format!("{key}={value}").replace('%', "%%")));
        }
        lines
    }

    fn values(&mut self) {
        let spec = self.spec;
        let times = [
            ("restart-sec", &spec.restart_sec),
            ("timeout-start", &spec.timeout_start),
            ("timeout-stop", &spec.timeout_stop),
        ];
        for (field, value) in times {
            self.optional(&[field], value, text::time_span);
        }
        self.optional(&["kill-signal"], &spec.kill_signal, text::signal);
        self.optional(&["frame"], &spec.frame, name::process);
        if let (Some(directory), true) = (&spec.working_directory, spec.launch.is_empty()) {
            self.rule(&["working-directory"], text::path(directory));
            self.rule(&["working-directory"], specifier::check(directory, self.scope));
            if directory.contains("${") {
                self.fault(&["working-directory"], "systemd expands no variables here: write the directory");
            }
        }
        if let Some(limit) = &spec.start_limit {
            self.rule(&["start-limit", "interval"], text::time_span(&limit.interval));
            if limit.action == Some(LimitAction::Reboot) && self.scope == Scope::User {
                self.fault(&["start-limit", "action"], &directive::user_reboot("reboot"));
            }
        }
        if let Some(limits) = &spec.limits {
            self.optional(&["limits", "cpu-quota"], &limits.cpu_quota, text::percentage);
            self.optional(&["limits", "memory-max"], &limits.memory_max, text::memory);
        }
        if spec.hardening == Some(Hardening::Ros) && self.scope == Scope::User {
            self.fault(&["hardening"], "needs the system's manager: use \"none\" in user scope");
        }
    }

    fn optional(&mut self, field: &[&str], value: &Option<String>, rule: fn(&str) -> Verdict) {
        if let Some(value) = value {
            self.rule(field, rule(value));
        }
    }

    fn expects(&mut self) -> Vec<Expects> {
        let mut expects = Vec::new();
        for (other, environment) in &self.spec.expects {
            let services = &self.known.catalog.service;
            if !services.contains_key(other) {
                self.fault(&["expects", other], &format!("names no service: {}", known(services.keys())));
                continue;
            }
            for (key, value) in environment {
                self.rule(&["expects", other, key], name::variable(key));
                self.rule(&["expects", other, key], text::variable(value));
            }
            expects.push(Expects {
                service: other.clone(),
                unit: unit_name(&self.known.catalog.product.name, other),
                environment: environment.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            });
        }
        expects
    }

    fn directives(&mut self) -> Directives {
        let spec = &self.spec.directives;
        Directives {
            unit: self.section("Unit", &spec.unit),
            service: self.section("Service", &spec.service),
            install: self.section("Install", &spec.install),
        }
    }

    fn section(&mut self, section: &str, entries: &IndexMap<String, Directive>) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        for (key, value) in entries {
            let at = ["directives", section, key];
            self.rule(&at, directive::name(section, key));
            let values = match value {
                Directive::Switch(on) => vec![if *on { "yes" } else { "no" }.to_owned()],
                Directive::Number(number) => vec![number.to_string()],
                Directive::Text(text) => vec![text.clone()],
                Directive::Lines(lines) => lines.clone(),
            };
            for value in values {
                // An empty value resets a list: that is a directive's ordinary use.
                self.rule(&at, if value.is_empty() { Ok(()) } else { text::setting(&value) });
                self.rule(&at, specifier::check(&value, self.scope));
                self.rule(&at, directive::value(key, &value, self.scope));
                lines.push((key.clone(), value));
            }
        }
        lines
    }
}

fn start_limit(spec: &catalog::Service) -> Vec<(String, String)> {
    let Some(limit) = &spec.start_limit else { return Vec::new() };
    let action = match limit.action {
        None => None,
        Some(LimitAction::None) => Some("none"),
        Some(LimitAction::Reboot) => Some("reboot"),
    };
    pairs([
        ("StartLimitBurst", Some(limit.burst.to_string())),
        ("StartLimitIntervalSec", Some(limit.interval.clone())),
        ("StartLimitAction", action.map(str::to_owned)),
    ])
}

fn limits(spec: &catalog::Service) -> Vec<(String, String)> {
    let Some(limits) = spec.limits.clone() else { return Vec::new() };
    let number = |n: Option<u32>| n.map(|n| n.to_string());
    pairs([
        ("CPUQuota", limits.cpu_quota),
        ("MemoryMax", limits.memory_max),
        ("TasksMax", number(limits.tasks_max)),
        ("LimitNOFILE", number(limits.nofile)),
        ("LimitNPROC", number(limits.nproc)),
    ])
}

fn pairs<const N: usize>(list: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    list.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// One word of a command line as systemd splits it again.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-${}".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}
