//! The repository of .rpm packages: takes what is published and what is new, signs new packages, makes the lists of a
//! suite and `repomd.xml`, the one file that says which lists count.
//!
//! What is published is what `repomd.xml` names; nothing else is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};

use super::key::Key;
use super::pack;
use super::publication::{Moment, Publication, Version};
use super::repodata::{self, Entries, Place};
use super::signature;
use super::site::Site;
use crate::package::{Package, sha256};
use crate::rpm::{self, Rpm};

const LISTS: [&str; 3] = ["primary", "filelists", "other"];
const END: &str = "</package>\n";

/// The packages of a suite, before they are published, by the name of their file.
#[derive(Debug, Default)]
pub(super) struct Dnf {
    packages: BTreeMap<String, Entries>,
    /// Files of lists that the published state names.
    published: BTreeSet<String>,
}

impl Dnf {
    /// Reads what is published.
    pub(super) fn read(site: &Site, suite: &str) -> Result<Dnf> {
        let dir = dir(suite);
        let Some(index) = site.read(&format!("{dir}/repodata/repomd.xml"))? else {
            return Ok(Dnf::default());
        };
        let index =
            String::from_utf8(index).with_context(|| format!("`{dir}/repodata/repomd.xml`: is no text"))?;
        let mut texts = Vec::new();
        let mut published = BTreeSet::new();
        for list in LISTS {
            let known = index.split_once(&format!("<data type=\"{list}\">")).and_then(|(_, rest)| {
                Some((
                    between(rest, "<location href=\"", "\"")?,
                    between(rest, "<checksum type=\"sha256\">", "<")?,
                ))
            });
            let (href, hash) =
                known.with_context(|| format!("`{dir}/repodata/repomd.xml`: names no {list}"))?;
            let bytes = site.read(&format!("{dir}/{href}"))?.unwrap_or_default();
            ensure!(
                sha256(&bytes) == hash,
                "`{dir}/{href}`: is not what was published: restore it from a copy"
            );
            texts.push(pack::ungz(&bytes).with_context(|| format!("`{dir}/{href}`"))?);
            published.insert(href.trim_start_matches("repodata/").to_owned());
        }
        // The three lists have the same packages in the same order.
        let [primary, filelists, other] = [0, 1, 2].map(|i| chunks(&texts[i]));
        ensure!(
            primary.len() == filelists.len() && primary.len() == other.len(),
            "`{dir}/repodata`: the lists differ in their packages: restore them from a copy"
        );
        let mut packages = BTreeMap::new();
        for ((primary, filelists), other) in primary.into_iter().zip(filelists).zip(other) {
            let href = between(primary, "<location href=\"", "\"").context("a package without a file")?;
            let file = href.trim_start_matches("packages/").to_owned();
            let [primary, filelists, other] = [primary, filelists, other].map(str::to_owned);
            packages.insert(file, Entries { primary, filelists, other });
        }
        Ok(Dnf { packages, published })
    }

