//! Measures how long it takes to publish a new version in a repository with many packages, compared with
//! reprepro and createrepo_c. All sides add the same package and sign.

use std::fs;
use std::iter::zip;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use common::checksum::sha256;
use debian::deb;
use package::rpm;
use serde_json::json;
use testbed::host;
use workspace::Workspace;
use xshell::{Cmd, Shell, cmd};

use crate::bench::{Report, Row};

/// Numbers of packages before.
const SIZES: [usize; 3] = [10, 1_000, 10_000];
const ADDRESS: &str = "bench@example.org";
const TIMED: &str = include_str!("timed.bash");

/// Template packages in a repository's folder: those with the keys and sources.
const DEB: &str = "apt/pool/stable";
const RPM: &str = "rpm/stable/packages";

/// Wall-clock and processor time in seconds.
#[derive(Debug, Clone, Copy)]
struct Took {
    clock: f64,
    processor: f64,
}

/// Measures each size at most three times, because preparing a repository takes much longer than the
/// measurement.
pub fn run(_workspace: &Workspace, rounds: u32) -> Result<Report> {
    host::need(&[
        ("createrepo_c", "createrepo-c"),
        ("reprepro", "reprepro"),
        ("gpg", "gpg"),
        ("rpmsign", "rpm"),
        ("bash", "bash"),
    ])?;
    let sh = Shell::new()?;
    let dir = sh.create_temp_dir()?;
    let dir = dir.path();
    let bench = Bench::new(&sh, dir)?;
    let (nothing, template) = (dir.join("nothing"), dir.join("template"));
    bench.publish(&nothing, &template)?;
    let templates = templates(&template)?;
    let mut rows = Vec::new();
    for size in SIZES {
        let base = dir.join(size.to_string());
        let first = base.join("first");
        packages(&first, 0..size, 1, &templates)?;
        let ours = ["both", "apt", "rpm"].map(|kind| base.join(kind));
        let whole = bench.publish(&first, &ours[0])?;
        // The same without one of the halves, to measure the other.
        for (half, without) in zip(&ours[1..], ["rpm", "apt"]) {
            cmd!(sh, "cp --archive --link {base}/both {half}").quiet().run()?;
            fs::remove_dir_all(half.join(without))?;
            fs::remove_file(half.join(".lock"))?;
            bench.publish(&nothing, half)?;
        }
        bench.publish(&nothing, &ours[0])?;
        let theirs = Theirs::new(&bench, &base, &first)?;
        rows.extend(both(&format!("first {size}"), whole, theirs.first));
        let mut times: [Vec<(Took, Took)>; 3] = Default::default();
        for round in 0..rounds.clamp(1, 3) as usize {
            let (dist, middle) = (base.join(format!("new-{round}")), size / 2);
            // A new version of a package in the middle: reprepro keeps one version per name.
            packages(&dist, middle..middle + 1, round + 2, &templates)?;
            let [deb, rpm] = ["deb", "rpm"].map(|kind| only(&dist, kind));
            let (deb, rpm) = (deb?, rpm?);
            let (their_deb, their_rpm) = (theirs.reprepro(&bench, &deb)?, theirs.createrepo(&bench, &rpm)?);
            times[0].push((bench.publish(&deb, &ours[1])?, their_deb));
            times[1].push((bench.publish(&rpm, &ours[2])?, their_rpm));
            times[2].push((bench.publish(&dist, &ours[0])?, their_deb.and(their_rpm)));
        }
        for (what, times) in zip(["apt: reprepro", "rpm: createrepo_c", "both: both"], times) {
            let (ours, theirs): (Vec<Took>, Vec<Took>) = times.into_iter().unzip();
            rows.extend(both(&format!("one into {size}, {what}"), Took::least(ours), Took::least(theirs)));
        }
    }
    Ok(Report {
        ours: "ours".to_owned(),
        theirs: "theirs".to_owned(),
        how: "cargo xtask repo".to_owned(),
        rows,
        notes: vec![
            "signed by the same RSA-4096 on both sides: InRelease, Release.gpg, repomd.xml, the new .rpm; only the \
             first .rpms of their side are not"
                .to_owned(),
            "of theirs, what gpg-agent takes to sign is on the clock, not in the processor's time".to_owned(),
            "ours, apt or rpm, is a repository without packages of the other kind, whose index is signed as well"
                .to_owned(),
        ],
    })
}

