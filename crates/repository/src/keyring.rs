//! The keyring package: takes a description and keys, and makes a .deb and an .rpm with the keys and the sources of a
//! repository. Machines get new keys as an upgrade of this package.
//!
//! The package owns the same files that a user downloads to set up the repository, with the same bytes. A package
//! manager replaces an unchanged configuration file without asking.

use std::path::PathBuf;

use anyhow::Result;
use base::date::Date;
use catalog::model::{Product, Release, program_dir};
use common::checksum::sha256;
use minijinja::context;
use package::pack::{self, Format, Package};
use package::tree::Tree;
use package::{render, stage};
use workspace::Workspace;
use workspace::target::EVERY;

use super::description::Description;
use super::key::Key;
use super::state::Keyring;
use super::version::Version;

/// The files that a machine needs to use a repository.
pub(super) struct Sources {
    /// File name without an extension.
    pub(super) stem: String,
    /// apt's `.sources` file.
    pub(super) apt: String,
    /// dnf's `.repo` file.
    pub(super) rpm: String,
    /// Public keys, armored.
    pub(super) keys: String,
    unattended: String,
    automatic: String,
}

impl Sources {
    /// Renders the files of a suite. `packages` are the packages that unattended upgrades include once enabled.
    pub(super) fn new(r: &Description, suite: &str, keys: &[Key], packages: &[String]) -> Sources {
        let stem = stem(r, suite);
        let public = Key::public(keys);
        let key: Vec<&str> = public.lines().collect();
        let values = context! { r, suite, stem, key, packages };
        let text = |template: &str| render::text(&format!("packaging/repo/{template}"), values.clone());
        Sources {
            apt: text("name.sources"),
            rpm: text("name.repo"),
            unattended: text("unattended-upgrades.conf"),
            automatic: text("dnf-automatic.conf"),
            keys: public,
            stem,
        }
    }

    /// Returns the version of the keyring package: the earlier one if no file changed, otherwise the next one.
    pub(super) fn version(&self, earlier: &Keyring, now: u64) -> Keyring {
        let all = [&self.stem, &self.apt, &self.rpm, &self.keys, &self.unattended, &self.automatic];
        let all: Vec<&str> = all.iter().map(|text| text.as_str()).collect();
        let sha256 = sha256(all.join("\0").as_bytes());
        if sha256 == earlier.sha256 {
            return earlier.clone();
        }
        Keyring { version: earlier.version + 1, sha256, date: Date::from_epoch(now).iso() }
    }

    /// Makes the packages in a folder for intermediate files; returns that folder too.
    pub(super) fn packages(
        &self,
        workspace: &Workspace,
        r: &Description,
        keyring: &Keyring,
    ) -> Result<(PathBuf, Vec<Package>)> {
        let product = describe_product(r, keyring);
        let _turn = workspace.turn()?;
        let dir = workspace.target_dir().join("stage").join(&product.package);
        let dist = dir.join("dist");
        std::fs::create_dir_all(&dist)?;
        let pack = |format: Format, folder: &str| {
            let tree = stage::compress(self.render(r, &product, format))?;
            let contents = pack::collect_tree(&product, tree, &dir.join(folder))?;
            pack::pack(&product, EVERY, format, &contents, &dist)
        };
        let packages = vec![pack(Format::Deb, "apt")?, pack(Format::Rpm, "dnf")?];
        Ok((dist, packages))
    }

    fn render(&self, r: &Description, product: &Product, format: Format) -> Tree {
        let mut tree = render::documents(product);
        let (stem, share) = (&self.stem, &product.share_dir);
        if format == Format::Deb {
            let overrides = render::text("packaging/repo/lintian-overrides", context! { r });
            tree.add("deb/lintian-overrides".to_owned(), 0o644, overrides);
        }
        let mut add = |path: String, text: &str| tree.add(format!("root{path}"), 0o644, text);
        add(format!("{share}/{stem}.asc"), &self.keys);
        match format {
            Format::Deb => {
                add(format!("/etc/apt/sources.list.d/{stem}.sources"), &self.apt);
                add(format!("{share}/unattended-upgrades.conf"), &self.unattended);
            }
            Format::Rpm => {
                add(format!("/etc/yum.repos.d/{stem}.repo"), &self.rpm);
                add(format!("{share}/dnf-automatic.conf"), &self.automatic);
            }
        }
        tree
    }
}

/// Returns the name of the keyring package.
pub(super) fn name(r: &Description) -> String {
    format!("{}-repository", r.name)
}

/// Returns the current version of the keyring package.
pub(super) fn version(r: &Description, keyring: &Keyring) -> Version {
    Version { name: name(r), version: format!("{}.0.0", keyring.version) }
}

/// Returns the base name of a suite's files; the default suite uses the repository's name alone.
pub(super) fn stem(r: &Description, suite: &str) -> String {
    if suite == super::SUITE { r.name.clone() } else { format!("{}-{suite}", r.name) }
}

fn describe_product(r: &Description, keyring: &Keyring) -> Product {
    let package = name(r);
    let date = Date::parse(&keyring.date).unwrap_or_else(|| Date::from_epoch(0));
    Product {
        name: package.clone(),
        summary: format!("keys and sources of {}'s repository", r.name),
        description: vec![
            format!("Configures the package repository of {} and installs its signing keys.", r.name),
            "An upgrade of this package installs new keys.".to_owned(),
        ],
        maintainer: r.maintainer.clone(),
        license: r.license.clone(),
        copyright: r.copyright.clone(),
        homepage: r.homepage.clone(),
        releases: vec![Release {
            version: version(r, keyring).version,
            date: keyring.date.clone(),
            date_rfc2822: date.rfc2822(),
            epoch: date.epoch(),
            changes: vec!["Update keys and sources.".to_owned()],
        }],
        program_dir: program_dir(&package),
        share_dir: format!("/usr/share/{package}"),
        programs: Vec::new(),
        commands: Vec::new(),
        depends_deb: Vec::new(),
        depends_rpm: Vec::new(),
        hardware_watchdog: None,
        drop_ins: Vec::new(),
        accounts: Vec::new(),
        groups: Vec::new(),
        selector: String::new(),
        roles: Vec::new(),
        locks: Vec::new(),
        slices: Vec::new(),
        directories: Vec::new(),
        configs: Vec::new(),
        payloads: Vec::new(),
        services: Vec::new(),
        mirrors: Vec::new(),
        asks: false,
        alerts: Vec::new(),
        permits: Vec::new(),
        package,
    }
}
