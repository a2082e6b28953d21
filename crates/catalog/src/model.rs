//! A product that can be rendered: takes a catalog's text, makes a [`Product`] in which every reference is resolved
//! and every value fits the file that it goes into, or says everything that is wrong.
//!
//! Decisions are taken here, so that templates hold nothing but loops and presence tests.

mod alert;
mod bounds;
mod command;
mod drop_in;
mod facts;
mod hatch;
mod instances;
mod machine;
mod order;
mod permit;
mod place;
mod product;
mod readiness;
mod reference;
mod resolve;
mod service;
mod socket;
mod surroundings;
mod tasks;
mod unit;

use std::sync::LazyLock;

use serde::Serialize;

use crate::finding::Findings;
use crate::raw::{Catalog, Manager, Power};
use crate::setting::{self, Setting, Written};
use crate::source::Source;
use crate::{schema, structure};
pub use service::{LAUNCHER, unit_name};
pub use unit::{Directives, Instance, Instances, Relations, Service, Socket};

/// Where a product's programs are installed: each product has its own, so that two on one machine do not meet.
pub fn program_dir(product: &str) -> String {
    format!("/usr/libexec/{product}")
}

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

/// An environment file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// When a machine has it.
    pub description: String,
    /// Path of its file.
    pub file: String,
    /// In the catalog's order; the selector is not among them.
    pub variables: Vec<Variable>,
}

/// A line of an environment file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The value as it stands in the file, quoted where that is needed.
    pub quoted: String,
    /// Why it is so.
    pub why: Option<String>,
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

/// It is the same for every catalog.
static SCHEMA: LazyLock<serde_json::Value> = LazyLock::new(schema::schema);

impl Release {
    /// The version as dpkg and rpm write it: a pre-release sorts before the release.
    pub fn package_version(&self) -> String {
        package_version(&self.version)
    }
}

/// A version as dpkg and rpm write it: a pre-release sorts before the release.
pub fn package_version(version: &str) -> String {
    version.replacen('-', "~", 1)
}

impl Product {
    /// Reads and validates a catalog; `file` is its name in messages, `programs` are those that can be packed.
    pub fn read(file: &str, text: &str, programs: &[String]) -> Result<Product, Findings> {
        Product::read_with(file, text, programs, &[])
    }

    /// The same, with what a site has otherwise.
    pub fn read_with(
        file: &str,
        text: &str,
        programs: &[String],
        settings: &[Setting],
    ) -> Result<Product, Findings> {
        let mut findings = Findings::of(file);
        let mut source = Source::parse(text, &mut findings);
        findings = findings.or(()).map(|()| Findings::of(file))?;
        structure::check(&source, &SCHEMA, &mut findings);
        findings = findings.or(()).map(|()| Findings::of(file))?;
        let read =
            toml::from_str::<toml::Table>(text).and_then(|t| Ok((toml::from_str::<Catalog>(text)?, t)));
        let (mut catalog, mut text) = match read {
            Ok(read) => read,
            Err(error) => {
                findings.add(1, error.to_string().replace('\n', " "));
                return Err(findings);
            }
        };
        if !settings.is_empty() {
            let services = resolve::whole(&catalog, &text);
            let mut written =
                Written { table: &mut text, source: &mut source, catalog: &catalog, services: &services };
            setting::apply(settings, &mut written, &SCHEMA, &mut findings);
            structure::check(&source, &SCHEMA, &mut findings);
            findings = findings.or(()).map(|()| Findings::of(file))?;
            catalog = text.clone().try_into().expect("what the schema accepts is a catalog");
        }
        let product = product::build(&catalog, &text, &source, programs, &mut findings);
        findings.or(product)
    }

    /// Every unit: the services, and those that are a user's own as well.
    pub fn units(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().chain(&self.mirrors)
    }

    /// The release that is built.
    pub fn release(&self) -> &Release {
        self.releases.first().expect("a validated product has a release")
    }
}
