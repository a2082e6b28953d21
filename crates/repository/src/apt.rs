//! The apt repository: takes the published state and new packages, and writes the indices of a suite and its signed
//! `InRelease`. `InRelease` decides which state clients see.
//!
//! The last `InRelease` names every published file by its hash, and it is the only record of the published state.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use base::date::format_timestamp;
use common::checksum::sha256;
use common::parallel;
use debian::deb;
use debian::stanza::Stanza;
use package::pack::Package;
use repo_index::{Form, Kind, List, Packed};
use workspace::target;

use super::moment::Moment;
use super::publication::Publication;
use super::signature;
use super::site::Site;
use super::version::Version;

const PHASE: &str = "Phased-Update-Percentage";
const EVERY: &str = "all";
/// An index and its compressed forms.
const FILES: [&str; 3] = ["Packages", "Packages.gz", "Packages.xz"];
/// Fields that the repository adds to an entry; a package's own control file must not have them.
const OURS: [&str; 3] = ["Filename", "Size", "SHA256"];

/// The packages of a suite, before they are published.
#[derive(Debug, Default)]
pub(super) struct Apt {
    /// Lists by processor.
    lists: BTreeMap<String, List>,
    /// Hashes of the published index files by their path in the suite.
    published: BTreeMap<String, String>,
    /// Files of withdrawn packages.
    leaving: BTreeSet<String>,
}

/// A package whose file is in the pool.
#[derive(Debug)]
pub(super) struct Ready {
    place: String,
    processor: String,
    stanza: String,
}

/// An index whose files are written.
struct Index<'a> {
    list: &'a List,
    folder: String,
    /// Hash and size of each of [`FILES`].
    files: Vec<(String, usize)>,
}

impl Apt {
    /// Reads the published state.
    pub(super) fn read(site: &Site, suite: &str) -> Result<Apt> {
        let mut apt = Apt::default();
        for target in target::ALL {
            apt.lists.insert(target.deb.to_owned(), List::empty(Kind::Packages));
        }
        let dir = dir(suite);
        let Some(release) = site.read(&format!("{dir}/InRelease"))? else { return Ok(apt) };
        let release = String::from_utf8(release).with_context(|| format!("`{dir}/InRelease`: not UTF-8"))?;
        let mut read: BTreeMap<&str, List> = BTreeMap::new();
        for line in release.lines().filter(|line| line.starts_with(' ')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [hash, _, path] = words[..] else { continue };
            apt.published.insert(path.to_owned(), hash.to_owned());
            let Some((folder, file)) = path.rsplit_once('/') else { continue };
            let processor = folder.rsplit_once("/binary-").map(|(_, p)| p).filter(|_| file == FILES[0]);
            let Some(processor) = processor else { continue };
            let list = match read.get(hash) {
                Some(list) => list.clone(),
                None => {
                    let path = by_hash(&dir, folder, hash);
                    let bytes = site.read(&path)?.unwrap_or_default();
                    ensure!(
                        sha256(&bytes) == hash,
                        "`{path}`: differs from what was published: restore it from a copy"
                    );
                    List::read(Kind::Packages, bytes)
                }
            };
            read.insert(hash, list.clone());
            apt.lists.insert(processor.to_owned(), list);
        }
        Ok(apt)
    }

    /// Checks a package without writing anything; returns whether it is new.
    pub(super) fn vet(&self, suite: &str, dist: &Path, package: &Package) -> Result<bool> {
        let (file, place) = (&package.file, pool_path(suite, package));
        for list in self.lists.values() {
            if let Ok(i) = list.find(place.as_bytes()) {
                let known = String::from_utf8_lossy(list.get(i));
                ensure!(
                    Stanza(&known).field("SHA256") == Some(&package.sha256),
                    "`{file}`: already published with other content: give the release a new version"
                );
                return Ok(false);
            }
        }
        read_stanza(suite, dist, package).map(|_| true)
    }

    /// Writes the file of a new package to the pool.
    pub(super) fn place(site: &Site, suite: &str, dist: &Path, package: &Package) -> Result<Ready> {
        let (bytes, ready) = read_stanza(suite, dist, package)?;
        site.put(&format!("apt/{}", ready.place), &bytes)?;
        Ok(ready)
    }

    /// Adds a package to the lists; its file must be in the pool.
    pub(super) fn add(&mut self, ready: Ready) {
        let Ready { place, processor, stanza } = ready;
        let insert = |list: &mut List| match list.find(place.as_bytes()) {
            Ok(i) => list.replace(i, stanza.as_bytes()),
            Err(i) => list.insert(i, stanza.as_bytes()),
        };
        if processor == EVERY {
            self.lists.values_mut().for_each(insert);
        } else {
            // A new processor's list starts with the packages that are for every processor.
            let all = self.lists.values().next().cloned().map(|mut list| {
                for i in (0..list.len()).rev() {
                    let stanza = String::from_utf8_lossy(list.get(i)).into_owned();
                    if Stanza(&stanza).field("Architecture") != Some(EVERY) {
                        list.remove(i);
                    }
                }
                list
            });
            insert(self.lists.entry(processor).or_insert_with(|| all.unwrap_or(List::empty(Kind::Packages))));
        }
    }