    /// Adds a package: signs it and puts it into place; nothing is done for one that is there.
    pub(super) fn add(
        &mut self,
        publication: &Publication<'_>,
        suite: &str,
        dist: &Path,
        package: &Package,
    ) -> Result<()> {
        let file = &package.file;
        let path = dist.join(file);
        let bytes = fs::read(&path).with_context(|| format!("`{}`: cannot be read", path.display()))?;
        let href = format!("packages/{file}");
        let place = format!("{}/{href}", dir(suite));
        let broken = || format!("`{}`: is no rpm that can be read", path.display());
        if self.packages.contains_key(file) {
            let there = publication.site.read(&place)?.unwrap_or_default();
            // Signing changes what is before the main header; that names the digest of what is behind it.
            let same = Rpm::parse(&there)
                .is_ok_and(|there| Rpm::parse(&bytes).is_ok_and(|given| given.header == there.header));
            ensure!(
                same,
                "`{file}`: was published with other content, and clients have that: give the release a new version"
            );
            return Ok(());
        }
        ensure!(
            sha256(&bytes) == package.sha256,
            "`{}`: is not what manifest.json lists: run `cargo xtask dist` again",
            path.display()
        );
        let time = publication.moment.signed(publication.keys)?;
        let signed = rpm::signed(&bytes, |header| signature::binary(&publication.keys[0], time, header))
            .with_context(broken)?;
        publication.site.put(&place, &signed)?;
        let now = publication.moment.now;
        let times = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(now));
        File::open(publication.site.path(&place))?.set_times(times)?;
        let hash = sha256(&signed);
        let place = Place { href: &href, sha256: &hash, size: signed.len(), time: now };
        let parsed = Rpm::parse(&signed).with_context(broken)?;
        self.packages.insert(file.clone(), repodata::entries(&parsed, &place)?);
        Ok(())
    }

    /// Takes a version out of the lists; says whether it was there.
    pub(super) fn withdraw(&mut self, version: &Version) -> bool {
        let before = self.packages.len();
        self.packages.retain(|_, entries| version_of(entries).as_ref() != Some(version));
        self.packages.len() != before
    }

    /// Whether a version is there.
    pub(super) fn has(&self, version: &Version) -> bool {
        self.packages.values().any(|entries| version_of(entries).as_ref() == Some(version))
    }

    /// Names of the packages.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.packages.values().filter_map(|entries| version_of(entries).map(|version| version.name)).collect()
    }

    /// Every version that is there, with the processors that it is for.
    pub(super) fn versions(&self) -> BTreeMap<Version, BTreeSet<String>> {
        let mut versions: BTreeMap<Version, BTreeSet<String>> = BTreeMap::new();
        for entries in self.packages.values() {
            let processor = between(&entries.primary, "<arch>", "<").unwrap_or_default();
            if let Some(version) = version_of(entries) {
                versions.entry(version).or_default().insert(processor.to_owned());
            }
        }
        versions
    }

    /// Names of the files of packages.
    pub(super) fn files(&self) -> BTreeSet<String> {
        self.packages.keys().cloned().collect()
    }

    /// Publishes: lists, what says that they count, and its signature, in a folder that then takes the place of the
    /// one before in one step. Clients read the last two one after the other: who does in this very moment sees a
    /// wrong signature, changes nothing, and finds both right the next time.
    pub(super) fn publish(&self, publication: &Publication<'_>, suite: &str) -> Result<()> {
        let site = publication.site;
        let dir = dir(suite);
        let (place, fresh) = (format!("{dir}/repodata"), format!("{dir}/repodata.new"));
        site.clear(&fresh)?;
        let Moment { now, .. } = publication.moment;
        let mut index = format!("{HEAD}<repomd {COMMON} {RPM}>\n  <revision>{now}</revision>\n");
        let mut kept = BTreeSet::new();
        for (list, text, packed) in self.packed()? {
            let (hash, open) = (sha256(&packed), sha256(text.as_bytes()));
            let file = format!("{hash}-{list}.xml.gz");
            site.put(&format!("{fresh}/{file}"), &packed)?;
            let _ = write!(
                index,
                "  <data type=\"{list}\">\n    <checksum type=\"sha256\">{hash}</checksum>\n    \
                 <open-checksum type=\"sha256\">{open}</open-checksum>\n    \
                 <location href=\"repodata/{file}\"/>\n    <timestamp>{now}</timestamp>\n    \
                 <size>{}</size>\n    <open-size>{}</open-size>\n  </data>\n",
                packed.len(),
                text.len()
            );
            kept.insert(file);
        }
        index.push_str("</repomd>\n");
        let time = publication.moment.signed(publication.keys)?;
        // One signature: newer dnfs read no second one.
        let signature = signature::detached(&publication.keys[..1], time, index.as_bytes())?;
        site.put(&format!("{fresh}/repomd.xml.key"), Key::public(publication.keys).as_bytes())?;
        site.put_index(&format!("{fresh}/repomd.xml.asc"), signature.as_bytes(), publication.moment)?;
        site.put_index(&format!("{fresh}/repomd.xml"), index.as_bytes(), publication.moment)?;
        for file in ["repomd.xml", "repomd.xml.asc", "repomd.xml.key"] {
            kept.insert(file.to_owned());
        }
        // Lists of before, for who has read what named them.
        site.prune(&place, &kept, &self.published)?;
        for file in site.names(&place)?.iter().filter(|file| !kept.contains(*file)) {
            site.link(&format!("{place}/{file}"), &format!("{fresh}/{file}"))?;
        }
        site.replace_folder(&place, &fresh)
    }

    /// Links every package into a suite that is kept for ever.
    pub(super) fn link(&self, site: &Site, suite: &str, snapshot: &str) -> Result<()> {
        for file in self.packages.keys() {
            let [from, to] = [suite, snapshot].map(|suite| format!("{}/packages/{file}", dir(suite)));
            site.link(&from, &to)?;
        }
        Ok(())
    }

    /// Removes packages that no list has named for a day.
    pub(super) fn prune(&self, site: &Site, suite: &str, before: &BTreeSet<String>) -> Result<()> {
        site.prune(&format!("{}/packages", dir(suite)), &self.files(), before)
    }

    /// The lists, plain and compressed, side by side.
    fn packed(&self) -> Result<Vec<(&'static str, String, Vec<u8>)>> {
        thread::scope(|scope| {
            let jobs: Vec<_> = LISTS
                .iter()
                .map(|list| {
                    scope.spawn(move || {
                        let text = self.list(list);
                        let packed = pack::gz(text.as_bytes())?;
                        Ok((*list, text, packed))
                    })
                })
                .collect();
            jobs.into_iter()
                .map(|job| job.join().map_err(|_| anyhow!("a compressor's thread died"))?)
                .collect()
        })
    }

    fn list(&self, list: &str) -> String {
        let count = self.packages.len();
        let (open, close) = match list {
            "primary" => (format!("<metadata {COMMON_OF} {RPM} packages=\"{count}\">\n"), "</metadata>"),
            "filelists" => (format!("<filelists {FILES} packages=\"{count}\">\n"), "</filelists>"),
            _ => (format!("<otherdata {OTHER} packages=\"{count}\">\n"), "</otherdata>"),
        };
        let mut text = HEAD.to_owned() + &open;
        for entries in self.packages.values() {
            text.push_str(match list {
                "primary" => &entries.primary,
                "filelists" => &entries.filelists,
                _ => &entries.other,
            });
        }
        text + close
    }
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const COMMON: &str = "xmlns=\"http://linux.duke.edu/metadata/repo\"";
const COMMON_OF: &str = "xmlns=\"http://linux.duke.edu/metadata/common\"";
const FILES: &str = "xmlns=\"http://linux.duke.edu/metadata/filelists\"";
const OTHER: &str = "xmlns=\"http://linux.duke.edu/metadata/other\"";
const RPM: &str = "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\"";

fn dir(suite: &str) -> String {
    format!("rpm/{suite}")
}

/// A list's packages.
fn chunks(text: &str) -> Vec<&str> {
    let start = text.find("<package ").unwrap_or(text.len());
    text[start..].split_inclusive(END).filter(|chunk| chunk.ends_with(END)).collect()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    Some(rest.split_once(end)?.0)
}

fn version_of(entries: &Entries) -> Option<Version> {
    let name = between(&entries.primary, "<name>", "<")?.to_owned();
    let version = between(&entries.primary, " ver=\"", "\"")?.to_owned();
    Some(Version { name, version })
}
