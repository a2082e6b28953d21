//! The notice about a failure: takes `on-failure = "alert"`, makes the name of the unit that is started, and whose
//! managers have one.

use crate::model::Service;
use crate::model::place::Place;
use crate::model::service::Builder;
use crate::raw::{Catalog, Manager};
use crate::rule::name;

/// The program that tells people of failures.
const ALERTER: &str = "notify-helper";

/// The notice carries the whole name of the unit, with its suffix: any name is a name of an instance as it is.
fn unit(product: &str) -> String {
    format!("{product}-alert@%n.service")
}

impl Builder<'_, '_> {
    /// What `OnFailure=` names.
    pub(super) fn alert(&mut self) -> Vec<String> {
        let product = &self.known.catalog.product;
        if !product.programs.iter().any(|p| p == ALERTER) {
            let text = format!("needs `{ALERTER}`, which is not packed: add it to product.programs");
            self.fault(&["on-failure"], &text);
        }
        vec![unit(&product.name)]
    }
}

/// Every manager with a service that asks for it; alerts of the system have a user of their own.
pub(super) fn managers<'a>(
    catalog: &Catalog,
    services: impl Iterator<Item = &'a Service> + Clone,
    place: &mut Place<'_>,
) -> Vec<Manager> {
    let product = &catalog.product.name;
    let notice = unit(product);
    let asks = |manager: &Manager| {
        services.clone().any(|s| s.scope == *manager && s.relations.on_failure.contains(&notice))
    };
    let managers: Vec<Manager> = [Manager::System, Manager::User].into_iter().filter(asks).collect();
    if managers.contains(&Manager::System) {
        let user = format!("{product}-alert");
        if catalog.account.contains_key(&user) {
            place.fault(&["account", &user], "is the account that alerts are sent from: choose another name");
        } else if name::product(product).is_ok() && name::account(&user).is_err() {
            let text = format!("is too long for alerts, whose account is `{user}`: 25 letters at most");
            place.fault(&["product", "name"], &text);
        }
    }
    managers
}
