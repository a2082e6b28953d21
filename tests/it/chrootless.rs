//! Building an image for another processor runs our maintainer scripts on the host (`dpkg --root=DIR
//! --force-script-chrootless`). They must only change the image.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use support::command::{dist, sh};
use support::scratch::scratch;

/// Traces of our packages on the host; other tests may change everything else.
const TRACES: &str = "getent passwd rovi || true; getent group rovi rovi-ops || true; find /etc /run /usr/lib -xdev -name '*rovi*' || true";

#[test]
fn an_arm64_package_goes_into_an_image_and_never_calls_this_machines_systemctl() {
    let dir = scratch("chrootless");
    let before = sh(&dir, TRACES);
    let image = image_with(&dir, "rovi-services");
    let read = |path: &str| fs::read_to_string(image.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    assert!(read("etc/group").contains("rovi-ops:x:"), "the group is made");
    assert!(read("etc/passwd").contains("rovi:x:"), "the user is made");
    let link =
        fs::read_link(image.join("etc/systemd/system/multi-user.target.wants/rovi-gateway.service")).unwrap();
    assert_eq!(link.to_str(), Some("/usr/lib/systemd/system/rovi-gateway.service"));
    assert_eq!(sh(&dir, TRACES), before, "this machine is as it was");
}

#[test]
fn services_of_users_go_into_an_image_and_nobody_has_them_yet() {
    let dir = scratch("chrootless-user");
    image_with(&dir, "mycroft-services");
    let links = "find image/etc/systemd -type l 2>/dev/null || true";
    assert_eq!(sh(&dir, links), "");
    // To enable a unit, systemctl only needs the image.
    let enable = "systemctl --root=image --global enable mycroft.service 2>&1; readlink image/etc/systemd/user/*.wants/*";
    assert!(sh(&dir, enable).ends_with("/usr/lib/systemd/user/mycroft.service\n"));
}

/// Returns an image with the package configured, without a call of the host's systemctl.
fn image_with(dir: &Path, package: &str) -> PathBuf {
    let image = dir.join("image");
    for path in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"] {
        fs::create_dir_all(image.join(path)).unwrap();
    }
    fs::write(image.join("var/lib/dpkg/status"), "").unwrap();
    fs::write(image.join("var/lib/dpkg/arch"), "arm64\n").unwrap();
    let recorder = dir.join("systemctl");
    let calls = dir.join("calls");
    fs::write(&recorder, format!("#!/bin/sh\necho \"$0 $*\" >>{}\nexit 1\n", calls.display())).unwrap();
    fs::set_permissions(&recorder, fs::Permissions::from_mode(0o755)).unwrap();
    // For this command only, a recorder replaces the real systemctl at every path. It is called once on
    // purpose, because otherwise the test would prove nothing.
    let install = format!(
        "mount --bind {recorder} \"$(command -v systemctl)\"
         systemctl is-recorded || true
         dpkg --root={image} --force-script-chrootless --force-depends --force-architecture --install {deb}",
        recorder = recorder.display(),
        image = image.display(),
        deb = dist().package(package, "arm64.deb").display(),
    );
    sh(dir, &format!("exec unshare --mount --map-root-user sh -euc '{install}' 2>&1"));
    let calls = fs::read_to_string(calls).unwrap();
    assert_eq!(calls.lines().count(), 1, "systemctl was called: {calls}");
    let status = fs::read_to_string(image.join("var/lib/dpkg/status")).unwrap();
    assert!(status.contains("Status: install ok installed"), "configured, not only unpacked");
    image
}
