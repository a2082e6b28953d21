//! The packages without a running systemd: in a chroot, as for image builders and containers, and from
//! outside an image that may be for another processor.

use std::path::Path;

use support::robot::{SECOND, SUITES, next, package};
use testbed::{Plan, Result, Stage, at_once};

use crate::lifecycle::{GATEWAY, LINK, bare, gateway};

/// Returns a root with both versions of the package and without a running systemd.
fn stage(plan: Plan) -> Result<Stage> {
    let stage = plan.stage()?;
    for (name, package) in [("first.deb", package("deb")), ("next.deb", next("deb"))] {
        stage.put_file(Path::new(package), &format!("/var/tmp/{name}"))?;
    }
    stage.run("test ! -d /run/systemd/system").ok();
    Ok(stage)
}

#[test]
fn b8_in_a_chroot_group_and_link_are_made_and_nothing_starts_before_the_boot() -> Result<()> {
    at_once(SUITES, |suite| {
        let stage = stage(bare(suite))?;
        stage.run("dpkg --install /var/tmp/first.deb").ok();
        stage
            .run("getent group rovi-ops && getent passwd rovi && ls -d /run/rovi/stack.lock /var/lib/rovi")
            .ok();
        stage.run(&format!("readlink {LINK}")).ok().says(&format!("/lib/systemd/system/{GATEWAY}"));
        stage.run("ps -e -o comm= | grep -v -e bash -e ps -e grep").fails();
        // All steps from installation to removal in the chroot.
        stage.run("dpkg --install /var/tmp/next.deb && dpkg --remove rovi-services").ok();
        stage.run(&format!("test -L {LINK}")).ok();
        stage.run("dpkg --install /var/tmp/next.deb && dpkg --purge rovi-services").ok();
        stage.run(&format!("test ! -L {LINK} && test ! -e /run/rovi && getent group rovi-ops")).ok();
        stage.run("find /etc/systemd/system /var/lib/systemd -name '*rovi*' | grep .").fails();
        // Finally, the image boots and the gateway is active.
        stage.run("dpkg --install /var/tmp/first.deb").ok();
        let robot = stage.boot()?;
        robot.wait_for_unit(GATEWAY, "active", 5 * SECOND);
        assert_eq!(gateway(&robot), "active enabled");
        Ok(())
    })
}

#[test]
fn b3_b5_b6_presets_and_masks_count_in_a_chroot_too_and_tmpfiles_may_be_missing() -> Result<()> {
    at_once(SUITES, |suite| {
        let stage = stage(bare(suite))?;
        stage.run("mv /usr/bin/systemd-tmpfiles /var/tmp").ok();
        stage.put("/etc/systemd/system-preset/10-site.preset", 0o644, format!("disable {GATEWAY}"))?;
        stage.run("dpkg --install /var/tmp/first.deb").ok();
        stage.run(&format!("test ! -L {LINK}")).ok();
        stage.run("dpkg --install /var/tmp/next.deb").ok();
        stage.run(&format!("test ! -L {LINK}")).ok();
        stage.run("dpkg --purge rovi-services && rm /etc/systemd/system-preset/10-site.preset").ok();

        stage.run(&format!("ln -s /dev/null /etc/systemd/system/{GATEWAY}")).ok();
        stage.run("dpkg --install /var/tmp/first.deb && mv /var/tmp/systemd-tmpfiles /usr/bin").ok();
        let robot = stage.boot()?;
        assert_eq!(gateway(&robot), "inactive masked");
        Ok(())
    })
}

/// A package for another processor, and an image to put it into.
const IMAGE: &str = "
    cd /var/tmp && dpkg-deb -R first.deb tree
    sed -i 's/^Architecture: .*/Architecture: riscv64/' tree/DEBIAN/control
    dpkg-deb -Znone -b tree foreign.deb
    mkdir -p image/var/lib/dpkg/info image/var/lib/dpkg/updates image/etc/systemd/system-preset image/usr/bin
    touch image/var/lib/dpkg/status
    echo riscv64 >image/var/lib/dpkg/arch
    # It has a systemctl of its own, which nobody here can run.
    printf 'foreign' >image/usr/bin/systemctl && chmod 755 image/usr/bin/systemctl
";

#[test]
fn b9_an_image_for_another_processor_is_changed_and_the_running_system_is_not() -> Result<()> {
    at_once(SUITES, |suite| {
        let stage = stage(bare(suite))?;
        let robot = stage.boot()?;
        robot.run(IMAGE).ok();
        // Neither may be called for the host, nor for the image, because a builder may not have them.
        for name in ["systemctl", "deb-systemd-invoke"] {
            let text = format!("#!/bin/sh\necho \"{name} $*\" >>/var/tmp/calls\nexit 1\n");
            robot.put(&format!("/usr/local/sbin/{name}"), 0o755, text);
        }
        let state =
            || robot.run("getent passwd; getent group; ls -R /etc/systemd /run/rovi 2>&1").stdout.clone();
        let before = state();
        let dpkg =
            "dpkg --root=/var/tmp/image --force-script-chrootless --force-depends --force-architecture";
        let link = format!("test -L /var/tmp/image{LINK}");
        robot.run(&format!("{dpkg} --install /var/tmp/foreign.deb")).ok();
        robot.run(&link).ok();
        robot.run("cd /var/tmp/image/etc && grep -q ^rovi-ops: group && grep -q ^rovi: passwd").ok();
        robot.run(&format!("{dpkg} --install /var/tmp/foreign.deb && {dpkg} --remove rovi-services")).ok();
        robot.run(&link).ok();
        robot.run(&format!("{dpkg} --install /var/tmp/foreign.deb && {dpkg} --purge rovi-services")).ok();
        robot.run(&link).fails();
        robot.run("ls /var/tmp/image/run/rovi").fails();
        // The image's preset applies, not the host's.
        let preset = "systemd/system-preset/10-site.preset";
        robot.put(&format!("/var/tmp/image/etc/{preset}"), 0o644, format!("disable {GATEWAY}\n"));
        robot.run(&format!("{dpkg} --install /var/tmp/foreign.deb")).ok();
        robot.run(&link).fails();
        robot.run(&format!("rm /var/tmp/image/etc/{preset} && {dpkg} --purge rovi-services")).ok();
        robot.put(&format!("/etc/{preset}"), 0o644, format!("disable {GATEWAY}\n"));
        robot.run(&format!("{dpkg} --install /var/tmp/foreign.deb")).ok();
        robot.run(&link).ok();
        robot.run("rm -r /etc/systemd/system-preset").ok();
        assert_eq!(robot.read("/var/tmp/calls"), None, "{suite}");
        assert_eq!(state(), before);
        Ok(())
    })
}
