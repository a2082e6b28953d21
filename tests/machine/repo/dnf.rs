//! The same with Debian's dnf, on a machine whose rpm database claims to have Fedora's base system.

use support::robot::{next, package};
use testbed::{Machine, Output, Result, Suite};

use crate::site::{Moving, Repo, boot, key, pasted_for, run};

const PRODUCT: &str = "rovi-services";

/// A package that tells rpm what Debian provides.
const BASE: &str = "Name: base\nVersion: 1\nRelease: 1\nSummary: x\nLicense: x\nBuildArch: noarch\n\
    Provides: systemd polkit bash /bin/sh\n%description\nx\n%files\n";

/// dnf-automatic: Debian packages the program, but not its command and timer.
const AUTOMATIC: &str = "dnf clean expire-cache
    python3 -c 'import sys; from dnf.automatic.main import main; sys.exit(main([]))'";
const CONF: &str = "/etc/dnf/automatic.conf";

#[test]
fn dnf_installs_upgrades_downgrades_forgets_and_refuses() -> Result<()> {
    let repo = Repo::new("dnf");
    repo.publish(package("rpm"), &[]);
    let robot = boot(Suite::Trixie, &repo)?;
    robot.put("/root/base.spec", 0o644, BASE);
    run(
        &robot,
        "rpmbuild --quiet -bb /root/base.spec && rpm --install /root/rpmbuild/RPMS/noarch/base-*.rpm",
    )
    .ok();
    robot.run("mkdir -p /etc/yum.repos.d").ok();
    run(&robot, &pasted_for(&repo, "dnf install ")).ok();
    assert_eq!(installed(&robot), "0.1.0");
    run(&robot, "rpm --verify rovi-services-repository && rpm -q rovi-services-repository").ok();

    repo.publish(next("rpm"), &[]);
    repo.serve(&robot);
    robot.run("cp -a /srv/repo /srv/good").ok();
    // Tampered: nothing changes.
    for (what, script) in [
        (
            "a list with another byte",
            "for f in rpm/stable/repodata/*-primary.xml.gz; do printf xx | dd of=$f bs=1 seek=40 conv=notrunc; done",
        ),
        (
            "a list that is cut short",
            "for f in rpm/stable/repodata/*-primary.xml.gz; do truncate -s 100 $f; done",
        ),
        ("an index with another byte", "sed -i 's/<revision>./<revision>9/' rpm/stable/repodata/repomd.xml"),
        ("an index without a signature", "rm rpm/stable/repodata/repomd.xml.asc"),
        (
            "a package with another byte",
            "for f in rpm/stable/packages/rovi-services-0.2.0*; do printf x | dd of=$f bs=1 seek=20000 conv=notrunc; done",
        ),
    ] {
        robot
            .run(&format!("set -e; rm -rf /srv/repo; cp -a /srv/good /srv/repo; cd /srv/repo; {script}"))
            .ok();
        upgrade(&robot).fails();
        assert_eq!(installed(&robot), "0.1.0", "{what}");
    }
    let mut other = Repo::new("dnf-key");
    other.key = key("two").to_owned();
    other.publish(next("rpm"), &[]);
    // An attacker on the server also controls its key file, so the key must be one that the machine knows.
    robot.run("sed -i 's|^gpgkey=.*|gpgkey=file:///usr/share/rovi-services-repository/rovi-services.asc|' /etc/yum.repos.d/*").ok();
    other.serve(&robot);
    upgrade(&robot).fails();
    assert_eq!(installed(&robot), "0.1.0");

    repo.serve(&robot);
    // Automatic upgrades as the file describes; other repositories are not affected.
    let conf = robot.read("/usr/share/rovi-services-repository/dnf-automatic.conf").unwrap();
    let line = conf.lines().find_map(|line| line.strip_prefix("#   ")).unwrap();
    assert!(line.starts_with("cp "), "{line}");
    run(&robot, &format!("{line} && sed -i 's/^includepkgs = .*/includepkgs = elsewhere/' {CONF}")).ok();
    run(&robot, AUTOMATIC).ok();
    assert_eq!(installed(&robot), "0.1.0");
    let moving = Moving::start(&robot);
    run(&robot, &format!("{line}\n{AUTOMATIC}")).ok();
    assert_eq!(installed(&robot), "0.2.0");
    moving.goes_on(&robot);
    run(&robot, "dnf -y downgrade rovi-services-0.1.0").ok();
    assert_eq!(installed(&robot), "0.1.0");
    repo.publish(next("rpm"), &["--withdraw", "rovi-services=0.2.0"]);
    repo.serve(&robot);
    upgrade(&robot).ok();
    assert_eq!(installed(&robot), "0.1.0");
    run(&robot, "dnf -y install rovi-services-0.2.0").fails();
    Ok(())
}

fn upgrade(robot: &Machine) -> Output<'_> {
    run(robot, "dnf -y --refresh upgrade")
}

fn installed(robot: &Machine) -> String {
    run(robot, &format!("rpm -q --queryformat '%{{VERSION}}' {PRODUCT}")).ok().text().to_owned()
}
