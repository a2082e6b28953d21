//! The product, and what is in its package besides services.

use serde::Serialize;

use super::environment::Role;
use super::name::package_version;
use super::payload::Payload;
use super::service::Service;
use crate::raw::{Manager, Power};

/// A product, ready to be rendered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Product {
    /// Short name, which starts the names of units.
    pub name: String,
    /// Name of the package.
    pub package: String,
    /// Summary in one line.
    pub summary: String,
    /// Paragraphs of the description.
    pub description: Vec<String>,
    /// `Name <address>`.
    pub maintainer: String,
    /// SPDX license expression.
    pub license: String,
    /// Copyright line.
    pub copyright: String,
    /// Web page of the product.
    pub homepage: String,
    /// Releases, newest first; at least one.
    pub releases: Vec<Release>,
    /// Folder of the programs.
    pub program_dir: String,
    /// Folder of the files that programs and people read.
    pub share_dir: String,
    /// Programs in `program_dir`.
    pub programs: Vec<String>,
    /// Programs that people type.
    pub commands: Vec<String>,
    /// Debian relations beyond those that follow from the services.
    pub depends_deb: Vec<String>,
    /// RPM relations beyond those that follow from the services.
    pub depends_rpm: Vec<String>,
    /// `RuntimeWatchdogSec=` of the system's service manager.
    pub hardware_watchdog: Option<String>,
    /// Settings of programs and units that belong to the system.
    pub drop_ins: Vec<DropIn>,
    /// System users.
    pub accounts: Vec<Account>,
    /// System groups of people.
    pub groups: Vec<Group>,
    /// Variable that holds the name of a machine's role.
    pub selector: String,
    /// Roles, each an environment file.
    pub roles: Vec<Role>,
    /// Lock files.
    pub locks: Vec<Lock>,
    /// Slices.
    pub slices: Vec<Slice>,
    /// Directories that systemd-tmpfiles creates.
    pub directories: Vec<Directory>,
    /// Configuration files.
    pub configs: Vec<Config>,
    /// Programs and files that the package brings.
    pub payloads: Vec<Payload>,
    /// Services in the catalog's order.
    pub services: Vec<Service>,
    /// User units of the services that are in both scopes.
    pub mirrors: Vec<Service>,
    /// Whether a unit runs `are-up`, to ask about other units.
    pub asks: bool,
    /// Rules for polkit.
    pub permits: Vec<Permit>,
    /// Service managers whose failed units alert people.
    pub alerts: Vec<Manager>,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Release {
    /// Version as written in the catalog.
    pub version: String,
    /// Date as `YYYY-MM-DD`.
    pub date: String,
    /// Date in the format of Debian changelogs.
    pub date_rfc2822: String,
    /// Start of that day, in seconds since 1970.
    pub epoch: u64,
    /// Changes, one line each.
    pub changes: Vec<String>,
}

/// A file with settings of a program or unit that belongs to the system.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DropIn {
    /// Path of the file.
    pub path: String,
    /// Reason for the settings.
    pub why: String,
    /// Sections, each with the names and values of its settings.
    pub sections: Vec<(String, Vec<(String, String)>)>,
}

/// A system user, and the group of the same name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// Description, as /etc/passwd holds it.
    pub description: String,
    /// Home directory.
    pub home: Option<String>,
    /// Login shell; none if the account cannot log in.
    pub shell: Option<String>,
    /// Additional groups, which are created.
    pub groups: Vec<String>,
    /// Additional groups that are never created.
    pub groups_if_present: Vec<String>,
    /// Whether its own service manager runs from boot on.
    pub linger: bool,
}

/// A slice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slice {
    /// Name of the unit.
    pub unit: String,
    /// Description in one line.
    pub description: String,
    /// Limits: name and value of each directive.
    pub limits: Vec<(String, String)>,
}

/// A directory that systemd-tmpfiles creates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Directory {
    /// Path of the directory.
    pub path: String,
    /// Owner, and the group of the same name.
    pub user: String,
    /// Mode in four digits.
    pub mode: String,
}

/// A configuration file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// Path of the file.
    pub path: String,
    /// Content of the file.
    pub text: String,
}

/// A system group of people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Name of the group.
    pub name: String,
    /// What its members may do.
    pub description: String,
}

/// A lock file. systemd-tmpfiles creates it, because a runtime directory that several services share would be
/// removed with the first of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lock {
    /// Name of the lock.
    pub name: String,
    /// Path of the file.
    pub path: String,
    /// What must not run twice at a time.
    pub description: String,
    /// Owner: the user of the services that take the lock.
    pub user: String,
    /// Group of those who may start these services.
    pub group: String,
}

/// A rule for polkit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Permit {
    /// Purpose of the rule.
    pub why: String,
    /// Group whose members it is for, unless it is for `user`.
    pub group: Option<String>,
    /// User that it is for, unless it is for `group`.
    pub user: Option<String>,
    /// Exact names of units.
    pub units: Vec<String>,
    /// Templates, as `name@.service`, of which every instance is covered.
    pub templates: Vec<String>,
    /// Verbs as systemd passes them to polkit.
    pub verbs: Vec<String>,
    /// Actions on the machine itself.
    pub powers: Vec<Power>,
}

impl Release {
    /// Returns the version as dpkg and rpm write it: a pre-release sorts before the release.
    pub fn package_version(&self) -> String {
        package_version(&self.version)
    }
}

impl Product {
    /// Returns every unit: those of the services, and the user units of services in both scopes.
    pub fn units(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().chain(&self.mirrors)
    }

    /// Returns the release that is built.
    pub fn release(&self) -> &Release {
        self.releases.first().expect("a validated product has a release")
    }
}

impl Permit {
    /// Tells whether this permit is for a unit, or for every instance of a template.
    pub fn covers(&self, unit: &str) -> bool {
        self.units.iter().chain(&self.templates).any(|u| u == unit)
    }
}
