//! What a service says of other units: takes the names as written, makes units that the package ships or that somebody
//! else may.

use crate::finding::{known, shown};
use crate::model::Relations;
use crate::model::service::{Builder, unit_name};
use crate::raw::{Notice, OnFailure, Scope};
use crate::rule::name;

impl Builder<'_, '_> {
    pub(super) fn relations(&mut self) -> Relations {
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
            on_failure: match &spec.on_failure {
                OnFailure::Units(units) => self.references("on-failure", units),
                OnFailure::Notice(Notice::Alert) => self.alert(),
            },
        }
    }

    /// Services of this catalog and nothing else.
    pub(super) fn services(&mut self, field: &str, list: &[String]) -> Vec<String> {
        self.whole(field, list);
        let units = list.iter().enumerate();
        units.filter_map(|(i, wanted)| self.one(&[field, &i.to_string()], wanted, "")).collect()
    }

    /// Units: a name without a suffix is a service of this catalog.
    fn references(&mut self, field: &str, list: &[String]) -> Vec<String> {
        self.whole(field, list);
        let mut units = Vec::new();
        for (i, wanted) in list.iter().enumerate() {
            let at = [field, &i.to_string()];
            if wanted.contains('.') {
                self.foreign(&at, wanted);
                let own = unit_name(&self.known.catalog.product.name, &self.chain.name);
                units.extend(Some(wanted.clone()).filter(|unit| *unit != own));
            } else {
                units.extend(self.one(&at, wanted, "; another unit is written with its suffix"));
            }
        }
        units
    }

    /// A unit by its whole name: one that looks like ours must be ours.
    pub(super) fn foreign(&mut self, at: &[&str], wanted: &str) {
        self.rule(at, name::foreign_unit(wanted));
        let services = &self.known.catalog.service;
        let prefix = format!("{}-", self.known.catalog.product.name);
        let product = self.known.catalog.product.name.as_str();
        let name = wanted.strip_suffix(".service");
        let own = name.and_then(|n| {
            n.strip_prefix(&prefix).or(Some(product).filter(|p| n == *p && services.contains_key(*p)))
        });
        let stem = own.map(|n| n.split('@').next().unwrap_or(n));
        if stem.is_some_and(|n| !services.contains_key(n)) {
            let text =
                format!("{} is no unit that this package ships: {}", shown(wanted), known(services.keys()));
            self.fault(at, &text);
        } else if let Some(own) = own {
            self.one(at, own, "");
        }
    }

    /// The unit of a service of this catalog, or that of an instance.
    fn one(&mut self, at: &[&str], wanted: &str, hint: &str) -> Option<String> {
        let (service, instance) = self.named(at, wanted);
        let Some(instance) = instance else { return self.own(at, wanted, hint) };
        let unit = self.resolve(at, service, hint)?;
        Some(unit.replacen(".service", &format!("@{instance}.service"), 1))
    }

    /// The unit of a service of this catalog.
    pub(super) fn own(&mut self, at: &[&str], wanted: &str, hint: &str) -> Option<String> {
        let unit = self.resolve(at, wanted, hint)?;
        if self.known.templates.contains(wanted) {
            self.fault(
                at,
                &format!("{wanted} has instances: name one, such as {wanted}@NAME, or leave it out"),
            );
        }
        Some(unit)
    }

    fn resolve(&mut self, at: &[&str], wanted: &str, hint: &str) -> Option<String> {
        let services = &self.known.catalog.service;
        if wanted == self.chain.name {
            self.fault(at, "names the service itself: take it away");
            return None;
        }
        if !services.contains_key(wanted) {
            self.fault(at, &format!("{} names no service: {}{hint}", shown(wanted), known(services.keys())));
            return None;
        }
        let scope = self.known.scopes.get(wanted).copied().unwrap_or_default();
        if !scope.managers().contains(&self.scope) {
            let what = match scope {
                Scope::User => "runs in user scope, which the system's manager does not see",
                _ => "runs in system scope, which a user's manager does not see",
            };
            self.fault(at, &format!("{wanted} {what}: put both in one scope"));
        }
        Some(unit_name(&self.known.catalog.product.name, wanted))
    }
}
