//! The upgrade of a whole machine to another suite, in place, as a person does it with apt. Machines have no network, so
//! the host's apt downloads the packages once into the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::archive::Archive;
use crate::machine::Machine;
use crate::output::Output;
use crate::suite::Suite;
use crate::{cache, host, root};

/// Downloads the lists and the packages of an upgrade.
const DOWNLOAD: &str = include_str!("upgrade/download.sh");
const UPGRADE_BOUND: Duration = Duration::from_secs(600);

impl Machine {
    /// Upgrades every package to another suite. Packages that the suite lacks, such as those under test, are kept.
    pub fn upgrade_to(&self, suite: Suite) -> Result<Output<'_>> {
        let archive = Archive::of_host();
        let folder = download(&archive, self.suite(), suite)?;
        for (from, to) in [("lists", "/var/lib/apt/lists"), ("archives", "/var/cache/apt/archives")] {
            for entry in fs::read_dir(folder.join(from)).with_context(|| format!("`{}`", folder.display()))? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    self.put_file(entry.path(), &format!("{to}/{}", entry.file_name().to_string_lossy()));
                }
            }
        }
        self.put("/etc/apt/sources.list", 0o644, source(&archive, suite));
        let upgrade = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-download -o Dpkg::Options::=--force-confold \
                       -o Dpkg::Options::=--force-confdef full-upgrade";
        Ok(self.script(upgrade).within(UPGRADE_BOUND).run())
    }
}

fn source(archive: &Archive, suite: Suite) -> String {
    format!("deb {} {suite} main\n", archive.mirror)
}

/// Returns the cached folder with `lists` and `archives`, or fills it.
fn download(archive: &Archive, from: Suite, to: Suite) -> Result<PathBuf> {
    let root = root::cached(from, &[])?;
    let key = cache::key(&format!("upgrade-{from}-{to}"), &[&root.to_string_lossy(), to.name(), DOWNLOAD]);
    cache::cached(&key, |draft, lock| {
        eprintln!("test machine: downloading the upgrade from {from} to {to} into the cache");
        fs::create_dir_all(draft)?;
        fs::write(draft.join("sources.list"), source(archive, to))?;
        let mut command = Command::new("sh");
        command.args(["-c", DOWNLOAD, "download.sh"]).arg(draft).arg(&root).arg(Path::new(host::KEYRING));
        cache::step("apt-get", &mut command, Stdio::from(lock.try_clone()?))
    })
}
