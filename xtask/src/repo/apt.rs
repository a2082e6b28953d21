//! The repository of .deb packages: takes what is published and what is new, makes the indices of a suite and its
//! signed `InRelease`, the one file that says which state counts.
//!
//! What is published is what the last `InRelease` names, file by file by its hash; nothing else is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

use super::pack;
use super::publication::{Moment, Publication, Version};
use super::signature;
use super::site::Site;
use super::stanza::{Stanza, stanzas};
use crate::package::{Package, sha256};
use crate::target;
use crate::{date, deb};

/// An index in its three forms: name of the file, content.
type Files = [(&'static str, Vec<u8>); 3];

const PHASE: &str = "Phased-Update-Percentage";
const EVERY: &str = "all";

/// The packages of a suite, before they are published: for each processor, paragraphs by the name of their file.
#[derive(Debug, Default)]
pub(super) struct Apt {
    indices: BTreeMap<String, BTreeMap<String, String>>,
    /// Hashes that the published state names, by folder.
    published: BTreeMap<String, BTreeSet<String>>,
}

impl Apt {
    /// Reads what is published.
    pub(super) fn read(site: &Site, suite: &str) -> Result<Apt> {
        let mut apt = Apt::default();
        for target in target::ALL {
            apt.indices.insert(target.deb.to_owned(), BTreeMap::new());
        }
        let dir = dir(suite);
        let Some(release) = site.read(&format!("{dir}/InRelease"))? else { return Ok(apt) };
        let release = String::from_utf8(release).with_context(|| format!("`{dir}/InRelease`: is no text"))?;
        for line in release.lines().filter(|line| line.starts_with(' ')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [hash, _, path] = words[..] else { continue };
            let Some((folder, file)) = path.rsplit_once('/') else { continue };
            apt.published.entry(folder.to_owned()).or_default().insert(hash.to_owned());
            let Some(processor) =
                folder.rsplit_once("/binary-").map(|(_, p)| p).filter(|_| file == "Packages")
            else {
                continue;
            };
            let path = format!("{dir}/{folder}/by-hash/SHA256/{hash}");
            let bytes = site.read(&path)?.unwrap_or_default();
            ensure!(sha256(&bytes) == hash, "`{path}`: is not what was published: restore it from a copy");
            let text = String::from_utf8(bytes).with_context(|| format!("`{path}`: is no text"))?;
            let index = stanzas(&text)
                .map(|stanza| {
                    let file = stanza.field("Filename").context("a package without a file")?;
                    Ok((file.to_owned(), format!("{}\n", stanza.0)))
                })
                .collect::<Result<_>>()
                .with_context(|| format!("`{path}`"))?;
            apt.indices.insert(processor.to_owned(), index);
        }
        Ok(apt)
    }

    /// Adds a package and puts its file into place; nothing is done for one that is there.
    pub(super) fn add(&mut self, site: &Site, suite: &str, dist: &Path, package: &Package) -> Result<()> {
        let (name, file) = (&package.package, &package.file);
        let place = format!("pool/{suite}/{}/{name}/{file}", &name[..1]);
        let known = self.indices.values().find_map(|index| index.get(&place));
        if let Some(known) = known {
            ensure!(
                Stanza(known).field("SHA256") == Some(&package.sha256),
                "`{file}`: was published with other content, and clients have that: give the release a new version"
            );
            return Ok(());
        }
        let path = dist.join(file);
        let bytes = fs::read(&path).with_context(|| format!("`{}`: cannot be read", path.display()))?;
        ensure!(
            sha256(&bytes) == package.sha256,
            "`{}`: is not what manifest.json lists: run `cargo xtask dist` again",
            path.display()
        );
        let control = deb::control(&bytes).with_context(|| format!("`{}`", path.display()))?;
        let control = control.trim_matches('\n');
        let processor = Stanza(control).field("Architecture").unwrap_or_default().to_owned();
        ensure!(
            Stanza(control).field("Package") == Some(name) && processor == package.architecture,
            "`{}`: says another name or processor of itself than manifest.json: run `cargo xtask dist` again",
            path.display()
        );
        site.put(&format!("apt/{place}"), &bytes)?;
        let stanza =
            format!("{control}\nFilename: {place}\nSize: {}\nSHA256: {}\n", bytes.len(), package.sha256);
        if processor == EVERY {
            for index in self.indices.values_mut() {
                index.insert(place.clone(), stanza.clone());
            }
        } else {
            // What is for every processor is in the index of each.
            let all = self.indices.values().next().into_iter().flatten();
            let all: Vec<_> = all
                .filter(|(_, stanza)| Stanza(stanza).field("Architecture") == Some(EVERY))
                .map(|(place, stanza)| (place.clone(), stanza.clone()))
                .collect();
            let index = self.indices.entry(processor).or_insert_with(|| all.into_iter().collect());
            index.insert(place, stanza);
        }
        Ok(())
    }

    /// Takes a version out of the indices; says whether it was there.
    pub(super) fn withdraw(&mut self, version: &Version) -> bool {
        let mut found = false;
        for index in self.indices.values_mut() {
            let before = index.len();
            index.retain(|_, stanza| !is(stanza, version));
            found |= index.len() != before;
        }
        found
    }

    /// Offers a version to so many of a hundred machines; says whether it was there.
    pub(super) fn phase(&mut self, version: &Version, percent: u8) -> bool {
        let mut found = false;
        for stanza in self.indices.values_mut().flat_map(BTreeMap::values_mut) {
            if is(stanza, version) {
                let value = (percent < 100).then(|| percent.to_string());
                *stanza = Stanza(stanza).with(PHASE, value.as_deref());
                found = true;
            }
        }
        found
    }

    /// Whether a version is there.
    pub(super) fn has(&self, version: &Version) -> bool {
        self.indices.values().flat_map(BTreeMap::values).any(|stanza| is(stanza, version))
    }

    /// Names of the packages.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let stanzas = self.indices.values().flat_map(BTreeMap::values);
        stanzas.filter_map(|stanza| Stanza(stanza).field("Package").map(str::to_owned)).collect()
    }

    /// Every version that is there, with the processors that it is for, and its phase.
    pub(super) fn versions(&self) -> BTreeMap<Version, (BTreeSet<String>, Option<String>)> {
        let mut versions: BTreeMap<Version, (BTreeSet<String>, Option<String>)> = BTreeMap::new();
        for stanza in self.indices.values().flat_map(BTreeMap::values) {
            let field = |name| Stanza(stanza).field(name).unwrap_or_default().to_owned();
            let entry =
                versions.entry(Version { name: field("Package"), version: field("Version") }).or_default();
            entry.0.insert(field("Architecture"));
            entry.1 = Stanza(stanza).field(PHASE).map(str::to_owned);
        }
        versions
    }

    /// Publishes: the indices first, what says that they count last.
    pub(super) fn publish(&self, publication: &Publication<'_>, suite: &str) -> Result<()> {
        let site = publication.site;
        let dir = dir(suite);
        let (mut listed, mut kept) = (String::new(), BTreeMap::<String, BTreeSet<String>>::new());
        let mut plain = Vec::new();
        for (processor, files) in self.packed()? {
            let folder = format!("main/binary-{processor}");
            for (file, bytes) in files {
                let hash = sha256(&bytes);
                let _ = writeln!(listed, " {hash} {:>16} {folder}/{file}", bytes.len());
                site.put(&format!("{dir}/{folder}/by-hash/SHA256/{hash}"), &bytes)?;
                kept.entry(folder.clone()).or_default().insert(hash);
                plain.push((format!("{dir}/{folder}/{file}"), bytes));
            }
        }
        for (path, bytes) in plain {
            site.put(&path, &bytes)?;
        }
        let release = self.release(publication, suite, &listed);
        let time = publication.moment.signed(publication.keys)?;
        let inline = signature::inline(publication.keys, time, &release)?;
        let detached = signature::detached(publication.keys, time, release.as_bytes())?;
        site.put_index(&format!("{dir}/InRelease"), inline.as_bytes(), publication.moment)?;
        // For readers that know no InRelease; between these two files they see a wrong signature, and try again.
        site.put_index(&format!("{dir}/Release"), release.as_bytes(), publication.moment)?;
        site.put_index(&format!("{dir}/Release.gpg"), detached.as_bytes(), publication.moment)?;
        for (folder, kept) in &kept {
            let leaving = self.published.get(folder).cloned().unwrap_or_default();
            site.prune(&format!("{dir}/{folder}/by-hash/SHA256"), kept, &leaving)?;
        }
        Ok(())
    }

    /// Removes files of packages that no index has named for a day, those of snapshots excepted.
    pub(super) fn prune(&self, site: &Site, suite: &str, before: &BTreeSet<String>) -> Result<()> {
        let mut kept = self.files();
        let prefix = format!("{suite}-");
        for snapshot in site.names("apt/dists")?.iter().filter(|name| name.starts_with(&prefix)) {
            kept.extend(Apt::read(site, snapshot)?.files());
        }
        let mut folders: BTreeMap<String, [BTreeSet<String>; 2]> = BTreeMap::new();
        let leaving = before.difference(&kept);
        for (set, path) in kept.iter().map(|p| (0, p)).chain(leaving.map(|p| (1, p))) {
            if let Some((folder, file)) = path.rsplit_once('/') {
                folders.entry(folder.to_owned()).or_default()[set].insert(file.to_owned());
            }
        }
        for (folder, [kept, leaving]) in &folders {
            site.prune(&format!("apt/{folder}"), kept, leaving)?;
        }
        Ok(())
    }

    /// Files of packages that the indices name.
    pub(super) fn files(&self) -> BTreeSet<String> {
        self.indices.values().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// The indices of each processor, plain and compressed, side by side.
    fn packed(&self) -> Result<Vec<(&str, Files)>> {
        let texts: Vec<(&str, String)> =
            self.indices.iter().map(|(processor, index)| (processor.as_str(), text(index))).collect();
        thread::scope(|scope| {
            let jobs: Vec<_> = texts
                .iter()
                .map(|(_, text)| {
                    let xz = scope.spawn(|| pack::xz(text.as_bytes()));
                    (xz, scope.spawn(|| pack::gz(text.as_bytes())))
                })
                .collect();
            let mut packed = Vec::new();
            for ((processor, text), (xz, gz)) in texts.iter().zip(jobs) {
                let died = |_| anyhow!("a compressor's thread died");
                let (xz, gz) = (xz.join().map_err(died)??, gz.join().map_err(died)??);
                let plain = text.clone().into_bytes();
                packed.push((*processor, [("Packages", plain), ("Packages.gz", gz), ("Packages.xz", xz)]));
            }
            Ok(packed)
        })
    }

    fn release(&self, publication: &Publication<'_>, suite: &str, listed: &str) -> String {
        let name = &publication.description.name;
        let Moment { now, valid_for, .. } = publication.moment;
        let mut text = format!("Origin: {name}\nLabel: {name}\nSuite: {suite}\nCodename: {suite}\n");
        let _ = writeln!(text, "Date: {}", date::moment(now));
        if let Some(days) = valid_for {
            let _ = writeln!(text, "Valid-Until: {}", date::moment(now + u64::from(days) * 86_400));
        }
        let processors: Vec<&str> = self.indices.keys().map(String::as_str).collect();
        let _ = writeln!(text, "Acquire-By-Hash: yes\nArchitectures: {}", processors.join(" "));
        let _ = writeln!(text, "Components: main\nDescription: {}", publication.description.summary);
        text + "SHA256:\n" + listed
    }
}

/// An index as it is published.
fn text(index: &BTreeMap<String, String>) -> String {
    let mut text = String::with_capacity(index.values().map(|stanza| stanza.len() + 1).sum());
    for stanza in index.values() {
        text.push_str(stanza);
        text.push('\n');
    }
    text
}

fn is(stanza: &str, version: &Version) -> bool {
    let stanza = Stanza(stanza);
    stanza.field("Package") == Some(&version.name) && stanza.field("Version") == Some(&version.version)
}

fn dir(suite: &str) -> String {
    format!("apt/dists/{suite}")
}
