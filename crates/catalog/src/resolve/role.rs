//! Roles: the environment file of each.

use super::quote::quote_value;
use super::report::Report;
use crate::model::{Role, Variable};
use crate::raw::{self, Catalog};
use crate::rule::{name, text};

pub(super) fn resolve_roles(catalog: &Catalog, report: &mut Report<'_>) -> Vec<Role> {
    let selector = role_variable(&catalog.product.name);
    let mut roles = Vec::new();
    for (name, role) in &catalog.role {
        report.check(&["role", name], name::check_own(name));
        report.check(&["role", name, "description"], text::check_line(&role.description));
        let mut variables = Vec::new();
        for (key, variable) in &role.environment {
            let at = ["role", name, "environment", key];
            let (value, why) = match variable {
                raw::Variable::Value(value) => (value, None),
                raw::Variable::Explained(explained) => (&explained.value, Some(&explained.why)),
            };
            report.check(&at, name::check_variable(key));
            let explained = ["role", name, "environment", key, "value"];
            report.check(if why.is_some() { &explained } else { &at }, text::check_variable(value));
            if *key == selector {
                report.refuse(&at, "is set to the name of the role automatically: remove it");
            }
            if let Some(why) = why {
                report.check(&["role", name, "environment", key, "why"], text::check_comment(why));
            }
            variables.push(Variable {
                name: key.clone(),
                value: value.clone(),
                quoted: quote_value(value),
                why: why.map(|w| w.trim().to_owned()),
            });
        }
        let file = format!("/etc/{}/.env.{name}", catalog.product.name);
        roles.push(Role { name: name.clone(), description: role.description.clone(), file, variables });
    }
    roles
}

/// Returns the name of the variable that says which role a machine has.
pub(super) fn role_variable(product: &str) -> String {
    format!("{}_ENV", product.to_uppercase().replace('-', "_"))
}