    /// Removes a version from the lists; returns whether it was listed.
    pub(super) fn withdraw(&mut self, version: &Version) -> bool {
        let before = self.leaving.len();
        for list in self.lists.values_mut() {
            for i in list.positions(&version.name, &version.version).into_iter().rev() {
                self.leaving.insert(String::from_utf8_lossy(list.place(i)).into_owned());
                list.remove(i);
            }
        }
        self.leaving.len() > before
    }

    /// Offers a version to a percentage of machines.
    pub(super) fn phase(&mut self, version: &Version, percent: u8) {
        let value = (percent < 100).then(|| percent.to_string());
        for list in self.lists.values_mut() {
            for i in list.positions(&version.name, &version.version) {
                let stanza = String::from_utf8_lossy(list.get(i)).into_owned();
                list.replace(i, (Stanza(stanza.trim_end()).with(PHASE, value.as_deref()) + "\n").as_bytes());
            }
        }
    }

    /// Returns whether a version is listed.
    pub(super) fn has(&self, version: &Version) -> bool {
        self.lists.values().any(|list| !list.positions(&version.name, &version.version).is_empty())
    }

    pub(super) fn lists(&self) -> impl Iterator<Item = &List> {
        self.lists.values()
    }

    /// Writes the indices first, and `InRelease`, which refers to them, last.
    pub(super) fn publish(&self, publication: &Publication<'_>, suite: &str) -> Result<()> {
        let site = publication.site;
        let dir = dir(suite);
        let (mut listed, mut kept) = (String::new(), BTreeMap::<String, BTreeSet<String>>::new());
        let mut links = Vec::new();
        let mut indices: Vec<Index<'_>> = Vec::new();
        for (processor, list) in &self.lists {
            let folder = format!("main/binary-{processor}");
            // Processors have the same index while all packages are for every processor.
            let i = match indices.iter().position(|other| other.list.is(list)) {
                Some(i) => i,
                None => {
                    indices.push(self.write_index(site, suite, &folder, list)?);
                    indices.len() - 1
                }
            };
            for (file, (hash, size)) in FILES.iter().zip(&indices[i].files) {
                let _ = writeln!(listed, " {hash} {size:>16} {folder}/{file}");
                let path = by_hash(&dir, &folder, hash);
                if indices[i].folder != folder {
                    site.name(&by_hash(&dir, &indices[i].folder, hash), &path)?;
                }
                kept.entry(folder.clone()).or_default().insert(hash.clone());
                links.push((path, format!("{dir}/{folder}/{file}")));
            }
        }
        for (by_hash, path) in links {
            site.name(&by_hash, &path)?;
        }
        let release = self.write_release(publication, suite, &listed);
        let time = publication.moment.signed(publication.keys)?;
        let signed = parallel::each(&[true, false], |is_inline| match is_inline {
            true => signature::inline(publication.keys, time, &release),
            false => signature::detached(publication.keys, time, release.as_bytes()),
        })?;
        let [inline, detached] = &signed[..] else { unreachable!("there is one of each") };
        site.put_index(&format!("{dir}/InRelease"), inline.as_bytes(), publication.moment)?;
        // For clients without support for InRelease. Between these two writes they see a wrong signature, and try
        // again.
        site.put_index(&format!("{dir}/Release"), release.as_bytes(), publication.moment)?;
        site.put_index(&format!("{dir}/Release.gpg"), detached.as_bytes(), publication.moment)?;
        for (folder, kept) in &kept {
            let files = self.published.iter().filter(|(path, _)| path.starts_with(&format!("{folder}/")));
            let leaving = files.map(|(_, hash)| hash.clone()).collect();
            site.prune(&format!("{dir}/{folder}/by-hash/SHA256"), kept, &leaving)?;
        }
        Ok(())
    }

    /// Removes files that no index, including those of snapshots, has named for a day. `names` limits this to some
    /// packages.
    pub(super) fn prune(&self, site: &Site, suite: &str, names: Option<&BTreeSet<String>>) -> Result<()> {
        let pool = format!("pool/{suite}");
        let mut folders = BTreeSet::new();
        match names {
            Some(names) => folders.extend(names.iter().map(|name| pool_folder(suite, name))),
            None => {
                for letter in site.names(&format!("apt/{pool}"))? {
                    let names = site.names(&format!("apt/{pool}/{letter}"))?;
                    folders.extend(names.iter().map(|name| format!("{pool}/{letter}/{name}")));
                }
            }
        }
        let mut snapshots: Option<Vec<Apt>> = None;
        for folder in folders {
            let (mut kept, mut leaving) = (BTreeSet::new(), BTreeSet::new());
            for file in site.names(&format!("apt/{folder}"))? {
                let place = format!("{folder}/{file}");
                if self.names_file(&place) {
                    kept.insert(file);
                    continue;
                }
                // Snapshots are large, so they are read only if a file depends on them.
                let others = match &snapshots {
                    Some(others) => others,
                    None => snapshots.insert(Apt::read_snapshots(site, suite)?),
                };
                if others.iter().any(|other| other.names_file(&place)) {
                    kept.insert(file);
                } else if self.leaving.contains(&place) {
                    leaving.insert(file);
                }
            }
            site.prune(&format!("apt/{folder}"), &kept, &leaving)?;
        }
        Ok(())
    }

