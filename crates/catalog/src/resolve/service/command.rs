//! What a service runs: `exec`, or `launch` with its `setup`, `lock` and `session`; and the `guard` of its stop.

use std::path::PathBuf;

use base::span;
use base::table::{Guard, Launch, Session, Setup};

use super::entry::Entry;
use super::environment::{check_launch_variables, check_word};
use crate::finding::{describe_invalid, describe_unknown, find_near, quote};
use crate::model::{LAUNCHER, Role, program_dir};
use crate::raw::{Manager, ServiceType};
use crate::resolve::quote::quote_word;
use crate::rule::{path, text};

/// What the unit of a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A program, by itself or under its watcher.
    Exec,
    /// `run_stack`.
    Launch,
    /// Nothing, because it stands for its children.
    Parent,
    /// A service manager of its user.
    TaskManager,
}

/// Tells what the unit runs, and refuses fields that do not fit.
pub(super) fn resolve_kind(entry: &mut Entry<'_, '_>) -> Kind {
    let spec = entry.spec;
    let (launch, exec) = (!spec.launch.is_empty(), !spec.exec.is_empty());
    let alone = if entry.context.parents.contains(entry.name()) {
        Some((Kind::Parent, "has no meaning for a parent, which runs nothing itself: remove it"))
    } else if spec.tasks == Some(true) {
        Some((
            Kind::TaskManager,
            "has no meaning for a service with `tasks`, which runs only tasks: remove it",
        ))
    } else {
        None
    };
    if let Some((kind, fault)) = alone {
        let fields = [
            ("launch", launch),
            ("exec", exec),
            ("type", spec.r#type.is_some()),
            ("ready", spec.ready.is_some()),
            ("watchdog", spec.watchdog.is_some()),
        ];
        for (field, _) in fields.iter().filter(|(_, set)| *set) {
            entry.refuse(&[field], fault);
        }
        return kind;
    }
    match (launch, exec) {
        (true, true) => entry.refuse(&["exec"], "does not go with `launch`: remove one of them"),
        (false, false) => entry.refuse(&[], "runs nothing: write `launch` or `exec`"),
        _ => {}
    }
    if launch {
        if !entry.product().programs.iter().any(|program| program == LAUNCHER) {
            let text = format!("needs `{LAUNCHER}`: add it to product.programs");
            entry.refuse(&["launch"], &text);
        }
        return Kind::Launch;
    }
    let fields = [
        ("setup", !spec.setup.is_empty()),
        ("lock", spec.lock.is_some()),
        ("session", spec.session.is_some()),
    ];
    for (field, _) in fields.iter().filter(|(_, set)| *set) {
        entry.refuse(&[field], "works only with `launch`: write `launch` instead of `exec`, or remove it");
    }
    Kind::Exec
}

/// Returns `Type=`.
pub(super) fn resolve_type(entry: &mut Entry<'_, '_>, kind: Kind) -> &'static str {
    if kind == Kind::Launch && entry.spec.r#type.is_some_and(|t| t != ServiceType::Notify) {
        entry.refuse(&["type"], "is always \"notify\" for a service with `launch`: remove it");
    }
    match (entry.spec.r#type, kind) {
        (Some(ServiceType::Simple), _) => "simple",
        (Some(ServiceType::Exec), _) => "exec",
        (Some(ServiceType::Notify), _) => "notify",
        (Some(ServiceType::Oneshot), _) => "oneshot",
        (None, Kind::Parent) => "oneshot",
        (None, Kind::Launch | Kind::TaskManager) => "notify",
        (None, Kind::Exec) if entry.spec.ready.is_some() => "notify",
        (None, Kind::Exec) => "exec",
    }
}

/// Returns who brings the program of `exec`.
pub(super) fn resolve_external(entry: &mut Entry<'_, '_>) -> Option<String> {
    let external = entry.spec.external.clone()?;
    entry.check(&["external"], text::check_line(&external));
    if entry.spec.exec.is_empty() {
        entry.refuse(&["external"], "is about the program of `exec`, which is missing: remove it");
    }
    Some(external)
}

/// Returns `ExecStart=`, quoted; the words of `watcher` come before the command.
pub(super) fn resolve_exec(
    entry: &mut Entry<'_, '_>,
    watcher: Option<Vec<String>>,
    role: Option<&Role>,
) -> String {
    let programs = program_dir(&entry.product().name);
    if !entry.spec.launch.is_empty() {
        return format!("{programs}/{LAUNCHER} {}", entry.name());
    }
    let own = &entry.product().programs;
    let watched = watcher.is_some();
    let mut words = watcher.unwrap_or_default();
    entry.check_length(&["exec"], &entry.spec.exec);
    for (i, word) in entry.spec.exec.iter().enumerate() {
        let at = ["exec", &i.to_string()];
        if i > 0 {
            entry.check(&at, text::check_free(word));
            check_word(entry, &at, word, role);
        } else if own.contains(word) {
            words.push(format!("{programs}/{word}"));
            continue;
        } else if watched && word.contains('$') {
            // systemd allows no variable in the path of a program, but here the program is an argument of the watcher.
            entry.check(&at, path::check_script(word));
            check_word(entry, &at, word, role);
        } else {
            if word.starts_with(['/', '%']) || text::check_line(word).is_err() {
                entry.check(&at, path::check_program(word));
            } else {
                let text = describe_program(word, own);
                entry.refuse(&at, &text);
            }
            entry.check_specifiers(&at, word);
        }
        words.push(quote_word(word));
    }
    words.join(" ")
}

