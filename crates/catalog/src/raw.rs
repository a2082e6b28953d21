//! The catalog as it is written: one TOML file a product, read into plain types without any logic.
//!
//! Takes text, makes a [`Catalog`]; decides nothing, resolves nothing. The doc comments here are the reference of
//! the format: `cargo xtask schema` turns them into the JSON Schema that editors show and that [`crate::source`]
//! checks a file against. Field names follow the systemd directive that they become.

mod boot;
mod bounds;
mod directive;
mod failure;
mod guard;
mod instances;
mod machine;
mod permit;
mod service;
mod watch;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use boot::{Boot, BootWhen};
pub use bounds::{Hardening, Limits};
pub use directive::{Directive, Directives};
pub use failure::{LimitAction, Notice, OnFailure, OnUpgrade, Restart, StartLimit};
pub use guard::Guard;
pub use instances::{Instances, Socket};
pub use machine::{Account, Config, Directory, DropIn, Group, Machine, Slice};
pub use permit::{Permit, Power, Verb};
pub use service::{Manager, Scope, Service, ServiceType, Session, Setup};
pub use watch::{Answer, Ready, Watchdog};

/// One product: what `catalog/<product>.toml` holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Catalog {
    /// The package and what it says of itself.
    pub product: Product,
    /// Releases, newest first. The first one is the version that is built.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub release: Vec<Release>,
    /// What is asked of the machine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// Settings of the system's own programs and units, by the file that holds them: `/usr/lib/systemd/NAME.conf.d/FILE.conf`,
    /// `/usr/lib/systemd/system/UNIT.d/FILE.conf`, `/usr/lib/systemd/network/FILE.network`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub drop_in: IndexMap<String, DropIn>,
    /// System users that the services run as, by name. Each has a group of its own name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub account: IndexMap<String, Account>,
    /// System groups of people, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub group: IndexMap<String, Group>,
    /// What a machine can be (a robot, a developer's PC): each role is one environment file.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub role: IndexMap<String, Role>,
    /// Slices, by name: bounds for several services together.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub slice: IndexMap<String, Slice>,
    /// Directories that have to be there, by path.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub directory: IndexMap<String, Directory>,
    /// Configuration files below `/etc/<product>`, by path from there.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub config: IndexMap<String, Config>,
    /// Exclusive locks, by name: of the services that name one lock, one runs at a time.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub lock: IndexMap<String, Lock>,
    /// Kinds of service: fields that every service with `use = "<kind>"` starts from.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub default: IndexMap<String, Service>,
    /// The services, by the name that people type.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub service: IndexMap<String, Service>,
    /// Who may control which services without being an administrator. Nobody else may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permit: Vec<Permit>,
}

/// The package and what it says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Product {
    /// Short name: the prefix of the units, `/etc/<name>`, `/run/<name>`, `/usr/libexec/<name>`.
    pub name: String,
    /// Name of the .deb and .rpm package.
    pub package: String,
    /// One line, without an article at its start or a full stop at its end.
    pub summary: String,
    /// A few sentences; an empty line parts paragraphs.
    pub description: String,
    /// `Name <address>`.
    pub maintainer: String,
    /// SPDX expression.
    pub license: String,
    /// Copyright line, such as `2026 The Example Authors`.
    pub copyright: String,
    /// Web page of the product.
    pub homepage: String,
    /// Programs of this toolchain to pack into `/usr/libexec/<name>`: `run_stack`, `notify-helper`, ….
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// Those of the programs that people type: they get an entry in `/usr/bin`. Two products on one machine
    /// cannot both own a command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Packages needed beyond those that follow from the services.
    #[serde(default, skip_serializing_if = "Depends::is_empty")]
    pub depends: Depends,
}

/// Packages needed beyond those that follow from the services.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Depends {
    /// Debian relations, such as `python3 (>= 3.11)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deb: Vec<String>,
    /// RPM relations, such as `python3 >= 3.11`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rpm: Vec<String>,
}

impl Depends {
    fn is_empty(&self) -> bool {
        self.deb.is_empty() && self.rpm.is_empty()
    }
}

/// One release.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Release {
    /// `MAJOR.MINOR.PATCH`, optionally with a pre-release such as `-rc.1`.
    pub version: String,
    /// `YYYY-MM-DD`: the time stamp of everything in the package, so that two builds are the same bytes.
    pub date: String,
    /// What changed, one line each.
    pub changes: Vec<String>,
}

/// What a machine can be: an environment file `/etc/<product>/.env.<role>`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Role {
    /// When a machine has this role; written at the top of the file.
    pub description: String,
    /// The variables. `<PRODUCT>_ENV=<role>` is always the first one and is not written here.
    pub environment: IndexMap<String, Variable>,
}

/// A value, or a value with the reason for it, which is written into the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Variable {
    /// The value, literally: nothing is expanded in it.
    Value(String),
    /// The value and the reason for it.
    Explained(ExplainedVariable),
}

/// A value and the reason for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExplainedVariable {
    /// The value, literally: nothing is expanded in it.
    pub value: String,
    /// Why it is so; becomes a comment above the line.
    pub why: String,
}

/// An exclusive lock: a file in `/run/<product>`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lock {
    /// What must not happen twice at once.
    pub description: String,
}
