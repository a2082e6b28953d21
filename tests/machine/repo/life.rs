//! A version is installed, upgraded, downgraded and removed.

use support::robot::{next, package};
use testbed::{Result, Suite};

use crate::site::{Repo, boot, candidate, installed, pasted, quiet, run};

const PRODUCT: &str = "rovi-services";

#[test]
fn bookworm_installs_upgrades_downgrades_and_forgets_what_is_withdrawn() -> Result<()> {
    scenario(Suite::Bookworm)
}

#[test]
fn trixie_installs_upgrades_downgrades_and_forgets_what_is_withdrawn() -> Result<()> {
    scenario(Suite::Trixie)
}

#[test]
fn sid_installs_upgrades_downgrades_and_forgets_what_is_withdrawn() -> Result<()> {
    scenario(Suite::Sid)
}

/// apt 2.6, 3.0 and the newest; rpm 4.18, 4.20 and 6.
fn scenario(suite: Suite) -> Result<()> {
    let repo = Repo::new(&format!("life-{suite}"));
    repo.publish(package("deb"), &[]);
    let robot = boot(suite, &repo)?;
    quiet(&robot, &pasted(&repo));
    assert_eq!(installed(&robot, PRODUCT), "0.1.0");
    assert_eq!(installed(&robot, "rovi-services-repository"), "1.0.0");
    robot.run("systemctl is-active rovi-gateway").ok();
    // The package now owns the files that a person fetched, without a prompt.
    robot.run("dpkg --verify rovi-services-repository").ok().exits(0);
    robot.run("ls /etc/apt/sources.list.d").ok().says("rovi-services.sources");

    repo.publish(next("deb"), &[]);
    repo.serve(&robot);
    quiet(&robot, "apt-get update && apt-get -y upgrade");
    assert_eq!(installed(&robot, PRODUCT), "0.2.0");

    // Older versions stay available, so a fleet can go back.
    let pin = "Package: rovi-services\nPin: version 0.1.0\nPin-Priority: 1001\n";
    robot.put("/etc/apt/preferences.d/back", 0o644, pin);
    quiet(&robot, "apt-get -y --allow-downgrades upgrade");
    assert_eq!(installed(&robot, PRODUCT), "0.1.0");
    robot.run("rm /etc/apt/preferences.d/back").ok();
    assert_eq!(candidate(&robot, PRODUCT), "0.2.0");

    // After a withdrawal it is no longer offered, although it is still in dist/.
    repo.publish(next("deb"), &["--withdraw", "rovi-services=0.2.0"]);
    repo.publish(next("deb"), &[]);
    repo.serve(&robot);
    quiet(&robot, "apt-get update && apt-get -y upgrade");
    assert_eq!((installed(&robot, PRODUCT), candidate(&robot, PRODUCT)), ("0.1.0".into(), "0.1.0".into()));
    run(&robot, "apt-get install -y rovi-services=0.2.0").fails().says("0.2.0");
    let keys = "rpmkeys --import /srv/repo/rovi-services.asc && rpmkeys --checksig /srv/repo/rpm/stable/packages/*.rpm";
    let said = run(&robot, keys).ok().text().to_owned();
    assert!(
        said.lines().count() >= 2 && said.lines().all(|line| line.ends_with(": digests signatures OK")),
        "{said}"
    );
    Ok(())
}
