//! How long it takes to publish one new version into a repository that has many: against createrepo_c and reprepro,
//! each adding the same package to the same ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use machine::host;
use serde_json::json;
use xshell::{Shell, cmd};

use crate::bench::{Report, Row};
use crate::package::sha256;
use crate::workspace::Workspace;
use crate::{deb, rpm};

/// How many packages there are before.
const SIZES: [usize; 3] = [10, 1_000, 10_000];

/// What the packages are made of, in a repository's folder: that of keys and sources.
const DEB: &str = "apt/pool/stable";
const RPM: &str = "rpm/stable/packages";

/// Measures each size `rounds` times at most thrice: what is loaded before takes far longer than what is measured.
pub fn run(_workspace: &Workspace, rounds: u32) -> Result<Report> {
    host::need(&[("createrepo_c", "createrepo-c"), ("reprepro", "reprepro"), ("gpg", "gpg")])?;
    let sh = Shell::new()?;
    let dir = sh.create_temp_dir()?;
    let dir = dir.path();
    let key = dir.join("key");
    let xtask = std::env::current_exe().context("this program has no path")?;
    cmd!(sh, "{xtask} key new {key} --name")
        .arg("Bench <bench@example.org>")
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()?;
    // Ten thousand packages are signed by a smaller key before anything is measured, or that would take minutes.
    let small = dir.join("small");
    fs::create_dir(dir.join("gnupg"))?;
    fs::set_permissions(dir.join("gnupg"), fs::Permissions::from_mode(0o700))?;
    let quietly = ["--quiet", "--batch", "--passphrase", ""];
    let _home = sh.push_env("GNUPGHOME", dir.join("gnupg"));
    cmd!(sh, "gpg {quietly...} --quick-generate-key bench@example.org rsa2048 sign never").quiet().run()?;
    fs::write(&small, cmd!(sh, "gpg {quietly...} --armor --export-secret-keys").quiet().read()?)?;
    fs::set_permissions(&small, fs::Permissions::from_mode(0o600))?;
    let publish = |key: &Path, dist: &Path, out: &Path| -> Result<f64> {
        let start = Instant::now();
        cmd!(sh, "{xtask} repo --key {key} --dist {dist} --out {out}").quiet().ignore_stdout().run()?;
        Ok(start.elapsed().as_secs_f64())
    };
    let (nothing, template) = (dir.join("nothing"), dir.join("template"));
    publish(&key, &nothing, &template)?;
    let templates = templates(&template)?;
    let mut rows = Vec::new();
    for size in SIZES {
        let base = dir.join(size.to_string());
        let (first, out) = (base.join("first"), base.join("repo"));
        packages(&first, 0..size, &templates)?;
        publish(&small, &first, &out)?;
        publish(&key, &nothing, &out)?;
        let (rpms, debs) = (base.join("rpms"), base.join("debs"));
        for (kind, place) in [("rpm", &rpms), ("deb", &debs)] {
            fs::create_dir_all(place)?;
            for entry in fs::read_dir(&first)? {
                let path = entry?.path();
                if path.extension().is_some_and(|e| e == kind) {
                    fs::hard_link(&path, place.join(path.file_name().unwrap_or_default()))?;
                }
            }
        }
        cmd!(sh, "createrepo_c --quiet --no-database {rpms}").quiet().run()?;
        reprepro(&sh, &base, &debs)?;
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..rounds.clamp(1, 3) as usize {
            let dist = base.join(format!("new-{round}"));
            packages(&dist, size + round..size + round + 1, &templates)?;
            times[0].push(publish(&key, &dist, &out)?);
            for entry in fs::read_dir(&dist)? {
                let path = entry?.path();
                match path.extension().and_then(|e| e.to_str()) {
                    Some("rpm") => {
                        fs::copy(&path, rpms.join(path.file_name().unwrap_or_default()))?;
                        let start = Instant::now();
                        cmd!(sh, "createrepo_c --quiet --no-database --update {rpms}").quiet().run()?;
                        times[1].push(start.elapsed().as_secs_f64());
                    }
                    Some("deb") => {
                        let start = Instant::now();
                        cmd!(sh, "reprepro --silent --basedir {base} includedeb stable {path}")
                            .quiet()
                            .run()?;
                        times[2].push(start.elapsed().as_secs_f64());
                    }
                    _ => {}
                }
            }
        }
        let [ours, createrepo, reprepro] = times.map(|times| times.into_iter().fold(f64::INFINITY, f64::min));
        rows.push(Row::new(&format!("one into {size}, against createrepo_c"), "s", ours, createrepo));
        rows.push(Row::new(&format!("one into {size}, against reprepro"), "s", ours, reprepro));
        rows.push(Row::new(&format!("one into {size}, against both"), "s", ours, createrepo + reprepro));
    }
    Ok(Report {
        ours: "ours".to_owned(),
        theirs: "theirs".to_owned(),
        how: "cargo xtask repo".to_owned(),
        rows,
        notes: vec![
            "ours is both repositories, signed; createrepo_c and reprepro make one each and sign nothing"
                .to_owned(),
            "each package has a name of its own: reprepro before 5.4 keeps one version of a name".to_owned(),
        ],
    })
}

/// A .deb and an .rpm to make others of.
fn templates(out: &Path) -> Result<[Vec<u8>; 2]> {
    let find = |folder: &str, kind: &str| -> Result<Vec<u8>> {
        let found = walkdir::WalkDir::new(out.join(folder))
            .into_iter()
            .filter_map(|entry| Some(entry.ok()?.into_path()))
            .find(|path| path.extension().is_some_and(|e| e == kind))
            .context("the package of keys and sources was not published")?;
        Ok(fs::read(found)?)
    };
    Ok([find(DEB, "deb")?, find(RPM, "rpm")?])
}

/// A folder as `dist` leaves it, with packages of these numbers.
fn packages(dist: &Path, numbers: std::ops::Range<usize>, [deb, rpm]: &[Vec<u8>; 2]) -> Result<()> {
    fs::create_dir_all(dist)?;
    let mut listed = Vec::new();
    for number in numbers {
        let (name, version) = (format!("load-{number:05}"), "1.0.0");
        for (file, format, architecture, bytes) in [
            (format!("{name}_{version}_all.deb"), "deb", "all", deb::renamed(deb, &name, version)?),
            (format!("{name}-{version}-1.noarch.rpm"), "rpm", "noarch", rpm::renamed(rpm, &name, version)?),
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

/// reprepro's repository with these packages.
fn reprepro(sh: &Shell, base: &Path, debs: &Path) -> Result<()> {
    fs::create_dir_all(base.join("conf"))?;
    let distribution = "Codename: stable\nArchitectures: amd64 arm64\nComponents: main\n";
    fs::write(base.join("conf/distributions"), distribution)?;
    let mut files: Vec<_> = fs::read_dir(debs)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    for files in files.chunks(1_000) {
        cmd!(sh, "reprepro --silent --basedir {base} includedeb stable {files...}").quiet().run()?;
    }
    Ok(())
}
