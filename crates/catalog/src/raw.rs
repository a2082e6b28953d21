//! The catalog as it is written: one TOML file per product, deserialized into plain types.
//!
//! The doc comments are the reference of the format: `cargo xtask schema` turns them into the JSON Schema that editors
//! show, that [`crate::structure`] checks a file against, and whose first sentences are part of error messages. Fields
//! are named after the systemd directives that they become.

mod boot;
mod bounds;
mod directive;
mod failure;
mod guard;
mod instances;
mod machine;
mod payload;
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
pub use payload::{Binary, Cargo, Files, Payload, Python, SomeFiles};
pub use permit::{Permit, Power, Verb};
pub use service::{Manager, Scope, Service, ServiceType, Session, Setup};
pub use watch::{Answer, Ready, Watchdog};

/// One product: the content of `catalog/<product>.toml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Catalog {
    /// Table that describes the product and its package.
    pub product: Product,
    /// Releases, newest first. The first one is the version that is built; at least one is required.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub release: Vec<Release>,
    /// Settings of the machine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// Settings of programs and units that belong to the system, by the path of the file that holds them:
    /// `/usr/lib/systemd/NAME.conf.d/FILE.conf`, `/usr/lib/systemd/system/UNIT.d/FILE.conf` or
    /// `/usr/lib/systemd/network/FILE.network`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub drop_in: IndexMap<String, DropIn>,
    /// System users that services run as, by name. Each has a group of the same name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub account: IndexMap<String, Account>,
    /// System groups of people, by name. A `permit` says what their members may do.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub group: IndexMap<String, Group>,
    /// What a machine can be, by name, such as a robot or a developer's PC. Each role is one environment file,
    /// which the services with `role = "<name>"` load.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub role: IndexMap<String, Role>,
    /// Slices, by name: limits that several services share.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub slice: IndexMap<String, Slice>,
    /// Directories that systemd-tmpfiles creates, by path.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub directory: IndexMap<String, Directory>,
    /// Configuration files, by their path below `/etc/<product>`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub config: IndexMap<String, Config>,
    /// Programs and files that the package brings, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub payload: IndexMap<String, Payload>,
    /// Locks, by name. Of the services that name the same lock, one runs at a time.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub lock: IndexMap<String, Lock>,
    /// Kinds of service, by name: fields that every service with `use = "<kind>"` starts from.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub default: IndexMap<String, Service>,
    /// Services, by the name that people type. The unit of a service is `<product>-<name>.service`; a service with
    /// the name of the product has the unit `<product>.service`. At least one is required.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub service: IndexMap<String, Service>,
    /// Permits: who may control which services without being an administrator. Without a permit, only
    /// administrators may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permit: Vec<Permit>,
}

/// A product and its package.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Product {
    /// Short name of the product: it starts the names of all units, and names `/etc/<name>`, `/run/<name>` and
    /// `/usr/libexec/<name>`. At most 31 lowercase letters, digits and hyphens.
    pub name: String,
    /// Name of the .deb and .rpm package, such as `demo-services`.
    pub package: String,
    /// Summary of at most 80 characters, without an article at the start or a period at the end.
    pub summary: String,
    /// A few sentences about the product. An empty line separates paragraphs.
    pub description: String,
    /// Name and email address, as `Name <name@example.org>`.
    pub maintainer: String,
    /// SPDX license expression, such as `MIT OR Apache-2.0`.
    pub license: String,
    /// Copyright line, such as `2026 The Example Authors`.
    pub copyright: String,
    /// Web page of the product, such as `https://example.org/demo`.
    pub homepage: String,
    /// Programs of this toolchain to install in `/usr/libexec/<name>`, such as `run_stack` or `notify-helper`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// Programs of `programs` that people type: they are installed in `/usr/bin` as well. Two products on one
    /// machine cannot have the same command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Packages that the product needs beyond those that its services imply.
    #[serde(default, skip_serializing_if = "Depends::is_empty")]
    pub depends: Depends,
}

/// Packages that the product needs beyond those that its services imply.
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

/// A release.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Release {
    /// Version, as `MAJOR.MINOR.PATCH`, optionally with a pre-release such as `-rc.1`.
    pub version: String,
    /// Date of the release, as `YYYY-MM-DD`. Every file in the package gets this date, so that two builds are
    /// identical.
    pub date: String,
    /// Changes in this release, one line each.
    pub changes: Vec<String>,
}

/// A role: the environment file `/etc/<product>/.env.<role>`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Role {
    /// Description of the machines that have this role. It is the comment at the top of the file.
    pub description: String,
    /// Variables of the role, by name. The variable `<PRODUCT>_ENV`, which holds the name of the role, is added
    /// automatically.
    pub environment: IndexMap<String, Variable>,
}

/// The value of a variable, or a table with the value and the reason for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Variable {
    /// The value, taken literally: nothing in it is expanded.
    Value(String),
    /// The value and the reason for it.
    Explained(ExplainedVariable),
}

/// The value of a variable and the reason for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExplainedVariable {
    /// Value of the variable, taken literally: nothing in it is expanded.
    pub value: String,
    /// Reason for the value. It is the comment above the line.
    pub why: String,
}

/// A lock: the file `/run/<product>/<lock>.lock`, which a launched service holds while it runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lock {
    /// What must not run twice at a time, such as `One stack drives the motors`.
    pub description: String,
}
