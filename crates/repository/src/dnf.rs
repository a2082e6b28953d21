//! The dnf repository: takes the published state and new packages, signs the new ones, and writes the lists of a suite
//! and its `repomd.xml`. `repomd.xml` decides which lists clients see, and it is the only record of the published
//! state.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};
use common::checksum::sha256;
use package::pack::Package;
use package::rpm::{self, Rpm};
use repo_index::{Form, Kind, List, Packed, unpack};

use super::key::Key;
use super::moment::Moment;
use super::publication::Publication;
use super::repodata::{self, Entries, Place};
use super::signature;
use super::site::Site;
use super::version::Version;

const LISTS: [(&str, Kind); 3] =
    [("primary", Kind::Primary), ("filelists", Kind::Further), ("other", Kind::Further)];

/// The packages of a suite, before they are published.
#[derive(Debug)]
pub(super) struct Dnf {
    /// The lists, with the same packages in the same order.
    lists: [List; 3],
    /// The published lists, compressed.
    packed: [Vec<u8>; 3],
    /// File names of the published lists.
    published: BTreeSet<String>,
    /// Files of withdrawn packages.
    leaving: BTreeSet<String>,
}

/// Name, text and compressed form of a list, and the hashes of the compressed form and of the text.
type PackedList = (&'static str, Vec<u8>, Vec<u8>, [String; 2]);

/// A package whose signed file is in the repository.
#[derive(Debug)]
pub(super) struct Ready {
    href: String,
    entries: Entries,
}

impl Dnf {
    /// Reads the published state.
    pub(super) fn read(site: &Site, suite: &str) -> Result<Dnf> {
        let dir = dir(suite);
        let mut dnf = Dnf {
            lists: LISTS.map(|(_, kind)| List::empty(kind)),
            packed: Default::default(),
            published: BTreeSet::new(),
            leaving: BTreeSet::new(),
        };
        let Some(index) = site.read(&format!("{dir}/repodata/repomd.xml"))? else { return Ok(dnf) };
        let index =
            String::from_utf8(index).with_context(|| format!("`{dir}/repodata/repomd.xml`: not UTF-8"))?;
        let (dir, index) = (&dir, &index);
        let read = thread::scope(|scope| {
            let jobs = LISTS.map(|(list, kind)| scope.spawn(move || read(site, dir, index, list, kind)));
            jobs.map(|job| job.join().unwrap_or_else(|_| Err(anyhow!("a reading thread panicked"))))
        });
        for (i, list) in read.into_iter().enumerate() {
            let (file, packed, list) = list?;
            dnf.published.insert(file);
            dnf.packed[i] = packed;
            dnf.lists[i] = list;
        }
        let [primary, filelists, other] = &dnf.lists;
        ensure!(
            primary.len() == filelists.len() && primary.len() == other.len(),
            "`{dir}/repodata`: its files list different packages: restore them from a copy"
        );
        Ok(dnf)
    }

    /// Checks a package without writing anything; returns whether it is new.
    pub(super) fn vet(&self, site: &Site, suite: &str, dist: &Path, package: &Package) -> Result<bool> {
        let path = dist.join(&package.file);
        let href = href(&package.file);
        if self.lists[0].find(href.as_bytes()).is_ok() {
            let bytes = fs::read(&path).with_context(|| format!("`{}`: cannot be read", path.display()))?;
            let published = site.read(&format!("{}/{href}", dir(suite)))?.unwrap_or_default();
            // A signature is not part of the main header, and the main header contains the digest of the payload.
            let same = Rpm::parse(&published)
                .is_ok_and(|published| Rpm::parse(&bytes).is_ok_and(|rpm| rpm.header == published.header));
            ensure!(
                same,
                "`{}`: already published with other content: give the release a new version",
                package.file
            );
            return Ok(false);
        }
        let bytes = super::read_package(&path, package)?;
        Rpm::parse(&bytes).with_context(|| format!("`{}`: not a readable rpm", path.display()))?;
        Ok(true)
    }

    /// Signs a new package and writes its file.
    pub(super) fn place(
        publication: &Publication<'_>,
        suite: &str,
        dist: &Path,
        package: &Package,
    ) -> Result<Ready> {
        let path = dist.join(&package.file);
        let bytes = super::read_package(&path, package)?;
        let broken = || format!("`{}`: not a readable rpm", path.display());
        let time = publication.moment.signed(publication.keys)?;
        let signed = rpm::sign(&bytes, |header| signature::binary(&publication.keys[0], time, header))
            .with_context(broken)?;
        let href = href(&package.file);
        let place = format!("{}/{href}", dir(suite));
        publication.site.put(&place, &signed)?;
        let now = publication.moment.now;
        let times = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(now));
        File::open(publication.site.path(&place))?.set_times(times)?;
        let hash = sha256(&signed);
        let parsed = Rpm::parse(&signed).with_context(broken)?;
        let place = Place { href: &href, sha256: &hash, size: signed.len(), time: now };
        let entries = repodata::write_entries(&parsed, &place)?;
        Ok(Ready { href, entries })
    }

    /// Adds a package to the lists; its file must be in the repository.
    pub(super) fn add(&mut self, ready: Ready) {
        let Ready { href, entries: Entries { primary, filelists, other } } = ready;
        let position = self.lists[0].find(href.as_bytes());
        for (list, entry) in self.lists.iter_mut().zip([primary, filelists, other]) {
            match position {
                Ok(i) => list.replace(i, entry.as_bytes()),
                Err(i) => list.insert(i, entry.as_bytes()),
            }
        }
    }

    /// Removes a version from the lists; returns whether it was listed.
    pub(super) fn withdraw(&mut self, version: &Version) -> bool {
        let places = self.lists[0].positions(&version.name, &version.version);
        for i in places.iter().rev() {
            self.leaving.insert(file(self.lists[0].place(*i)));
            self.lists.iter_mut().for_each(|list| list.remove(*i));
        }
        !places.is_empty()
    }

    /// Returns whether a version is listed.
    pub(super) fn has(&self, version: &Version) -> bool {
        !self.lists[0].positions(&version.name, &version.version).is_empty()
    }

    /// Returns the list `primary`.
    pub(super) fn list(&self) -> &List {
        &self.lists[0]
    }

    /// Writes the lists, `repomd.xml` and its signature to a new folder, which then replaces `repodata` in one step. A
    /// client that reads `repomd.xml` before that step and the signature after it sees a wrong signature. It changes
    /// nothing, and its next attempt succeeds.
    pub(super) fn publish(&self, publication: &Publication<'_>, suite: &str) -> Result<()> {
        let site = publication.site;
        let dir = dir(suite);
        let (place, fresh) = (format!("{dir}/repodata"), format!("{dir}/repodata.new"));
        site.clear(&fresh)?;
        if let Err(error) = self.fill(publication, &place, &fresh) {
            let _ = site.clear(&fresh);
            return Err(error);
        }
        site.replace_folder(&place, &fresh)
    }

    /// Fills the folder that replaces `place`.
    fn fill(&self, publication: &Publication<'_>, place: &str, fresh: &str) -> Result<()> {
        let site = publication.site;
        let Moment { now, .. } = publication.moment;
        let mut index = format!("{HEAD}<repomd {COMMON} {RPM}>\n  <revision>{now}</revision>\n");
        let mut kept = BTreeSet::new();
        for (list, text, packed, [hash, open]) in self.pack()? {
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
        // Newer versions of dnf read only the first signature.
        let signature = signature::detached(&publication.keys[..1], time, index.as_bytes())?;
        site.put(&format!("{fresh}/repomd.xml.key"), Key::public(publication.keys).as_bytes())?;
        site.put_index(&format!("{fresh}/repomd.xml.asc"), signature.as_bytes(), publication.moment)?;
        site.put_index(&format!("{fresh}/repomd.xml"), index.as_bytes(), publication.moment)?;
        for file in ["repomd.xml", "repomd.xml.asc", "repomd.xml.key"] {
            kept.insert(file.to_owned());
        }
        // Clients that have read the previous `repomd.xml` still fetch its lists.
        site.prune(place, &kept, &self.published)?;
        for file in site.names(place)?.iter().filter(|file| !kept.contains(*file)) {
            site.link(&format!("{place}/{file}"), &format!("{fresh}/{file}"))?;
        }
        Ok(())
    }

    /// Links every package into a snapshot suite, which is kept forever.
    pub(super) fn link(&self, site: &Site, suite: &str, snapshot: &str) -> Result<()> {
        for href in self.lists[0].places() {
            let [from, to] = [suite, snapshot].map(|suite| format!("{}/packages/{}", dir(suite), file(href)));
            site.link(&from, &to)?;
        }
        Ok(())
    }

    /// Removes packages that no list has named for a day.
    pub(super) fn prune(&self, site: &Site, suite: &str) -> Result<()> {
        let kept = self.lists[0].places().into_iter().map(file).collect();
        site.prune(&format!("{}/packages", dir(suite)), &kept, &self.leaving)
    }

    /// Compresses and hashes the lists, in parallel.
    fn pack(&self) -> Result<Vec<PackedList>> {
        thread::scope(|scope| {
            let jobs: Vec<_> = LISTS
                .iter()
                .zip(self.lists.iter().zip(&self.packed))
                .map(|((name, _), (list, before))| {
                    scope.spawn(move || {
                        let (head, tail) = edges(name, list.len());
                        let Packed { text, mut forms, .. } =
                            list.pack(head.as_bytes(), tail.as_bytes(), &[(Form::Gz, before)])?;
                        let packed = forms.remove(0);
                        let hashes = [sha256(&packed), sha256(&text)];
                        Ok((*name, text, packed, hashes))
                    })
                })
                .collect();
            jobs.into_iter()
                .map(|job| job.join().map_err(|_| anyhow!("a compressing thread panicked"))?)
                .collect()
        })
    }
}

/// Returns the text before and after the packages of a list.
fn edges(list: &str, count: usize) -> (String, &'static str) {
    let (open, close) = match list {
        "primary" => (format!("<metadata {COMMON_OF} {RPM} packages=\"{count}\">\n"), "</metadata>"),
        "filelists" => (format!("<filelists {FILES} packages=\"{count}\">\n"), "</filelists>"),
        _ => (format!("<otherdata {OTHER} packages=\"{count}\">\n"), "</otherdata>"),
    };
    (HEAD.to_owned() + &open, close)
}

/// Reads a published list; returns its file name, the file's content, and the list.
fn read(site: &Site, dir: &str, index: &str, list: &str, kind: Kind) -> Result<(String, Vec<u8>, List)> {
    let known = index.split_once(&format!("<data type=\"{list}\">")).and_then(|(_, rest)| {
        Some((between(rest, "<location href=\"", "\"")?, between(rest, "<checksum type=\"sha256\">", "<")?))
    });
    let (href, hash) = known.with_context(|| format!("`{dir}/repodata/repomd.xml`: does not list {list}"))?;
    let bytes = site.read(&format!("{dir}/{href}"))?.unwrap_or_default();
    ensure!(
        sha256(&bytes) == hash,
        "`{dir}/{href}`: differs from what was published: restore it from a copy"
    );
    let text = unpack(&bytes).with_context(|| format!("`{dir}/{href}`"))?;
    Ok((href.trim_start_matches("repodata/").to_owned(), bytes, List::read(kind, text)))
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

fn href(file: &str) -> String {
    format!("packages/{file}")
}

fn file(href: &[u8]) -> String {
    String::from_utf8_lossy(href).trim_start_matches("packages/").to_owned()
}

fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    Some(rest.split_once(end)?.0)
}
