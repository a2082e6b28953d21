//! What a service runs in: takes its slice, groups, environment and paths, makes the directives for them.

use crate::finding::{known, shown};
use crate::model::command::quote;
use crate::model::machine::slice_unit;
use crate::model::service::{Builder, stem};
use crate::raw::Manager;
use crate::rule::{name, path, text};

impl Builder<'_, '_> {
    /// The name in the journal: it would be the watcher's, which is the program that systemd starts.
    pub(super) fn identifier(&mut self) -> Option<String> {
        if let Some(identifier) = &self.spec.syslog_identifier {
            self.rule(
                &["syslog-identifier"],
                text::setting(identifier).and_then(|()| name::process(identifier)),
            );
            self.specifier(&["syslog-identifier"], identifier);
            return Some(identifier.clone());
        }
        let instance = if self.is_template() { "@%i" } else { "" };
        self.spec.ready.as_ref().map(|_| format!("{}{instance}", self.stem()))
    }

    /// The name of its unit without suffix and instance.
    pub(super) fn stem(&self) -> String {
        self.stem_of(&self.chain.name)
    }

    pub(super) fn stem_of(&self, service: &str) -> String {
        stem(&self.known.catalog.product.name, service)
    }

    pub(super) fn slice(&mut self) -> Option<String> {
        let wanted = self.spec.slice.as_ref()?;
        let catalog = self.known.catalog;
        if !catalog.slice.contains_key(wanted) {
            let slices = known(catalog.slice.keys());
            self.fault(&["slice"], &format!("{} names no slice: {slices}", shown(wanted)));
        }
        if self.scope == Manager::User {
            self.fault(&["slice"], "is one of the machine's, which a user service is not in: leave it out");
        }
        Some(slice_unit(&catalog.product.name, wanted))
    }

    /// Groups that its user belongs to where they exist.
    pub(super) fn joins(&self, user: Option<&str>) -> Vec<String> {
        let account = user.and_then(|user| self.known.catalog.account.get(user));
        account.map(|a| a.groups_if_present.clone()).unwrap_or_default()
    }

    pub(super) fn write_paths(&mut self) -> Vec<String> {
        let optional = |path: &str| path::in_unit(path.strip_prefix('-').unwrap_or(path));
        let paths = self.list("write-paths", &self.spec.write_paths, optional);
        for (i, path) in paths.iter().enumerate() {
            self.specifier(&["write-paths", &i.to_string()], path);
        }
        paths.iter().map(|path| quote(path)).collect()
    }

    pub(super) fn environment_files(&mut self) -> Vec<String> {
        let files = &self.spec.environment_files;
        self.whole("environment-files", files);
        for (i, file) in files.iter().enumerate() {
            let at = ["environment-files", &i.to_string()];
            self.rule(&at, path::in_unit(file.strip_prefix('-').unwrap_or(file)));
            self.specifier(&at, file);
        }
        files.clone()
    }

    pub(super) fn environment(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, value) in &self.spec.environment {
            self.rule(&["environment", key], name::variable(key));
            self.rule(&["environment", key], text::variable(value));
            lines.push(quote(&format!("{key}={value}").replace('%', "%%")));
        }
        lines
    }
}
