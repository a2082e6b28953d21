//! What the maintainer scripts do to which units: taken from the product once, so that the scripts hold lists only.

use catalog::model::{LAUNCHER, Product, Service};
use catalog::raw::{Manager, OnUpgrade};
use serde::Serialize;

/// Lists of units, and the licences.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    /// Whether there are users or groups to make.
    pub(super) users: bool,
    /// The users that the package makes.
    pub(super) accounts: Vec<String>,
    /// Every unit of the system's manager that has something to enable or to disable.
    pub(super) system: Vec<String>,
    /// What ends when the package goes: these, doors and what is behind them, every instance. Words for a shell.
    pub(super) stopped: Vec<String>,
    /// Units with instances, which people enable …
    pub(super) templates: Vec<String>,
    /// … and the instances of those that an upgrade restarts: patterns.
    pub(super) restarted_instances: Vec<String>,
    /// Those that can start at boot; a preset says which of them do.
    pub(super) boot: Vec<String>,
    /// Every unit of a user's manager.
    pub(super) user: Vec<String>,
    /// Those that can start at login.
    pub(super) user_boot: Vec<String>,
    /// Those that an upgrade leaves alone although they run something.
    pub(super) kept: Vec<String>,
    /// Those that it restarts …
    pub(super) restarted: Vec<String>,
    /// … and of these, those that wait while a kept one runs.
    pub(super) held: Vec<String>,
    /// Locks that a kept one holds while it runs, and a restarted one does not need for its start.
    pub(super) kept_locks: Vec<String>,
    /// Those whose being stopped is a choice: what is restarted, and what starts by itself.
    pub(super) noted: Vec<String>,
    /// Whether shells can have the environment of a role: it is run_stack that reads it to them.
    pub(super) exports: bool,
    /// Those that are not started again without end.
    pub(super) limited: Vec<String>,
    /// Those that run a program themselves: what an administrator may have otherwise is about them.
    pub(super) own: Vec<String>,
    /// Those that have nothing to enable.
    pub(super) on_demand: Vec<String>,
    /// The licences in the expression, by name.
    license_words: Vec<String>,
    /// The licence expression as Debian writes it.
    license: String,
    /// The texts of the licences in it.
    licenses: Vec<License>,
}

#[derive(Debug, Serialize)]
struct License {
    name: &'static str,
    text: &'static str,
}

const LICENSES: [License; 2] = [
    License { name: "MIT", text: include_str!("../../../../packaging/deb/license/MIT.txt") },
    License { name: "Apache-2.0", text: include_str!("../../../../packaging/deb/license/Apache-2.0.txt") },
];

impl Plan {
    pub(super) fn new(product: &Product) -> Plan {
        let of = |manager, wanted: fn(&Service) -> bool| -> Vec<String> {
            let units = product.units().filter(|s| s.scope == manager && wanted(s));
            units.map(|s| s.unit.clone()).collect()
        };
        let units = |wanted| of(Manager::System, wanted);
        let single = |wanted: fn(&Service) -> bool| -> Vec<String> {
            let units =
                product.units().filter(|s| s.scope == Manager::System && !s.is_template() && wanted(s));
            units.map(|s| s.unit.clone()).collect()
        };
        let templates = || product.services.iter().filter(|s| s.is_template());
        let sockets = || product.services.iter().filter_map(|s| s.socket.as_ref());
        let doors = || sockets().map(|s| s.unit.clone());
        let proxies = || sockets().map(|s| s.proxy.clone());
        let mut stopped = single(|_| true);
        stopped.extend(templates().map(|s| format!("'{}'", s.pattern())));
        stopped.extend(proxies().chain(doors()));
        let openable = sockets().filter(|s| s.install).map(|s| s.unit.clone());
        let locked = |path: &str, on_upgrade| {
            product.services.iter().any(|s| s.lock.as_deref() == Some(path) && s.on_upgrade == on_upgrade)
        };
        let words: Vec<&str> = product.license.split([' ', '(', ')']).collect();
        let alert = product.alerts.contains(&Manager::System).then(|| format!("{}-alert", product.name));
        let accounts: Vec<String> =
            product.accounts.iter().map(|account| account.name.clone()).chain(alert).collect();
        Plan {
            users: !accounts.is_empty() || !product.groups.is_empty(),
            accounts,
            stopped,
            system: units(|_| true).into_iter().chain(doors()).collect(),
            templates: templates().map(|s| s.unit.clone()).collect(),
            restarted_instances: templates()
                .filter(|s| s.on_upgrade == OnUpgrade::Restart)
                .map(Service::pattern)
                .collect(),
            boot: single(|s| s.install).into_iter().chain(openable).collect(),
            user: of(Manager::User, |_| true),
            user_boot: of(Manager::User, |s| s.install),
            kept: single(|s| s.on_upgrade == OnUpgrade::Keep && s.r#type != "oneshot"),
            restarted: single(|s| s.on_upgrade == OnUpgrade::Restart),
            noted: single(|s| s.on_upgrade == OnUpgrade::Restart || s.install),
            limited: units(|s| !s.start_limit.is_empty()),
            exports: !product.roles.is_empty() && product.programs.iter().any(|p| p == LAUNCHER),
            held: units(|s| s.holds_kept),
            kept_locks: product
                .locks
                .iter()
                .map(|l| l.path.clone())
                .filter(|l| locked(l, OnUpgrade::Keep) && !locked(l, OnUpgrade::Restart))
                .collect(),
            own: units(|s| s.launch.is_none() && s.children.is_empty() && s.tasks.is_none()),
            on_demand: units(|s| !s.install && s.directives.install.is_empty() && s.r#type != "oneshot")
                .into_iter()
                .chain(proxies())
                .collect(),
            license_words: words
                .iter()
                .filter(|w| !["", "OR", "AND", "WITH"].contains(w))
                .map(|w| (*w).to_owned())
                .collect(),
            license: product.license.replace(" OR ", " or ").replace(" AND ", " and "),
            licenses: LICENSES.into_iter().filter(|l| words.contains(&l.name)).collect(),
        }
    }
}
