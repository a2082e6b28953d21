//! The program as the first process of a machine: the system sees a writable root, and the card is not
//! changed.

use testbed::{Machine, Result, Stage, Suite};

use crate::card::{PROGRAM, package};

/// Replaces systemd: prints what it sees, and writes to the root.
const INIT: &str = include_str!("init.sh");

#[test]
fn as_the_first_process_it_keeps_the_card_as_it_is() -> Result<()> {
    let stage = card()?;
    let said = stage.run(&boot("mount -t tmpfs tmpfs /run")).ok();
    for line in [
        "first-boot: the root file system is read-only: changes stay in memory and are lost at shutdown",
        "init 1 one two",
        "root overlay",
        "PARTUUID=1-01 /boot/firmware vfat defaults,ro 0 2",
        "written to the root: of memory",
        "below: of the card",
        "below is read-only",
        "marked",
    ] {
        assert!(said.stdout.lines().any(|l| l.trim() == line), "{line}: {said}");
    }
    assert!(!said.stdout.contains("PARTUUID=1-02"), "{said}");
    assert_eq!(stage.read("/etc/mark").as_deref(), Some("of the card\n"));
    // Without an initramfs, which would have mounted it.
    let said = card()?.run(&boot("true")).ok();
    assert!(said.stdout.contains("root overlay\n") && said.stdout.contains("marked"), "{said}");
    // If it cannot be set up, systemd starts on the root as it is.
    let said = card()?.run(&boot("mount -t tmpfs -o ro tmpfs /run")).ok();
    assert!(
        said.stdout
            .contains("error: first-boot: cannot make the root file system read-only: `/run/first-boot`: "),
        "{said}"
    );
    assert!(said.stdout.contains("init 1 one two") && !said.stdout.contains("marked"), "{said}");
    Ok(())
}

/// Returns a card's root.
fn card() -> Result<Stage> {
    let stage = Machine::on(Suite::Trixie).stage()?;
    stage.put_file(package("rovi-first-boot"), "/var/tmp/first-boot.deb")?;
    stage.run("dpkg-deb --extract /var/tmp/first-boot.deb / && ln -sf init.sh /sbin/init").ok();
    stage.put("/sbin/init.sh", 0o755, INIT)?;
    stage.put(
        "/etc/fstab",
        0o644,
        "PARTUUID=1-02 / ext4 defaults 0 1\nPARTUUID=1-01 /boot/firmware vfat defaults 0 2\n",
    )?;
    stage.put("/etc/mark", 0o644, "of the card\n")?;
    Ok(stage)
}

/// Returns a script that runs the program as the first process after this preparation.
fn boot(prepare: &str) -> String {
    format!(
        "unshare --mount --pid --fork sh -c 'mount -t proc proc /proc && {prepare} && exec {PROGRAM} one two' 2>&1"
    )
}
