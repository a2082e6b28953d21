//! Checks the root file system as first boot will find it: every package is fully installed, no account has a
//! password, and nothing is present that must differ between cards.

use anyhow::{Context, Result};

use super::{Card, Needs, elf_machine};
use crate::card::root::Root;

/// Created on first boot; two cards must not share them.
const SECRETS: [&str; 2] = ["/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret"];

const DPKG: &str = "/var/lib/dpkg/status";

pub(super) fn check(root: &Root<'_>, card: &Card, needs: &Needs, faults: &mut Vec<String>) -> Result<()> {
    let text = |path: &str| -> Result<String> {
        let content = root.read(path)?.with_context(|| format!("root: `{path}` does not exist"))?;
        Ok(String::from_utf8_lossy(&content).into_owned())
    };
    match text(DPKG) {
        Ok(status) => packages(&status, needs, faults),
        Err(error) => faults.push(format!("{error:#}")),
    }
    match text("/etc/shadow") {
        Ok(shadow) => passwords(&shadow, faults),
        Err(error) => faults.push(format!("{error:#}")),
    }
    match text("/etc/fstab") {
        Ok(table) => mounts(&table, card, faults),
        Err(error) => faults.push(format!("{error:#}")),
    }
    identity(root, faults)?;
    let manager = root.read("/usr/lib/systemd/systemd")?.unwrap_or_default();
    if elf_machine(&manager) != Some(needs.machine.elf()) {
        faults
            .push(format!("root: `/usr/lib/systemd/systemd` is not a program for {}", needs.machine.name()));
    }
    Ok(())
}

fn packages(status: &str, needs: &Needs, faults: &mut Vec<String>) {
    let mut count = 0;
    for stanza in status.split("\n\n").filter(|stanza| !stanza.trim().is_empty()) {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let (name, state) = (field("Package:").unwrap_or("?"), field("Status:").unwrap_or("?"));
        if state != "install ok installed" && state != "hold ok installed" {
            faults.push(format!("root: package {name} is `{state}`"));
        }
        let machine = field("Architecture:").unwrap_or("?");
        if machine != "all" && machine != needs.machine.name() {
            faults.push(format!("root: package {name} is for {machine}"));
        }
        count += 1;
    }
    if count == 0 {
        faults.push(format!("root: `{DPKG}` lists no packages"));
    }
}

/// A password in a published image is known to everyone.
fn passwords(shadow: &str, faults: &mut Vec<String>) {
    for line in shadow.lines() {
        let mut fields = line.split(':');
        let (user, hash) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        if !hash.starts_with(['!', '*']) {
            let what = if hash.is_empty() { "can log in without a password" } else { "has a password" };
            faults.push(format!("root: `/etc/shadow`: {user} {what}"));
        }
    }
}

fn mounts(table: &str, card: &Card, faults: &mut Vec<String>) {
    for line in table.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let Some(source) = line.split_whitespace().next() else { continue };
        let Some(id) = source.strip_prefix("PARTUUID=") else { continue };
        let known =
            card.partitions().iter().any(|p| id == format!("{:08x}-{:02}", card.signature(), p.number));
        if !known {
            faults.push(format!("root: `/etc/fstab`: `{source}` is not a partition of this card"));
        }
    }
}

fn identity(root: &Root<'_>, faults: &mut Vec<String>) -> Result<()> {
    let id = root.read("/etc/machine-id")?.unwrap_or_default();
    let id = String::from_utf8_lossy(&id).trim().to_owned();
    if !id.is_empty() && id != "uninitialized" {
        faults.push("root: `/etc/machine-id` is set, so all cards would have the same identity".to_owned());
    }
    let bus = root.read("/var/lib/dbus/machine-id")?.unwrap_or_default();
    let bus = String::from_utf8_lossy(&bus).trim().to_owned();
    if !bus.is_empty() && bus != id {
        faults.push("root: `/var/lib/dbus/machine-id` differs from `/etc/machine-id`".to_owned());
    }
    let keys = root.names("/etc/ssh")?.into_iter().filter(|name| name.starts_with("ssh_host_"));
    let secrets = SECRETS.iter().map(|path| (*path).to_owned());
    for path in keys.map(|name| format!("/etc/ssh/{name}")).chain(secrets) {
        if root.has(&path)? {
            faults.push(format!("root: `{path}` exists, so all cards would share it"));
        }
    }
    Ok(())
}
