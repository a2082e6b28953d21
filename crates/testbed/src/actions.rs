//! Common actions on a machine, each a command on it.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::machine::Machine;
use crate::output::Output;

const SHUTDOWN_BOUND: Duration = Duration::from_secs(60);
const INSTALL_BOUND: Duration = Duration::from_secs(120);

impl Machine {
    /// Installs a host's package with apt; its dependencies must be installed already. Modified configuration
    /// files are kept.
    #[must_use = "check the result with .ok() or .fails()"]
    #[track_caller]
    pub fn install(&self, package: impl AsRef<Path>) -> Output<'_> {
        let package = package.as_ref();
        let Some(name) = package.file_name() else { panic!("`{}` is not a package", package.display()) };
        let inside = format!("/var/tmp/{}", name.to_string_lossy());
        self.put_file(package, &inside);
        let apt_get = ["apt-get", "-q", "-y", "--no-install-recommends", "--allow-downgrades"];
        let keep = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"];
        let verb = ["install", &inside];
        self.command(&[&apt_get[..], &keep, &verb].concat()).within(INSTALL_BOUND).run()
    }

    /// Adds a regular user with a home folder and bash, and creates missing groups.
    ///
    ///
    /// # Panics
    ///
    ///
    /// If a command fails on the machine.
    #[track_caller]
    pub fn add_user(&self, name: &str, groups: &[&str]) {
        let make: String =
            groups.iter().map(|group| format!("groupadd --force --system {group} && ")).collect();
        let list = groups.join(",");
        self.run(&format!("{make}useradd --create-home --shell /bin/bash --groups '{list}' {name}")).ok();
    }

    /// Waits until a unit's `ActiveState` has this value.
    ///
    ///
    /// # Panics
    ///
    ///
    /// If it does not in time.
    #[track_caller]
    pub fn wait_for_unit(&self, unit: &str, state: &str, bound: Duration) {
        let show = ["systemctl", "show", "--value", "--property=ActiveState", unit];
        self.wait_for(&format!("`{unit}` {state}"), bound, || self.command(&show).run().text() == state);
    }

    /// Reboots the machine: `/run` and `/tmp` are empty afterwards, everything else is kept.
    pub fn reboot(&mut self) -> Result<()> {
        // `nsenter` ends with the machine, so its status means nothing.
        let _ = self.command(&["systemctl", "reboot"]).run();
        self.wait_for_reboot(SHUTDOWN_BOUND)
    }
}
