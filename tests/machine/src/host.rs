//! What the host must have before a machine can be made: root's rights and a few programs.
//!
//! Missing programs are installed, because a test that cannot run is a test that fails.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;

/// What is looked for, and the package that brings it.
const NEEDS: [(&str, &str); 6] = [
    ("systemd-nspawn", "systemd-container"),
    ("mmdebstrap", "mmdebstrap"),
    ("mount", "mount"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    (KEYRING, "debian-archive-keyring"),
];

/// The keys that Debian's releases are signed with; a host that is not Debian lacks them.
pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

const INSTALL_BOUND: Duration = Duration::from_secs(600);

/// Makes sure that machines can be made here.
pub(crate) fn prepare() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!(
            "test machine: booting a container needs root: run the same command with `sudo --preserve-env=PATH,HOME`"
        );
    }
    // Tests run as threads of one process, and each of them comes here first.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = packages.into_iter().collect();
    eprintln!("test machine: installing {}, which it needs", packages.join(" "));
    if apt_get("install", &packages).is_err() {
        // The lists are absent or out of date on most fresh hosts, and slow to refresh where they are not.
        apt_get("update", &[]).and_then(|()| apt_get("install", &packages)).with_context(|| {
            format!(
                "test machine: {0} missing and not installed: run `apt-get install {0}`",
                packages.join(" ")
            )
        })?;
    }
    Ok(())
}

fn missing() -> BTreeSet<&'static str> {
    NEEDS.into_iter().filter(|(file, _)| !present(file)).map(|(_, package)| package).collect()
}

fn present(file: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // `join` with an absolute name yields that name, which is how the keyring is found.
    Path::new(file).is_file() || env::split_paths(&path).any(|folder| folder.join(file).is_file())
}

fn apt_get(verb: &str, packages: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["-q", "-y", "--no-install-recommends", verb]).args(packages);
    // Another test process may be installing the same packages at this moment.
    command.args(["-o", "DPkg::Lock::Timeout=300"]).env("DEBIAN_FRONTEND", "noninteractive");
    let ended = process::run(&mut command, INSTALL_BOUND).context("`apt-get` does not start")?;
    if ended.status == 0 { Ok(()) } else { bail!("apt-get {verb}: {}", ended.tail()) }
}