/// Describes the fault of a command whose first word is not a program.
fn describe_program(word: &str, own: &[String]) -> String {
    let hint = match find_near(word, own) {
        Some(near) => format!("did you mean {}?", quote(near)),
        None => "start it with `/`".to_owned(),
    };
    format!("{} is neither an absolute path nor one of product.programs: {hint}", quote(word))
}

/// Returns `WorkingDirectory=`, unless `run_stack` changes to the directory.
pub(super) fn resolve_working_directory(entry: &mut Entry<'_, '_>, kind: Kind) -> Option<String> {
    let directory = entry.spec.working_directory.as_ref()?;
    if entry.spec.launch.is_empty() {
        entry.check(&["working-directory"], path::check_in_unit(directory));
        entry.check_specifiers(&["working-directory"], directory);
    }
    (kind != Kind::Launch).then(|| directory.clone())
}

/// Returns what `run_stack` launches.
pub(super) fn resolve_launch(entry: &mut Entry<'_, '_>, role: Option<&Role>) -> Launch {
    let spec = entry.spec;
    entry.check_length(&["launch"], &spec.launch);
    for (i, word) in spec.launch.iter().enumerate() {
        let rule = if i == 0 { text::check_line } else { text::check_free };
        entry.check(&["launch", &i.to_string()], rule(word));
    }
    for (i, setup) in spec.setup.iter().enumerate() {
        let i = i.to_string();
        entry.check(&["setup", &i, "path"], path::check_script(&setup.path));
        check_launch_variables(entry, &["setup", &i, "path"], &setup.path, role);
        for (field, text) in [("hint", Some(&setup.hint)), ("fix", setup.fix.as_ref())] {
            let Some(text) = text else { continue };
            entry.check(&["setup", &i, field], text::check_line(text));
            check_launch_variables(entry, &["setup", &i, field], text, role);
        }
    }
    if let Some(directory) = &spec.working_directory {
        entry.check(&["working-directory"], path::check_launched(directory));
        check_launch_variables(entry, &["working-directory"], directory, role);
    }
    let name = entry.name();
    let fill_in = |text: &str| text.replace("{name}", name);
    Launch {
        argv: spec.launch.iter().map(|word| fill_in(word)).collect(),
        environment: spec.environment.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        env_file: role.map(|role| role.file.clone().into()),
        setup: spec
            .setup
            .iter()
            .map(|s| Setup { path: s.path.clone(), hint: s.hint.clone(), fix: s.fix.clone() })
            .collect(),
        directory: spec.working_directory.clone(),
        lock: resolve_lock(entry),
        session: resolve_session(entry).map(|(path, content)| Session { path, content: fill_in(content) }),
    }
}

fn resolve_lock(entry: &mut Entry<'_, '_>) -> Option<PathBuf> {
    let wanted = entry.spec.lock.as_ref()?;
    let locks = entry.context.locks;
    let lock = locks.iter().find(|lock| lock.name == *wanted);
    if lock.is_none() {
        let names = locks.iter().map(|lock| &lock.name);
        entry.refuse(&["lock"], &describe_unknown("lock", wanted, names));
    } else if entry.scope == Manager::User {
        let text = "cannot be taken by a user service: remove it, or use scope = \"system\"";
        entry.refuse(&["lock"], text);
    }
    lock.map(|lock| lock.path.clone().into())
}

fn resolve_session<'a>(entry: &mut Entry<'a, '_>) -> Option<(PathBuf, &'a str)> {
    let session = entry.spec.session.as_ref()?;
    entry.check(&["session", "path"], path::check_relative(&session.path));
    entry.check(&["session", "content"], text::check_line(&session.content));
    let user = entry.spec.user.as_ref();
    let account = user.and_then(|user| Some((user, entry.context.catalog.account.get(user)?)));
    if let Some((user, _)) = account.filter(|(_, account)| account.home.is_none()) {
        let text =
            format!("is relative to the home directory, but {user} has none: write account.{user}.home");
        entry.refuse(&["session", "path"], &text);
    }
    Some((session.path.clone().into(), &session.content))
}

/// Returns the command that can prevent a stop.
pub(super) fn resolve_guard(entry: &mut Entry<'_, '_>) -> Option<Guard> {
    let guard = entry.spec.guard.as_ref()?;
    let Some(program) = guard.command.first() else {
        entry.refuse(&["guard", "command"], "is empty: write the program and its arguments");
        return None;
    };
    if program.starts_with('/') {
        entry.check(&["guard", "command", "0"], path::check_program(program));
    } else {
        let text = format!("{} is not an absolute path: start it with `/`", quote(program));
        entry.refuse(&["guard", "command", "0"], &text);
    }
    entry.check_length(&["guard", "command"], &guard.command);
    for (i, word) in guard.command.iter().enumerate().skip(1) {
        entry.check(&["guard", "command", &i.to_string()], text::check_free(word));
    }
    let timeout = guard.timeout.clone().unwrap_or_else(|| "5s".to_owned());
    if span::parse(&timeout).is_none_or(|span| span.as_secs() > 60) {
        let text = describe_invalid("timeout", &timeout, "a time span up to 1min, such as 5s");
        entry.refuse(&["guard", "timeout"], &text);
    }
    Some(Guard { command: guard.command.clone(), timeout })
}
