//! The product, and what is in its package besides services.

use serde::Serialize;

use super::environment::Role;
use super::name::package_version;
use super::service::Service;
use crate::raw::{Manager, Power};

/// A product, ready to be rendered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Product {
    /// Short name.
    pub name: String,
    /// Name of the package.
    pub package: String,
    /// One line.
    pub summary: String,
    /// Paragraphs.
    pub description: Vec<String>,
    /// `Name <address>`.
    pub maintainer: String,
    /// SPDX expression.
    pub license: String,
    /// Copyright line.
    pub copyright: String,
    /// Web page.
    pub homepage: String,
    /// Newest first, at least one.
    pub releases: Vec<Release>,
    /// Where its programs are installed.
    pub program_dir: String,
    /// Where what programs and people read is installed.
    pub share_dir: String,
    /// Programs in `program_dir`.
    pub programs: Vec<String>,
    /// Those that people type.
    pub commands: Vec<String>,
    /// Debian relations beyond those that follow from the services.
    pub depends_deb: Vec<String>,
    /// RPM relations likewise.
    pub depends_rpm: Vec<String>,
    /// `RuntimeWatchdogSec=` of the system's manager.
    pub hardware_watchdog: Option<String>,
    /// Settings of what is not the product's.
    pub drop_ins: Vec<DropIn>,
    /// Users.
    pub accounts: Vec<Account>,
    /// Groups of people.
    pub groups: Vec<Group>,
    /// Variable that names a machine's role in a shell.
    pub selector: String,
    /// Environment files.
    pub roles: Vec<Role>,
    /// Lock files.
    pub locks: Vec<Lock>,
    /// Bounds for several services together.
    pub slices: Vec<Slice>,
    /// Directories that have to be there.
    pub directories: Vec<Directory>,
    /// Configuration files.
    pub configs: Vec<Config>,
    /// In the catalog's order.
    pub services: Vec<Service>,
    /// Those of them that are in both scopes, as a user's own.
    pub mirrors: Vec<Service>,
    /// Whether a unit asks about others (`are-up`).
    pub asks: bool,
    /// Rules of polkit.
    pub permits: Vec<Permit>,
    /// Where its services' failures are told to people.
    pub alerts: Vec<Manager>,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Release {
    /// As written.
    pub version: String,
    /// As written, `YYYY-MM-DD`.
    pub date: String,
    /// The same moment in the form of a Debian changelog.
    pub date_rfc2822: String,
    /// Seconds since 1970 of that day's start.
    pub epoch: u64,
    /// One line each.
    pub changes: Vec<String>,
}

/// A file with settings of a program or unit that is not the product's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DropIn {
    /// Where it is.
    pub path: String,
    /// Why it is there.
    pub why: String,
    /// Sections, each with its lines: name and value.
    pub sections: Vec<(String, Vec<(String, String)>)>,
}

/// A system user, and the group of the same name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// Who this is.
    pub description: String,
    /// Home directory, if there is one.
    pub home: Option<String>,
    /// Login shell, if logging in is possible.
    pub shell: Option<String>,
    /// Further groups.
    pub groups: Vec<String>,
    /// Groups that it belongs to where they exist.
    pub groups_if_present: Vec<String>,
    /// Whether its own manager runs from boot on.
    pub linger: bool,
}

/// A slice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slice {
    /// The name of its unit.
    pub unit: String,
    /// One line.
    pub description: String,
    /// Its bounds: name and value of each directive.
    pub limits: Vec<(String, String)>,
}

/// A directory that has to be there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Directory {
    /// Where it is.
    pub path: String,
    /// Whom it belongs to, and the group of that name.
    pub user: String,
    /// Its mode, four digits.
    pub mode: String,
}

/// A configuration file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// Where it is.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// A group of people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What its members may do.
    pub description: String,
}

/// A lock file, which tmpfiles.d makes: a directory that several services made would vanish with the first of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lock {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// What must not happen twice.
    pub description: String,
    /// Who may take it: the user of the services …
    pub user: String,
    /// … and the group of those who may start them.
    pub group: String,
}

/// A rule of polkit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Permit {
    /// What it is for.
    pub why: String,
    /// Members of this group …
    pub group: Option<String>,
    /// … or this user.
    pub user: Option<String>,
    /// Exact names of units …
    pub units: Vec<String>,
    /// … and templates, any instance of which is meant: `name@.service`.
    pub templates: Vec<String>,
    /// Verbs as systemd tells them to polkit.
    pub verbs: Vec<String>,
    /// What they may do to the machine.
    pub powers: Vec<Power>,
}

impl Release {
    /// The version as dpkg and rpm write it: a pre-release sorts before the release.
    pub fn package_version(&self) -> String {
        package_version(&self.version)
    }
}

impl Product {
    /// Every unit: the services, and those that are a user's own as well.
    pub fn units(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().chain(&self.mirrors)
    }

    /// The release that is built.
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
