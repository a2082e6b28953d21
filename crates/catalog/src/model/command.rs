//! What a service runs: takes its `exec` or `launch`, makes the command line of its unit and what `run_stack` does.

use base::span;
use base::table::{Guard, Launch, Session, Setup};

use crate::finding::{known, shown};
use crate::model::service::{Builder, LAUNCHER};
use crate::model::{Role, program_dir};
use crate::raw::{self, Manager};
use crate::rule::{path, text};

/// Variables that systemd sets by itself.
const GIVEN: [&str; 18] = [
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

impl Builder<'_, '_> {
    /// `ExecStart=`, quoted.
    pub(super) fn exec(&mut self, role: Option<&Role>) -> String {
        let programs = program_dir(&self.known.catalog.product.name);
        let mut words = self.watcher(role).unwrap_or_default();
        if !self.spec.launch.is_empty() {
            return format!("{programs}/{LAUNCHER} {}", self.chain.name);
        }
        let own = &self.known.catalog.product.programs;
        // systemd itself starts a program by its path only; the watcher's is any argument to it.
        let watched = !words.is_empty();
        self.length("exec", &self.spec.exec);
        for (i, word) in self.spec.exec.iter().enumerate() {
            let at = ["exec", &i.to_string()];
            if i == 0 && own.contains(word) {
                words.push(format!("{programs}/{word}"));
                continue;
            }
            if i == 0 && watched && word.contains('$') {
                self.rule(&at, path::script(word));
                self.expanded(&at, word, role);
            } else if i == 0 && !word.starts_with(['/', '%']) && text::line(word).is_ok() {
                let text = format!(
                    "{} is neither an absolute path nor a program of the product: {}",
                    shown(word),
                    known(own)
                );
                self.fault(&at, &text);
            } else if i == 0 {
                self.rule(&at, path::program(word));
            } else {
                self.rule(&at, text::free(word));
                self.expanded(&at, word, role);
            }
            self.specifier(&at, word);
            words.push(quote(word));
        }
        words.join(" ")
    }

    /// systemd splits the value of a bare `$NAME` into words, and makes nothing of what is not set.
    pub(super) fn expanded(&mut self, at: &[&str], word: &str, role: Option<&Role>) {
        let dollars = word.replace("$$", "").replace("${", "");
        if dollars.contains('$') {
            self.fault(at, "holds a bare `$`: write `${NAME}` for a variable, `$$` for a dollar sign");
            return;
        }
        if self.scope == Manager::System && !self.spec.directives.service.contains_key("PassEnvironment") {
            self.variables(at, &word.replace("$$", ""), role, &GIVEN);
        }
    }

    /// What `run_stack` does.
    pub(super) fn launch(&mut self, role: Option<&Role>) -> Launch {
        let spec = self.spec;
        self.length("launch", &spec.launch);
        for (i, word) in spec.launch.iter().enumerate() {
            let rule = if i == 0 { text::line } else { text::free };
            self.rule(&["launch", &i.to_string()], rule(word));
        }
        let named = |text: &str| text.replace("{name}", &self.chain.name);
        let argv = spec.launch.iter().map(|w| named(w)).collect();
        let session = spec
            .session
            .as_ref()
            .map(|s| Session { path: s.path.clone().into(), content: named(&s.content) });
        for (i, setup) in spec.setup.iter().enumerate() {
            let i = i.to_string();
            self.rule(&["setup", &i, "path"], path::script(&setup.path));
            self.rule(&["setup", &i, "hint"], text::line(&setup.hint));
            self.variables(&["setup", &i, "path"], &setup.path, role, &[]);
            self.variables(&["setup", &i, "hint"], &setup.hint, role, &[]);
            if let Some(fix) = &setup.fix {
                self.rule(&["setup", &i, "fix"], text::line(fix));
                self.variables(&["setup", &i, "fix"], fix, role, &[]);
            }
        }
        if let Some(directory) = &spec.working_directory {
            self.rule(&["working-directory"], path::launched(directory));
            self.variables(&["working-directory"], directory, role, &[]);
        }
        self.session();
        Launch {
            argv,
            environment: spec.environment.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            env_file: role.map(|r| r.file.clone().into()),
            setup: spec.setup.iter().map(written).collect(),
            directory: spec.working_directory.clone(),
            lock: self.lock(),
            session,
        }
    }

    /// What is asked before it is stopped.
    pub(super) fn guard(&mut self) -> Option<Guard> {
        let guard = self.spec.guard.as_ref()?;
        let Some(program) = guard.command.first() else {
            self.fault(&["guard", "command"], "is empty: write the program and its arguments");
            return None;
        };
        if program.starts_with('/') {
            self.rule(&["guard", "command", "0"], path::program(program));
        } else {
            let text =
                format!("{} is no absolute path: whoever asks has a PATH of their own", shown(program));
            self.fault(&["guard", "command", "0"], &text);
        }
        self.length("guard", &guard.command);
        for (i, word) in guard.command.iter().enumerate().skip(1) {
            self.rule(&["guard", "command", &i.to_string()], text::free(word));
        }
        let timeout = guard.timeout.clone().unwrap_or_else(|| "5s".to_owned());
        if span::parse(&timeout).is_none_or(|span| span.as_secs() > 60) {
            let text = format!(
                "{} is no time that people wait for an answer: write it like 5s, at most 1min",
                shown(&timeout)
            );
            self.fault(&["guard", "timeout"], &text);
        }
        Some(Guard { command: guard.command.clone(), timeout })
    }

    fn session(&mut self) {
        let Some(session) = &self.spec.session else { return };
        self.rule(&["session", "path"], path::relative(&session.path));
        self.rule(&["session", "content"], text::line(&session.content));
        let account = self.spec.user.as_ref().and_then(|u| Some((u, self.known.catalog.account.get(u)?)));
        if let Some((user, _)) = account.filter(|(_, account)| account.home.is_none()) {
            let text = format!("is below the home directory, and {user} has none: write account.{user}.home");
            self.fault(&["session", "path"], &text);
        }
    }

    fn lock(&mut self) -> Option<std::path::PathBuf> {
        let wanted = self.spec.lock.as_ref()?;
        let found = self.known.locks.iter().find(|l| l.name == *wanted);
        if found.is_none() {
            let locks = known(self.known.locks.iter().map(|l| &l.name));
            self.fault(&["lock"], &format!("{} names no lock: {locks}", shown(wanted)));
        } else if self.scope == Manager::User {
            self.fault(
                &["lock"],
                "belongs to an account of the system, a user service cannot take it: leave it out",
            );
        }
        found.map(|l| l.path.clone().into())
    }

    /// Every `${NAME}` must be set by the role or the service, or the launch would fail on the machine.
    fn variables(&mut self, at: &[&str], value: &str, role: Option<&Role>, given: &[&str]) {
        let own = self.spec.environment.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        let of_role = role.iter().flat_map(|r| &r.variables).map(|v| (v.name.as_str(), v.value.as_str()));
        let of_instances = self.spec.instances.iter().flat_map(|i| i.variables.keys());
        let of_instances = of_instances.map(|name| (name.as_str(), "said by each"));
        let set: Vec<(&str, &str)> = of_role.chain(own).chain(of_instances).collect();
        if value.rsplit_once("${").is_some_and(|(_, rest)| !rest.contains('}')) {
            self.fault(at, "holds a `${` that is not closed: write `${NAME}`");
            return;
        }
        for variable in text::variables_in(value) {
            match set.iter().rfind(|(name, _)| *name == variable) {
                Some((_, "")) if given.is_empty() => {
                    self.fault(at, &format!("`${{{variable}}}` is set to nothing: write its value"));
                }
                None if !given.contains(&variable) => {
                    let names = known(set.iter().map(|(name, _)| name));
                    let text = format!(
                        "nothing sets `${{{variable}}}`: write it into `environment` or the role ({names})"
                    );
                    self.fault(at, &text);
                }
                _ => {}
            }
        }
    }
}

fn written(setup: &raw::Setup) -> Setup {
    Setup { path: setup.path.clone(), hint: setup.hint.clone(), fix: setup.fix.clone() }
}

/// One word of a command line as systemd splits it again.
pub(super) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-${}".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}
