//! What is done to a machine by commands on it.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::machine::Machine;
use crate::output::Output;

const SHUTDOWN_BOUND: Duration = Duration::from_secs(60);
const INSTALL_BOUND: Duration = Duration::from_secs(120);

impl Machine {
    /// Installs a package of the host, as a person does with apt; its dependencies must be there already.
    /// Edited configuration files are kept.
    #[must_use = "a command that fails unnoticed proves nothing: say .ok() or .fails()"]
    #[track_caller]
    pub fn install(&self, package: impl AsRef<Path>) -> Output<'_> {
        let package = package.as_ref();
        let Some(name) = package.file_name() else { panic!("`{}` is no package", package.display()) };
        let inside = format!("/var/tmp/{}", name.to_string_lossy());
        self.put_file(package, &inside);
        let apt_get = ["apt-get", "-q", "-y", "--no-install-recommends", "--allow-downgrades"];
        let keep = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"];
        let verb = ["install", &inside];
        self.command(&[&apt_get[..], &keep, &verb].concat()).within(INSTALL_BOUND).run()
    }

    /// Adds an ordinary user with a home and bash, and makes the groups that do not exist.
    ///
    /// # Panics
    /// When the machine refuses.
    #[track_caller]
    pub fn add_user(&self, name: &str, groups: &[&str]) {
        let make: String =
            groups.iter().map(|group| format!("groupadd --force --system {group} && ")).collect();
        let list = groups.join(",");
        self.run(&format!("{make}useradd --create-home --shell /bin/bash --groups '{list}' {name}")).ok();
    }

    /// Waits until a unit's `ActiveState` is this one.
    ///
    /// # Panics
    /// When it is not in time.
    #[track_caller]
    pub fn wait_for_unit(&self, unit: &str, state: &str, bound: Duration) {
        let show = ["systemctl", "show", "--value", "--property=ActiveState", unit];
        self.wait_for(&format!("`{unit}` {state}"), bound, || self.command(&show).run().text() == state);
    }

    /// Reboots it: `/run` and `/tmp` are empty afterwards, everything else stays.
    pub fn reboot(&mut self) -> Result<()> {
        // The way out ends together with the machine, so its status says nothing.
        let _ = self.command(&["systemctl", "reboot"]).run();
        self.wait_for_reboot(SHUTDOWN_BOUND)
    }
}
