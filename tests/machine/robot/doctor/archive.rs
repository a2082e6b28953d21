//! An archive on the machine in place of the network: the package under test, and stand-ins for packages from
//! elsewhere.

use support::robot::package;
use testbed::Machine;

/// Creates the archive and removes all others.
pub(crate) fn make(robot: &Machine) {
    robot.put_file(package("deb"), "/srv/archive/product.deb");
    // ROS, which an overlay is built on.
    for (path, mode, text) in
        testbed::ros::stand_in().into_iter().filter(|(path, ..)| path.starts_with("/opt/ros/"))
    {
        robot.put(&format!("/srv/ros{path}"), mode, text);
    }
    robot.put("/srv/ros/opt/ros/jazzy/setup.sh", 0o644, "PATH=/opt/ros/jazzy/bin:$PATH\n");
    robot.put("/srv/ros/DEBIAN/control", 0o644, control("ros-jazzy-ros-base"));
    robot.run("cp /opt/rovi/ros_ws/install/setup.bash /srv/").ok();
    robot.put("/usr/local/bin/colcon", 0o755, COLCON);
    // The time daemon. Like the real one, it touches a file once the time is synchronized.
    robot.put(
        "/srv/ntp/usr/lib/systemd/ntp-units.d/80-systemd-timesync.list",
        0o644,
        "systemd-timesyncd.service\n",
    );
    robot.put("/srv/ntp/usr/lib/systemd/system/systemd-timesyncd.service", 0o644, TIMESYNCD);
    robot.put("/srv/ntp/DEBIAN/control", 0o644, control("systemd-timesyncd"));
    // timedated has already read the list of those units and would only exit later.
    let forget = "#!/bin/sh\nsystemctl daemon-reload\nsystemctl stop systemd-timedated\n";
    robot.put("/srv/ntp/DEBIAN/postinst", 0o755, forget);
    robot.run(ARCHIVE).ok();
}

fn control(package: &str) -> String {
    format!(
        "Package: {package}\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n\
         Description: stand-in\n"
    )
}

const COLCON: &str = "#!/bin/sh\ntest \"$1\" = build && mkdir -p install && cp /srv/setup.bash install/\n";

const TIMESYNCD: &str = "[Service]\n\
    ExecStart=/bin/sh -c 'mkdir -p /var/lib/systemd/timesync; touch /var/lib/systemd/timesync/clock; exec sleep infinity'\n\
    [Install]\nWantedBy=sysinit.target\n";

const ARCHIVE: &str = r#"
set -e
cd /srv/archive
chmod 755 /srv/ros /srv/ntp
for tree in ros ntp; do dpkg-deb --root-owner-group -Znone --build /srv/$tree $tree.deb >/dev/null; done
for deb in *.deb; do
    dpkg-deb --field $deb | sed '/^$/d'
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' $deb "$(stat --format=%s $deb)" "$(sha256sum $deb | cut -d' ' -f1)"
done >Packages
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/archive ./' >/etc/apt/sources.list
apt-get --quiet update
"#;
