//! `instances`: the folder of their files, and the files that the package brings.

use super::entry::Entry;
use crate::finding::describe_unknown;
use crate::model::{Instance, Instances, Variable};
use crate::raw::{Boot, Manager};
use crate::resolve::quote::quote_value;
use crate::rule::{name, text};

pub(super) fn resolve_instances(entry: &mut Entry<'_, '_>) -> Option<Instances> {
    let spec = entry.spec.instances.as_ref()?;
    check_other_fields(entry);
    let directory = format!("/etc/{}/{}", entry.product().name, entry.name());
    for (variable, what) in &spec.variables {
        entry.check(&["instances", "variables", variable], name::check_variable(variable));
        entry.check(&["instances", "variables", variable], text::check_line(what));
    }
    let mut shipped = Vec::new();
    for (instance, values) in &spec.shipped {
        let at = ["instances", "shipped", instance.as_str()];
        entry.check(&at, name::check_instance(instance));
        for missing in spec.variables.keys().filter(|variable| !values.contains_key(*variable)) {
            entry.refuse(&at, &format!("does not set `{missing}`: write a value"));
        }
        let mut variables = Vec::new();
        for (variable, value) in values {
            let at = ["instances", "shipped", instance, variable];
            entry.check(&at, text::check_variable(value));
            if !spec.variables.contains_key(variable) {
                entry.refuse(&at, &describe_unknown("variable", variable, spec.variables.keys()));
            }
            variables.push(Variable {
                name: variable.clone(),
                value: value.clone(),
                quoted: quote_value(value),
                why: spec.variables.get(variable).cloned(),
            });
        }
        let file = format!("{directory}/{instance}.env");
        shipped.push(Instance { name: instance.clone(), file, variables });
    }
    let variables = spec.variables.iter().map(|(name, what)| (name.clone(), what.clone())).collect();
    Some(Instances { directory, variables, shipped })
}

/// Checks the fields that do not go together with instances.
fn check_other_fields(entry: &mut Entry<'_, '_>) {
    let spec = entry.spec;
    if entry.scope == Manager::User {
        entry.refuse(&["scope"], "does not go with `instances`: use scope = \"system\"");
    }
    if spec.boot == Some(Boot::Always(true)) {
        let text = "cannot be true for a service with instances, because the machine chooses them: write \"on-request\"";
        entry.refuse(&["boot"], text);
    }
    if ["alert", "alert-mail"].contains(&entry.name()) {
        let text = "would collide with the unit that sends alerts: rename the service";
        entry.refuse(&["instances"], text);
    }
    let fields = [
        ("launch", !spec.launch.is_empty()),
        ("socket", spec.socket.is_some()),
        ("tasks", spec.tasks == Some(true)),
    ];
    for (field, _) in fields.iter().filter(|(_, set)| *set) {
        entry.refuse(&[field], "does not go with `instances`: remove one of them");
    }
}