/// Returns two rows: wall-clock and processor time.
fn both(what: &str, ours: Took, theirs: Took) -> [Row; 2] {
    [
        Row::new(&format!("{what}, clock"), "s", ours.clock, theirs.clock),
        Row::new(&format!("{what}, processor"), "s", ours.processor, theirs.processor),
    ]
}

impl Took {
    fn and(self, other: Took) -> Took {
        Took { clock: self.clock + other.clock, processor: self.processor + other.processor }
    }

    fn least(times: Vec<Took>) -> Took {
        let nothing = Took { clock: f64::INFINITY, processor: f64::INFINITY };
        times.into_iter().fold(nothing, |a, b| Took {
            clock: a.clock.min(b.clock),
            processor: a.processor.min(b.processor),
        })
    }
}

/// Inputs of both sides.
struct Bench<'a> {
    sh: &'a Shell,
    xtask: PathBuf,
    key: PathBuf,
    timed: PathBuf,
}

impl Bench<'_> {
    fn new<'a>(sh: &'a Shell, dir: &Path) -> Result<Bench<'a>> {
        let (key, timed, home) = (dir.join("key"), dir.join("timed.bash"), dir.join("gnupg"));
        fs::write(&timed, TIMED)?;
        let xtask = std::env::current_exe().context("cannot find the path of this program")?;
        let name = format!("Bench <{ADDRESS}>");
        cmd!(sh, "{xtask} key new {key} --name {name}").quiet().ignore_stdout().ignore_stderr().run()?;
        fs::create_dir(&home)?;
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700))?;
        sh.set_var("GNUPGHOME", &home);
        cmd!(sh, "gpg --quiet --batch --import {key}").quiet().run()?;
        Ok(Bench { sh, xtask, key, timed })
    }

    /// Measures a command.
    fn time(&self, command: Cmd<'_>) -> Result<Took> {
        let output = command.quiet().ignore_status().output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{stderr}");
        let numbers = stderr.trim_end().lines().last().unwrap_or_default().split(' ');
        let numbers: Vec<f64> = numbers.filter_map(|number| number.parse().ok()).collect();
        let [clock, user, system] = numbers[..] else {
            anyhow::bail!("cannot read the measured time: {stderr}")
        };
        Ok(Took { clock, processor: user + system })
    }

    fn publish(&self, dist: &Path, out: &Path) -> Result<Took> {
        let Bench { sh, xtask, key, timed } = self;
        self.time(cmd!(sh, "bash {timed} {xtask} repo --key {key} --dist {dist} --out {out}"))
    }
}

/// The repositories of the other tools.
struct Theirs {
    base: PathBuf,
    rpms: PathBuf,
    first: Took,
}

impl Theirs {
    fn new(bench: &Bench<'_>, base: &Path, first: &Path) -> Result<Theirs> {
        let Bench { sh, timed, .. } = bench;
        let (rpms, conf) = (base.join("rpms"), base.join("conf"));
        fs::create_dir_all(&rpms)?;
        fs::create_dir_all(&conf)?;
        let distribution = "Codename: stable\nArchitectures: amd64 arm64\nComponents: main\nSignWith: yes\n";
        fs::write(conf.join("distributions"), distribution)?;
        for path in files(first, "rpm")? {
            fs::hard_link(&path, rpms.join(path.file_name().unwrap_or_default()))?;
        }
        let mut took = bench.time(cmd!(sh, "bash {timed} createrepo_c --quiet --no-database {rpms}"))?;
        for files in files(first, "deb")?.chunks(1_000) {
            let command =
                cmd!(sh, "bash {timed} reprepro --silent --basedir {base} includedeb stable {files...}");
            took = took.and(bench.time(command)?);
        }
        Ok(Theirs { base: base.to_owned(), rpms, first: took })
    }

    fn reprepro(&self, bench: &Bench<'_>, new: &Path) -> Result<Took> {
        let (Bench { sh, timed, .. }, base) = (bench, &self.base);
        let files = files(new, "deb")?;
        bench.time(cmd!(sh, "bash {timed} reprepro --silent --basedir {base} includedeb stable {files...}"))
    }

