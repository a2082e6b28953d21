//! Decides what the maintainer scripts do with each unit: takes a product, and makes lists of units. The decisions are
//! here so that the templates of the scripts contain loops only.

use catalog::model::{LAUNCHER, Product, Service};
use catalog::raw::{Manager, OnUpgrade};
use serde::Serialize;

/// Lists of units for the maintainer scripts, and licenses for the copyright file.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    /// Whether the package creates users or groups.
    pub(super) users: bool,
    /// Users that the package creates.
    pub(super) accounts: Vec<String>,
    /// System units that can be enabled or disabled.
    pub(super) system: Vec<String>,
    /// Units to stop when the package is removed: services, sockets, their proxies, and a pattern for the instances of
    /// each template. Quoted for a shell.
    pub(super) stopped: Vec<String>,
    /// Template units, whose instances an administrator enables.
    pub(super) templates: Vec<String>,
    /// Patterns of the instances that an upgrade restarts.
    pub(super) restarted_instances: Vec<String>,
    /// System units that can start at boot; a preset decides which of them do.
    pub(super) boot: Vec<String>,
    /// User units.
    pub(super) user: Vec<String>,
    /// User units that can start at login.
    pub(super) user_boot: Vec<String>,
    /// Units that keep running through an upgrade.
    pub(super) kept: Vec<String>,
    /// Units that an upgrade restarts.
    pub(super) restarted: Vec<String>,
    /// Units that an upgrade restarts only while no kept unit runs.
    pub(super) held: Vec<String>,
    /// Locks of kept units that no restarted unit needs.
    pub(super) kept_locks: Vec<String>,
    /// Units that an upgrade does not start again if an administrator stopped them.
    pub(super) noted: Vec<String>,
    /// Whether a shell can load the environment of a role, which `run_stack` prints.
    pub(super) exports: bool,
    /// Units with a start limit.
    pub(super) limited: Vec<String>,
    /// Units that run their own program, and that the example drop-in applies to.
    pub(super) own: Vec<String>,
    /// Units without an `[Install]` section.
    pub(super) on_demand: Vec<String>,
    /// Directories of Python payloads.
    pub(super) environments: Vec<String>,
    /// Names of the licenses in the expression.
    license_words: Vec<String>,
    /// The license expression in Debian's spelling.
    license: String,
    /// Texts of the licenses in the expression.
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
        let units_of = |manager, filter: fn(&Service) -> bool| -> Vec<String> {
            let units = product.units().filter(|s| s.scope == manager && filter(s));
            units.map(|s| s.unit.clone()).collect()
        };
        let units = |filter| units_of(Manager::System, filter);
        let single = |filter: fn(&Service) -> bool| -> Vec<String> {
            let units =
                product.units().filter(|s| s.scope == Manager::System && !s.is_template() && filter(s));
            units.map(|s| s.unit.clone()).collect()
        };
        let templates = || product.services.iter().filter(|s| s.is_template());
        let sockets = || product.services.iter().filter_map(|s| s.socket.as_ref());
        let socket_units = || sockets().map(|s| s.unit.clone());
        let proxies = || sockets().map(|s| s.proxy.clone());
        let mut stopped = single(|_| true);
        stopped.extend(templates().map(|s| format!("'{}'", s.pattern())));
        stopped.extend(proxies().chain(socket_units()));
        let boot_sockets = sockets().filter(|s| s.install).map(|s| s.unit.clone());
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
            system: units(|_| true).into_iter().chain(socket_units()).collect(),
            templates: templates().map(|s| s.unit.clone()).collect(),
            restarted_instances: templates()
                .filter(|s| s.on_upgrade == OnUpgrade::Restart)
                .map(Service::pattern)
                .collect(),
            boot: single(|s| s.install).into_iter().chain(boot_sockets).collect(),
            user: units_of(Manager::User, |_| true),
            user_boot: units_of(Manager::User, |s| s.install),
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
            environments: product
                .payloads
                .iter()
                .filter(|payload| payload.python().is_some())
                .map(|payload| payload.dir.clone())
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
