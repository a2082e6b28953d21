//! The package that brings keys and sources, so that a change of keys is an upgrade: takes a description and keys,
//! makes a .deb and an .rpm of data only, by the ordinary toolchain.
//!
//! It owns the very files that a person fetches to begin with, byte by byte: a package manager replaces a
//! configuration file that nobody has changed without asking.

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
use workspace::target::{self, Target};

use super::description::Description;
use super::key::Key;
use super::state::Keyring;
use super::version::Version;

/// What machines get of a repository.
pub(super) struct Sources {
    /// The name that their files have.
    pub(super) stem: String,
    /// apt's file.
    pub(super) apt: String,
    /// dnf's file.
    pub(super) rpm: String,
    /// The keys.
    pub(super) keys: String,
    unattended: String,
    automatic: String,
}

impl Sources {
    /// Of a suite; `packages` are the names that are upgraded where somebody asks for that.
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

    /// The version of the package for these: that of before, or the next one.
    pub(super) fn version(&self, earlier: &Keyring, now: u64) -> Keyring {
        let all = [&self.stem, &self.apt, &self.rpm, &self.keys, &self.unattended, &self.automatic];
        let all: Vec<&str> = all.iter().map(|text| text.as_str()).collect();
        let sha256 = sha256(all.join("\0").as_bytes());
        if sha256 == earlier.sha256 {
            return earlier.clone();
        }
        Keyring { version: earlier.version + 1, sha256, date: Date::from_epoch(now).iso() }
    }

    /// The packages, in a folder for intermediate files.
    pub(super) fn packages(
        &self,
        workspace: &Workspace,
        r: &Description,
        keyring: &Keyring,
    ) -> Result<(PathBuf, Vec<Package>)> {
        let product = product(r, keyring);
        let _turn = workspace.turn()?;
        let dir = workspace.target_dir().join("stage").join(&product.package);
        let dist = dir.join("dist");
        std::fs::create_dir_all(&dist)?;
        let pack = |format: Format, folder: &str| {
            let tree = stage::compress(self.tree(r, &product, format))?;
            let stage = pack::stage_tree(&product, tree, &dir.join(folder))?;
            pack::pack(&product, EVERY, format, &stage, &dist)
        };
        let packages = vec![pack(Format::Deb, "apt")?, pack(Format::Rpm, "dnf")?];
        Ok((dist, packages))
    }

    fn tree(&self, r: &Description, product: &Product, format: Format) -> Tree {
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

/// Nothing in it is for one processor; cargo is asked for the first one that there is.
const EVERY: Target = Target { triple: target::ALL[0].triple, deb: "all", rpm: "noarch" };

/// Name of the package.
pub(super) fn name(r: &Description) -> String {
    format!("{}-repository", r.name)
}

/// The package's present version.
pub(super) fn version(r: &Description, keyring: &Keyring) -> Version {
    Version { name: name(r), version: format!("{}.0.0", keyring.version) }
}

/// Name of the files of a suite: the one that most people use has the repository's own.
pub(super) fn stem(r: &Description, suite: &str) -> String {
    if suite == super::SUITE { r.name.clone() } else { format!("{}-{suite}", r.name) }
}

fn product(r: &Description, keyring: &Keyring) -> Product {
    let package = name(r);
    let date = Date::parse(&keyring.date).unwrap_or_else(|| Date::from_epoch(0));
    Product {
        name: package.clone(),
        summary: format!("keys and sources of {}'s repository", r.name),
        description: vec![
            format!("Says where the packages of {} come from, and by which keys they are signed.", r.name),
            "A change of keys reaches machines as an upgrade of this package.".to_owned(),
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
            changes: vec!["Keys and sources as of this day.".to_owned()],
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
        services: Vec::new(),
        mirrors: Vec::new(),
        asks: false,
        alerts: Vec::new(),
        permits: Vec::new(),
        package,
    }
}
