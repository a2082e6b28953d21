//! Newly flashed machines, and helpers to inspect them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use support::packages::dist;
use testbed::{Machine, Result, Suite};

pub(crate) const FILE: &str = "/boot/firmware/custom.toml";
pub(crate) const ERRORS: &str = "/boot/firmware/custom-errors.txt";
pub(crate) const LINE: &str = "/boot/firmware/cmdline.txt";
pub(crate) const PROGRAM: &str = "/usr/libexec/first-boot/first-boot";
/// Time limit for operations that take no time on an idle host.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A person's file, with the line endings and byte order mark of Windows.
pub(crate) const ASKED: &str = include_str!("custom.toml");

/// Stand-ins for parts of an image that a test machine lacks: path, mode, text.
const STAND_INS: [(&str, u32, &str); 6] = [
    ("/usr/bin/ssh-keygen", 0o755, include_str!("ssh-keygen.sh")),
    ("/etc/ssh/sshd_config", 0o644, "Include /etc/ssh/sshd_config.d/*.conf\n"),
    ("/usr/lib/systemd/system/ssh.service", 0o644, include_str!("ssh.service")),
    ("/usr/lib/systemd/system/wpa_supplicant@.service", 0o644, include_str!("wpa_supplicant@.service")),
    ("/etc/sudoers.d/README", 0o440, "\n"),
    (LINE, 0o644, "console=tty1 root=PARTUUID=524f5649-02 rootwait\n"),
];

/// A dependency of the other package, for machines without a time service.
const TIME: &str = "
    mkdir -p /var/tmp/time/DEBIAN
    printf 'Package: time-stand-in\\nVersion: 1\\nArchitecture: all\\nProvides: time-daemon\\nMaintainer: x <x@example.org>\\nDescription: x\\n' \\
        >/var/tmp/time/DEBIAN/control
    dpkg-deb --build /var/tmp/time >/dev/null && dpkg --install /var/tmp/*.deb";

/// Returns the package of that name for this processor.
pub(crate) fn package(name: &str) -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| dist(&["first-boot", "rovi", "--format", "deb"], "first-boot"));
    let fits = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(name);
    built.iter().find(fits).unwrap()
}

/// Returns a machine with the packages but without a first-boot file.
pub(crate) fn flashed(suite: Suite) -> Result<Machine> {
    let machine = Machine::on(suite).files(STAND_INS).boot()?;
    for name in ["rovi-services", "rovi-first-boot"] {
        machine.put_file(package(name), &format!("/var/tmp/{name}.deb"));
    }
    machine.script(TIME).within(SOON).run().ok();
    Ok(machine)
}

/// Runs the program by hand.
#[track_caller]
pub(crate) fn apply(machine: &Machine) -> testbed::Output<'_> {
    machine.run(&format!("{PROGRAM} apply 2>&1"))
}

/// Returns the state of everything that can be configured, one line each, without what differs between runs.
pub(crate) fn everything(machine: &Machine) -> String {
    machine
        .script(
            "exec 2>&1
             cat /etc/hostname; grep 127.0.1.1 /etc/hosts
             getent passwd op; getent group op; id -nG op; grep ^op: /etc/shadow | cut -d: -f2; getent gshadow op
             grep ^op: /etc/subuid
             stat -c '%n %a %U:%G' /home/op /home/op/.bashrc /home/op/.ssh /home/op/.ssh/authorized_keys
             find /home/op | LC_ALL=C sort
             cat /home/op/.ssh/authorized_keys /etc/ssh/sshd_config.d/50-first-boot.conf
             stat -c '%n %a %U:%G' /etc/wpa_supplicant/*.conf; cat /etc/wpa_supplicant/*.conf /etc/modprobe.d/first-boot-region.conf
             readlink /etc/systemd/system/multi-user.target.wants/wpa_supplicant@wlan0.service
             readlink /etc/localtime; cat /etc/timezone /etc/default/keyboard /etc/vconsole.conf /etc/locale.conf
             grep ROVI_ROS_WS_DIR= /etc/rovi/.env.robot; cat /etc/profile.d/50-first-boot.sh
             ls /etc/*.lock /etc/*+ /etc/*- /etc/.*~ 2>/dev/null | grep -v -- '-$'
             cat /boot/firmware/*",
        )
        .within(SOON)
        .run()
        .stdout
}
