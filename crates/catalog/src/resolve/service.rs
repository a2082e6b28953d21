//! One service in one scope: a table becomes a [`Service`]. The rule of each field is in one of the modules below; this
//! file puts the values together.

mod bounds;
mod command;
mod directives;
mod entry;
mod environment;
mod identity;
mod instances;
mod readiness;
mod reference;
mod socket;
mod tasks;

use self::bounds::{
    check_times, resolve_devices, resolve_hardening, resolve_limits, resolve_restart, resolve_slice,
    resolve_start_limit, resolve_write_paths,
};
use self::command::{
    Kind, resolve_exec, resolve_external, resolve_guard, resolve_kind, resolve_launch, resolve_type,
    resolve_working_directory,
};
use self::directives::resolve_directives;
pub(super) use self::entry::Context;
use self::entry::Entry;
use self::environment::{expand, resolve_environment, resolve_environment_files, resolve_role};
use self::identity::{
    check_identity, optional_groups, resolve_description, resolve_identifier, resolve_user, state_directory,
};
use self::instances::resolve_instances;
use self::readiness::resolve_watcher;
use self::reference::{
    resolve_expects, resolve_field, resolve_relations, resolve_services, resolve_task_manager,
};
use self::socket::resolve_socket;
use self::tasks::resolve_tasks;
use super::inherit::Chain;
use super::link::add_missing;
use super::report::Report;
use crate::model::Service;
use crate::raw::{self, Boot, Hardening, Manager, OnUpgrade, Restart};
use crate::rule::name;

/// Makes the user unit of a service in both scopes: leaves out what a user's service manager cannot do.
pub(super) fn mirror(spec: &raw::Service) -> raw::Service {
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

/// Resolves a service in one scope. [`super::link`] fills in what depends on other services.
pub(super) fn resolve_service(
    chain: &Chain,
    spec: &raw::Service,
    scope: Manager,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Service {
    report.check(&["service", &chain.name], name::check_own(&chain.name));
    let entry = &mut Entry { chain, spec, scope, context, report };
    check_identity(entry);
    check_times(entry);
    let kind = resolve_kind(entry);
    let user = resolve_user(entry, kind == Kind::Parent);
    let role = resolve_role(entry);
    let launch = (kind == Kind::Launch).then(|| resolve_launch(entry, role));
    let watcher = resolve_watcher(entry, role);
    let instances = resolve_instances(entry);
    let socket = resolve_socket(entry);
    let task_manager = resolve_task_manager(entry);
    let only_while = resolve_field(entry, "only-while", spec.only_while.as_ref());
    let parent = resolve_field(entry, "parent", spec.parent.as_ref());
    let once_ready = resolve_services(entry, "once-ready", &spec.once_ready);
    let mut relations = resolve_relations(entry);
    add_missing(&mut relations.after, only_while.iter().chain(&once_ready));
    add_missing(&mut relations.part_of, &parent);
    // A start also opens the socket, and starts the manager that tasks run in.
    let with_it =
        [socket.as_ref().map(|s| s.unit.clone()), task_manager.as_ref().map(|m| format!("{m}.service"))];
    for unit in with_it.into_iter().flatten() {
        add_missing(&mut relations.wants, [&unit]);
        add_missing(&mut relations.after, [&unit]);
    }
    Service {
        name: chain.name.clone(),
        unit: format!("{}{}.service", entry.stem(), if instances.is_some() { "@" } else { "" }),
        description: resolve_description(entry),
        instances,
        socket,
        slice: resolve_slice(entry),
        tasks: resolve_tasks(entry),
        task_manager,
        joins: optional_groups(entry, user.as_deref()),
        kinds: chain.kinds.clone(),
        scope,
        documentation: spec.documentation.clone(),
        exec: resolve_exec(entry, watcher, role),
        program: spec.exec.first().map(|program| expand(entry, program, role)),
        external: resolve_external(entry),
        lock: launch.as_ref().and_then(|l| l.lock.as_ref()).map(|l| l.display().to_string()),
        launch,
        r#type: resolve_type(entry, kind).to_owned(),
        watched: spec.ready.is_some(),
        identifier: resolve_identifier(entry),
        watchdog: spec.watchdog.as_ref().and_then(|w| w.every.clone()),
        state_directory: state_directory(entry, user.as_deref()),
        user,
        environment_file: role.map(|r| r.file.clone()),
        own_environment_file: role
            .filter(|_| scope == Manager::User)
            .map(|r| format!("%E/{}/.env.{}", entry.product().name, r.name)),
        environment_files: resolve_environment_files(entry),
        environment: resolve_environment(entry),
        working_directory: resolve_working_directory(entry, kind),
        only_while,
        dependents: Vec::new(),
        parent,
        children: Vec::new(),
        once_ready,
        relations,
        boot: spec.boot == Some(Boot::Always(true)),
        install: matches!(spec.boot, Some(Boot::Always(true) | Boot::When(_))),
        boot_target: match scope {
            Manager::User => "default.target".to_owned(),
            Manager::System => "multi-user.target".to_owned(),
        },
        restart: resolve_restart(entry).to_owned(),
        restart_sec: spec.restart_sec.clone(),
        uncounted: spec.start_limit.is_none() && matches!(spec.restart, None | Some(Restart::No)),
        start_limit: resolve_start_limit(entry),
        kill_signal: spec.kill_signal.clone(),
        timeout_start: spec.timeout_start.clone(),
        timeout_stop: spec.timeout_stop.clone(),
        on_upgrade: spec.on_upgrade.unwrap_or(OnUpgrade::Restart),
        holds_kept: false,
        guarded: false,
        permitted: false,
        limits: resolve_limits(entry),
        hardening: resolve_hardening(entry),
        write_paths: resolve_write_paths(entry),
        byte_code: None,
        devices: resolve_devices(entry),
        guard: resolve_guard(entry),
        processes: spec.processes.clone(),
        frame: spec.frame.clone(),
        expects: resolve_expects(entry),
        directives: resolve_directives(entry),
    }
}
