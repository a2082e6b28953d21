//! What the scenarios of a package's life share: the next version of the packages, package managers, and what there
//! is to see of an installed product. The numbers in the names of the scenarios are those of the behaviours that the
//! packages promise.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use machine::{Machine, Output, Plan, Suite, ros};

use crate::package::{SECOND, dist};

pub(crate) const GATEWAY: &str = "rovi-gateway.service";
pub(crate) const PENDING: &str = "/run/rovi/restart-pending";
pub(crate) const LINK: &str = "/etc/systemd/system/multi-user.target.wants/rovi-gateway.service";
/// The link that only the next version's unit asks for.
pub(crate) const NEW_LINK: &str = "/etc/systemd/system/rovi-main.service";

/// The next version, `deb` or `rpm`: every unit and both environment files differ, the gateway has one more
/// `[Install]` link, and there is a stack more.
pub(crate) fn next(format: &str) -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("next.toml");
        fs::write(&file, next_catalog()).unwrap();
        dist(&["--catalog", file.to_str().unwrap()], "next")
    });
    built.iter().find(|path| path.extension().is_some_and(|e| e == format)).unwrap()
}

fn next_catalog() -> String {
    let first = concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog/rovi.toml");
    let mut text = fs::read_to_string(first).unwrap();
    for (old, new) in [
        (
            "[[release]]\n",
            "[[release]]\nversion = \"0.2.0\"\ndate = \"2026-12-20\"\nchanges = [\"Next.\"]\n\n[[release]]\n",
        ),
        ("description = \"ROVI ", "description = \"Next ROVI "),
        ("The one place that says", "Here is the one place that says"),
        ("{ value = \"77\"", "{ value = \"78\""),
        ("boot = true\n", "boot = true\ndirectives.Install.Alias = \"rovi-main.service\"\n"),
        (
            "[[permit]]\n",
            "[service.dock]\nuse = \"stack\"\ndescription = \"ROVI stack: dock\"\n\n[[permit]]\n",
        ),
    ] {
        assert!(text.contains(old), "the catalog no longer has {old:?}");
        text = text.replacen(old, new, if old.starts_with("desc") { 99 } else { 1 });
    }
    text
}

/// A machine that could run the product, without it.
pub(crate) fn bare(suite: Suite) -> Plan {
    Machine::on(suite).files(ros::stand_in())
}

/// `dpkg --install`, which asks no questions: faster than apt, and it does not solve anything in between.
#[must_use]
#[track_caller]
pub(crate) fn dpkg<'m>(robot: &'m Machine, package: &Path) -> Output<'m> {
    let inside = format!("/var/tmp/{}", package.file_name().unwrap().to_str().unwrap());
    robot.put_file(package, &inside);
    robot.run(&format!("dpkg --force-confdef --force-confold --install {inside}"))
}

/// A property of a unit.
#[track_caller]
pub(crate) fn show(robot: &Machine, unit: &str, property: &str) -> String {
    robot.run(&format!("systemctl show --value --property={property} {unit}")).ok().text().to_owned()
}

/// The main process of a unit that runs.
#[track_caller]
pub(crate) fn pid(robot: &Machine, unit: &str) -> String {
    assert_eq!(show(robot, unit, "ActiveState"), "active", "{unit}");
    show(robot, unit, "MainPID")
}

/// What `is-active` and `is-enabled` say of the gateway, in one line.
#[track_caller]
pub(crate) fn gateway(robot: &Machine) -> String {
    let said = robot.run(&format!("systemctl is-active {GATEWAY}; systemctl is-enabled {GATEWAY} 2>&1"));
    said.text().replace('\n', " ")
}

/// Starts a stack by hand, outside of every unit, and waits until it holds the lock.
#[track_caller]
pub(crate) fn by_hand(robot: &Machine, stack: &str) {
    robot.run_as("rovi", &format!("setsid --fork run_stack {stack} </dev/null >/dev/null 2>&1")).ok();
    robot.wait_for("the launch by hand", 5 * SECOND, || {
        ros::processes(robot).iter().any(|p| p.argv.contains(&format!("stack:={stack}")))
    });
}

/// Everything that the product left on a machine outside of its package's own files.
#[track_caller]
pub(crate) fn traces(robot: &Machine) -> String {
    robot
        .run(
            "find /etc/systemd/system /var/lib/systemd/deb-systemd-helper-* /run/rovi /run/systemd/system \
                -name '*rovi*' -printf '%p %l %m\\n' 2>/dev/null | sort
             getent group rovi rovi-ops; getent passwd rovi; id -nG rovi
             find /etc/rovi -type f -exec sha256sum {} + 2>/dev/null | sort",
        )
        .stdout
        .clone()
}
