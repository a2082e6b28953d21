//! Instances: takes a service's `instances`, makes the directory of their files and those that the package brings.

use crate::finding::{known, shown};
use crate::model::service::Builder;
use crate::model::{Instance, Instances, Variable, product};
use crate::raw::{Boot, Manager};
use crate::rule::{name, text};

impl Builder<'_, '_> {
    /// Whether its unit is a template.
    pub(super) fn is_template(&self) -> bool {
        self.spec.instances.is_some()
    }

    /// Its instances, each a file.
    pub(super) fn instances(&mut self) -> Option<Instances> {
        let spec = self.spec.instances.as_ref()?;
        self.fits_instances();
        let directory = format!("/etc/{}/{}", self.known.catalog.product.name, self.chain.name);
        for (variable, what) in &spec.variables {
            self.rule(&["instances", "variables", variable], name::variable(variable));
            self.rule(&["instances", "variables", variable], text::line(what));
        }
        let mut shipped = Vec::new();
        for (instance, values) in &spec.shipped {
            let at = ["instances", "shipped", instance.as_str()];
            self.rule(&at, name::instance(instance));
            for missing in spec.variables.keys().filter(|variable| !values.contains_key(*variable)) {
                self.fault(&at, &format!("does not say what {missing} is: write a value"));
            }
            let mut variables = Vec::new();
            for (variable, value) in values {
                let at = ["instances", "shipped", instance, variable];
                self.rule(&at, text::variable(value));
                if !spec.variables.contains_key(variable) {
                    let variables = known(spec.variables.keys());
                    self.fault(&at, &format!("is none of the variables of an instance: {variables}"));
                }
                variables.push(Variable {
                    name: variable.clone(),
                    value: value.clone(),
                    quoted: product::shell_quote(value),
                    why: spec.variables.get(variable).cloned(),
                });
            }
            let file = format!("{directory}/{instance}.env");
            shipped.push(Instance { name: instance.clone(), file, variables });
        }
        let variables = spec.variables.iter().map(|(name, what)| (name.clone(), what.clone())).collect();
        Some(Instances { directory, variables, shipped })
    }

    /// What goes together with instances.
    fn fits_instances(&mut self) {
        if self.scope == Manager::User {
            self.fault(&["scope"], "has instances, which are files of the machine's: use scope = \"system\"");
        }
        if self.spec.boot == Some(Boot::Always(true)) {
            let text = "has instances, and no package knows which ones a machine wants: write \"on-request\"";
            self.fault(&["boot"], text);
        }
        if ["alert", "alert-mail"].contains(&self.chain.name.as_str()) {
            self.fault(
                &["instances"],
                "would be those of the unit that tells of failures: rename the service",
            );
        }
        let set = [
            ("launch", !self.spec.launch.is_empty()),
            ("socket", self.spec.socket.is_some()),
            ("tasks", self.spec.tasks == Some(true)),
        ];
        for (field, _) in set.iter().filter(|(_, set)| *set) {
            self.fault(&[field], "is there once, and not for each of several instances: leave it out");
        }
    }

    /// The service and the instance that a reference names.
    pub(super) fn named<'n>(&mut self, at: &[&str], wanted: &'n str) -> (&'n str, Option<&'n str>) {
        let Some((service, instance)) = wanted.split_once('@') else { return (wanted, None) };
        self.rule(at, name::instance(instance));
        if !self.known.templates.contains(service) && self.known.catalog.service.contains_key(service) {
            self.fault(at, &format!("{} names an instance of {service}, which has none", shown(wanted)));
        }
        (service, Some(instance))
    }
}
