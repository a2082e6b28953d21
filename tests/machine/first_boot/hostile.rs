//! Invalid files, and boot partitions that cannot be written to.

use testbed::{Result, Suite};

use crate::card::{ASKED, ERRORS, FILE, apply, everything, flashed};

#[test]
fn what_is_wrong_is_said_on_the_card_and_the_rest_is_done() -> Result<()> {
    let machine = flashed(Suite::Bookworm)?;
    // Valid syntax, but wrong for this machine.
    machine.put(
        FILE,
        0o644,
        "[system]\nhostname = \"../etc\"\nread_only = true\n[user]\nname = \"daemon\"\n[ssh]\nauthorized_keys = \"ssh-ed25519 AAAA\"\n\
         [locale]\ntimezone = \"Europe/Nowhere\"\nlanguage = \"xx_XX.UTF-8\"\nkeymap = \"us\"\n[robot]\nrole = \"toaster\"\n[wlan]\nssid = \"open\"\n",
    );
    machine.run("rm /boot/firmware/cmdline.txt; rm /usr/lib/systemd/system/wpa_supplicant@.service").ok();
    apply(&machine).ok();
    let errors = machine.read(ERRORS).unwrap();
    let lines: Vec<&str> = errors.split("\r\n").skip(2).filter(|line| !line.is_empty()).collect();
    assert_eq!(lines, include_str!("errors.txt").lines().collect::<Vec<_>>());
    assert!(machine.read("/etc/vconsole.conf").unwrap().contains("\nKEYMAP=us\n"));
    assert!(machine.read("/run/issue.d/50-first-boot.issue").unwrap().contains("Nobody can log in yet"));
    assert!(!machine.has("/usr/sbin/.ssh") && !machine.has("/home/daemon"));
    // A password still works when the key does not.
    assert!(!machine.has("/etc/ssh/sshd_config.d/50-first-boot.conf"));

    // A file extension that Windows hides.
    machine.run(&format!("mv {FILE} {FILE}.txt")).ok();
    apply(&machine).exits(78).says("rename it to `custom.toml`");
    machine.run(&format!("rm {FILE}.txt {ERRORS}")).ok();
    apply(&machine).ok();
    // More faults than anyone would read.
    machine.put(FILE, 0o644, "x = [\n".repeat(10_000));
    let said = apply(&machine).ok().says("and 9950 more").stdout;
    assert!(said.lines().count() < 60);
    assert_eq!(machine.read(ERRORS).unwrap().lines().count(), 2 + 51);
    machine.run(&format!("rm {FILE} {ERRORS}")).ok();
    // A folder in place of the file, and a missing boot partition.
    machine.run(&format!("mkdir {FILE}")).ok();
    apply(&machine).exits(1).says("error: `/boot/firmware/custom.toml`: is a directory");
    machine.run("rm -r /boot/firmware").ok();
    apply(&machine).ok();
    let skipped =
        "systemctl restart first-boot && systemctl show --property=ConditionResult --value first-boot";
    assert_eq!(machine.run(skipped).ok().text(), "no");
    Ok(())
}

#[test]
fn a_boot_partition_that_takes_nothing_more() -> Result<()> {
    let machine = flashed(Suite::Trixie)?;
    let asked = ASKED.replace("\"de\"", "\"d e\"");
    // Full: the secrets are still overwritten, and the journal contains what the file cannot.
    machine.run("mount -t tmpfs -o size=16k tmpfs /boot/firmware").ok();
    machine.put(FILE, 0o644, &asked);
    machine.run("cat /dev/zero >/boot/firmware/full").fails();
    apply(&machine)
        .exits(1)
        .says("line 21: [locale] keymap: invalid keyboard layout")
        .says("free space on the boot partition");
    assert!(!machine.read(FILE).unwrap().contains("horse"));
    apply(&machine).ok();
    machine.run("umount /boot/firmware").ok();

    // Read-only: applied once, with a warning at every boot that the passwords are still there; then
    // overwritten.
    machine.put(FILE, 0o644, ASKED);
    machine.run("mount --bind /boot/firmware /boot/firmware && mount -o remount,bind,ro /boot/firmware").ok();
    let told = ": make the boot partition writable";
    apply(&machine).exits(1).says(told);
    let done = everything(&machine);
    assert!(done.contains("XKBLAYOUT=\"de\"") && done.contains("horse"));
    machine.run("touch /var/tmp/mark").ok();
    apply(&machine).exits(1).says(told);
    assert_eq!(machine.run("find /etc /home -xdev -newer /var/tmp/mark").ok().text(), "");
    machine.run("mount -o remount,bind,rw /boot/firmware").ok();
    apply(&machine).ok();
    assert!(!machine.read(FILE).unwrap().contains("horse"));
    assert_eq!(machine.run("find /etc /home -xdev -newer /var/tmp/mark").ok().text(), "");
    Ok(())
}
