//! `services.json`, the table that the product's programs read.

use std::collections::BTreeSet;

use base::table;

use super::environment::Role;
use super::product::{Lock, Product};
use super::service::Service;
use crate::raw::Manager;

impl Product {
    /// Returns the table, without the files that are rendered beside it.
    pub fn table(&self) -> table::Table {
        let operators = self.permits.iter().find_map(|p| p.group.as_deref());
        let service = |s: &Service| table::Service {
            name: s.name.clone(),
            unit: s.unit.clone(),
            description: s.description.clone(),
            kinds: s.kinds.clone(),
            user: s.user.clone(),
            boot: s.boot && s.scope == Manager::System,
            launch: s.launch.clone(),
            only_while: s.only_while.clone(),
            processes: s.processes.clone(),
            frame: s.frame.clone(),
            permits: operators.map(|group| self.permitted(group, &s.unit)).unwrap_or_default(),
            guard: s.guard.clone(),
            expects: s.expects.clone(),
        };
        let lock = |l: &Lock| table::LockFile {
            path: l.path.clone().into(),
            user: l.user.clone(),
            group: l.group.clone(),
        };
        let env_file = |r: &Role| table::EnvFile {
            path: r.file.clone().into(),
            environment: r.variables.iter().map(|v| (v.name.clone(), v.value.clone())).collect(),
        };
        table::Table {
            schema: table::SCHEMA,
            product: self.name.clone(),
            package: self.package.clone(),
            version: self.release().version.clone(),
            operators: operators.map(str::to_owned),
            date: self.release().date.clone(),
            services: self.services.iter().map(service).collect(),
            locks: self.locks.iter().map(lock).collect(),
            env_files: self.roles.iter().map(env_file).collect(),
            files: Vec::new(),
        }
    }

    /// Returns the verbs that the members of a group may use on a unit.
    fn permitted(&self, group: &str, unit: &str) -> Vec<String> {
        let permits = self.permits.iter().filter(|p| p.group.as_deref() == Some(group));
        let of_unit = permits.filter(|p| p.covers(unit));
        let verbs: BTreeSet<String> = of_unit.flat_map(|p| p.verbs.iter().cloned()).collect();
        verbs.into_iter().collect()
    }
}