    fn read_snapshots(site: &Site, suite: &str) -> Result<Vec<Apt>> {
        let prefix = format!("{suite}-");
        let names = site.names("apt/dists")?;
        names.iter().filter(|name| name.starts_with(&prefix)).map(|name| Apt::read(site, name)).collect()
    }

    fn names_file(&self, place: &str) -> bool {
        self.lists.values().any(|list| list.find(place.as_bytes()).is_ok())
    }

    /// Writes an index, plain and compressed; unchanged pieces are copied from the published files.
    fn write_index<'a>(&self, site: &Site, suite: &str, folder: &str, list: &'a List) -> Result<Index<'a>> {
        let published = |file: &str| -> Result<Vec<u8>> {
            let Some(hash) = self.published.get(&format!("{folder}/{file}")) else { return Ok(Vec::new()) };
            let bytes = site.read(&by_hash(&dir(suite), folder, hash))?.unwrap_or_default();
            Ok(if sha256(&bytes) == *hash { bytes } else { Vec::new() })
        };
        let (gz, xz) = (published(FILES[1])?, published(FILES[2])?);
        let Packed { text, forms, .. } = list.pack(b"", b"", &[(Form::Gz, &gz), (Form::Xz, &xz)])?;
        let files: Vec<Vec<u8>> = [text].into_iter().chain(forms).collect();
        let files = parallel::each(&files, |bytes| {
            let hash = sha256(bytes);
            site.put(&by_hash(&dir(suite), folder, &hash), bytes)?;
            Ok((hash, bytes.len()))
        })?;
        Ok(Index { list, folder: folder.to_owned(), files })
    }

    fn write_release(&self, publication: &Publication<'_>, suite: &str, listed: &str) -> String {
        let name = &publication.description.name;
        let Moment { now, valid_for, .. } = publication.moment;
        let mut text = format!("Origin: {name}\nLabel: {name}\nSuite: {suite}\nCodename: {suite}\n");
        let _ = writeln!(text, "Date: {}", format_timestamp(now));
        if let Some(days) = valid_for {
            let _ = writeln!(text, "Valid-Until: {}", format_timestamp(now + u64::from(days) * 86_400));
        }
        let processors: Vec<&str> = self.lists.keys().map(String::as_str).collect();
        let _ = writeln!(text, "Acquire-By-Hash: yes\nArchitectures: {}", processors.join(" "));
        let _ = writeln!(text, "Components: main\nDescription: {}", publication.description.summary);
        text + "SHA256:\n" + listed
    }
}

/// Reads a package's file; returns its bytes and its entry.
fn read_stanza(suite: &str, dist: &Path, package: &Package) -> Result<(Vec<u8>, Ready)> {
    let path = dist.join(&package.file);
    let bytes = super::read_package(&path, package)?;
    let control = deb::control(&bytes).with_context(|| format!("`{}`", path.display()))?;
    let control = control.trim_matches('\n');
    let processor = Stanza(control).field("Architecture").unwrap_or_default().to_owned();
    ensure!(
        Stanza(control).field("Package") == Some(&package.package) && processor == package.architecture,
        "`{}`: its name or architecture differs from manifest.json: run `cargo xtask dist` again",
        path.display()
    );
    ensure!(
        !control.contains("\n\n") && OURS.iter().all(|field| Stanza(control).field(field).is_none()),
        "`{}`: its control file has fields that the repository adds: build it without {}",
        path.display(),
        OURS.join(", ")
    );
    let (place, size) = (pool_path(suite, package), bytes.len());
    let stanza = format!("{control}\nFilename: {place}\nSize: {size}\nSHA256: {}\n\n", package.sha256);
    Ok((bytes, Ready { place, processor, stanza }))
}

fn pool_path(suite: &str, package: &Package) -> String {
    format!("{}/{}", pool_folder(suite, &package.package), package.file)
}

fn pool_folder(suite: &str, name: &str) -> String {
    format!("pool/{suite}/{}/{name}", &name[..1])
}

fn dir(suite: &str) -> String {
    format!("apt/dists/{suite}")
}

fn by_hash(dir: &str, folder: &str, hash: &str) -> String {
    format!("{dir}/{folder}/by-hash/SHA256/{hash}")
}
