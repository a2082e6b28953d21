//! Alerts: `on-failure = "alert"`.

use super::report::Report;
use crate::model::Service;
use crate::raw::{Catalog, Manager};
use crate::rule::name;

/// Returns the unit that `OnFailure=` names. Its instance is the whole name of the failed unit, which needs no escaping.
pub(super) fn alert_unit(product: &str) -> String {
    format!("{product}-alert@%n.service")
}

/// Returns the service managers with a unit that asks for alerts. In system scope, alerts have an account of their own.
pub(super) fn resolve_alerts<'a>(
    catalog: &Catalog,
    services: impl Iterator<Item = &'a Service> + Clone,
    report: &mut Report<'_>,
) -> Vec<Manager> {
    let product = &catalog.product.name;
    let notice = alert_unit(product);
    let asks = |manager: &Manager| {
        services.clone().any(|s| s.scope == *manager && s.relations.on_failure.contains(&notice))
    };
    let managers: Vec<Manager> = [Manager::System, Manager::User].into_iter().filter(asks).collect();
    if managers.contains(&Manager::System) {
        let user = format!("{product}-alert");
        if catalog.account.contains_key(&user) {
            report.refuse(
                &["account", &user],
                "is reserved for the account that sends alerts: choose another name",
            );
        } else if name::check_product(product).is_ok() && name::check_account(&user).is_err() {
            let text =
                format!("is too long for the account that sends alerts, `{user}`: use at most 25 characters");
            report.refuse(&["product", "name"], &text);
        }
    }
    managers
}