    fn createrepo(&self, bench: &Bench<'_>, new: &Path) -> Result<Took> {
        let (Bench { sh, timed, .. }, rpms) = (bench, &self.rpms);
        let mut took = Took { clock: 0.0, processor: 0.0 };
        for path in files(new, "rpm")? {
            let place = rpms.join(path.file_name().unwrap_or_default());
            fs::copy(&path, &place)?;
            let name = format!("_gpg_name {ADDRESS}");
            // Debian's rpm looks for gpg elsewhere.
            let gpg = "__gpg /usr/bin/gpg";
            let sign = cmd!(sh, "bash {timed} rpmsign --define {name} --define {gpg} --addsign {place}");
            took = took.and(bench.time(sign)?);
        }
        let index = rpms.join("repodata/repomd.xml");
        let index_time =
            bench.time(cmd!(sh, "bash {timed} createrepo_c --quiet --no-database --update {rpms}"))?;
        let signed = cmd!(sh, "bash {timed} gpg --quiet --batch --yes --armor --detach-sign {index}");
        Ok(took.and(index_time).and(bench.time(signed)?))
    }
}

/// Returns a .deb and an .rpm to use as templates.
fn templates(out: &Path) -> Result<[Vec<u8>; 2]> {
    let find = |folder: &str, kind: &str| -> Result<Vec<u8>> {
        let package = walkdir::WalkDir::new(out.join(folder))
            .into_iter()
            .filter_map(|entry| Some(entry.ok()?.into_path()))
            .find(|path| path.extension().is_some_and(|e| e == kind))
            .context("the package of keys and sources was not published")?;
        Ok(fs::read(package)?)
    };
    Ok([find(DEB, "deb")?, find(RPM, "rpm")?])
}

/// Creates a folder as `dist` would, with packages of these numbers.
fn packages(
    dist: &Path,
    numbers: std::ops::Range<usize>,
    version: usize,
    [deb, rpm]: &[Vec<u8>; 2],
) -> Result<()> {
    fs::create_dir_all(dist)?;
    let mut listed = Vec::new();
    for number in numbers {
        let (name, version) = (format!("load-{number:05}"), format!("{version}.0.0"));
        let mut changed = rpm::Rpm::parse(rpm)?;
        changed.set(rpm::Entry::text(rpm::NAME, &name));
        changed.set(rpm::Entry::text(rpm::VERSION, &version));
        let size = rpm::Size {
            packed: changed.payload.len() as u64,
            unpacked: changed.unpacked().context("a package without a size")?,
        };
        let rpm = [&changed.write_head(size), changed.payload].concat();
        for (file, format, architecture, bytes) in [
            (
                format!("{name}_{version}_all.deb"),
                "deb",
                "all",
                deb::with_control(deb, &[("Package: ", &name), ("Version: ", &version)], &[])?,
            ),
            (format!("{name}-{version}-1.noarch.rpm"), "rpm", "noarch", rpm),
        ] {
            listed.push(json!({
                "file": file, "product": "load", "package": name, "version": version, "format": format,
                "architecture": architecture, "target": "none", "size": bytes.len(), "sha256": sha256(&bytes),
            }));
            fs::write(dist.join(file), bytes)?;
        }
    }
    fs::write(dist.join("manifest.json"), serde_json::to_string(&json!({ "packages": listed }))?)?;
    Ok(())
}

/// Creates a copy of such a folder with packages of one kind only.
fn only(dist: &Path, kind: &str) -> Result<PathBuf> {
    let folder = dist.with_extension(kind);
    fs::create_dir_all(&folder)?;
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(dist.join("manifest.json"))?)?;
    let listed = manifest["packages"].as_array_mut().context("the manifest lists no packages")?;
    listed.retain(|package| package["format"] == kind);
    fs::write(folder.join("manifest.json"), serde_json::to_string(&manifest)?)?;
    for path in files(dist, kind)? {
        fs::copy(&path, folder.join(path.file_name().unwrap_or_default()))?;
    }
    Ok(folder)
}

/// Returns the files of a kind in a folder.
fn files(folder: &Path, kind: &str) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|e| e == kind));
    files.sort();
    Ok(files)
}
