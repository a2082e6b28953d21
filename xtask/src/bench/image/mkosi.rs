//! Builds the same packages with mkosi, with caches for everything but our own packages, which mkosi calls
//! volatile and installs anew each time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use debian::archive::package::Package;
use testbed::{Machine, Suite};

use super::Pair;

const RUN: &str = include_str!("../mkosi.sh");
/// Packages of mkosi's root, which is Debian 13: Debian 12 only has version 14.
const PACKAGES: [&str; 9] = [
    "apt",
    "ca-certificates",
    "cpio",
    "debian-archive-keyring",
    "kmod",
    "mkosi",
    "qemu-user-static",
    "reprepro",
    "zstd",
];

/// mkosi in its own root, ready to build.
pub(super) struct Mkosi {
    root: PathBuf,
    work: PathBuf,
}

impl Mkosi {
    /// Writes its configuration and creates its root.
    pub(super) fn new(pair: &Pair, packages: &[Package], debs: &[PathBuf], work: &Path) -> Result<Mkosi> {
        let root = Machine::on(Suite::Trixie).with(&PACKAGES).root()?;
        let (own, apt) = (work.join("own"), work.join("mkosi.sandbox/etc/apt/sources.list.d"));
        for folder in [&own, &apt, &work.join("mkosi.cache"), &work.join("packages")] {
            fs::create_dir_all(folder)?;
        }
        for deb in debs {
            fs::copy(deb, own.join(deb.file_name().context("package path without a file name")?))?;
        }
        // An existing file stops mkosi from writing its own, which names archives that mirrors do not have.
        fs::write(apt.join("mkosi.sources"), "")?;
        fs::write(apt.join("bench.list"), pair.sources().map(|line| line + "\n").collect::<String>())?;
        let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
        let ours: Vec<&str> = pair.products.iter().map(|product| product.package.as_str()).collect();
        let text = format!(
            "[Distribution]\nDistribution={}\nRelease={}\nArchitecture={}\n\n\
             [Output]\nFormat=tar\nCompressOutput=no\n\n\
             [Content]\nPackages={}\nVolatilePackages={}\nVolatilePackageDirectories=own\nWithRecommends=no\n\
             WithDocs=no\nBootable=no\n\n\
             [Build]\nIncremental=yes\nPackageCacheDirectory=packages\n",
            pair.suite.distribution,
            pair.suite.name,
            pair.board.architecture,
            names.join(","),
            ours.join(","),
        );
        fs::write(work.join("mkosi.conf"), text)?;
        Ok(Mkosi { root, work: work.to_owned() })
    }

    /// Builds the tar; returns the seconds it took.
    pub(super) fn build(&self) -> Result<f64> {
        let log = self.work.with_extension("log");
        let log_file = File::create(&log)?;
        let begun = Instant::now();
        let status = Command::new("unshare")
            // Ends with this process, whatever state it is in.
            .args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"])
            .args(["sh", "-c", RUN, "mkosi.sh"])
            .args([&self.root, &self.work])
            .args(["--force", "build"])
            .stdout(log_file.try_clone()?)
            .stderr(log_file)
            .status()?;
        if !status.success() {
            bail!("mkosi: {}", super::end(&fs::read_to_string(&log)?));
        }
        Ok(begun.elapsed().as_secs_f64())
    }
}
