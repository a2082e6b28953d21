//! Tampered repositories: in every case the update fails and the machine is unchanged.

use support::robot::{next, package};
use testbed::{Machine, Result, Suite};

use crate::site::{Repo, boot, candidate, installed, key, pasted, quiet, run};

const PRODUCT: &str = "rovi-services";

/// Modifications of the served folder of a new version: description and script.
const TAMPERED: [(&str, &str); 6] = [
    (
        "an index with another byte",
        "for f in apt/dists/stable/main/binary-*/Packages* apt/dists/stable/main/binary-*/by-hash/SHA256/*
         do printf x | dd of=$f bs=1 seek=40 conv=notrunc status=none; done",
    ),
    (
        "an index that is cut short",
        "for f in apt/dists/stable/main/binary-*/Packages* apt/dists/stable/main/binary-*/by-hash/SHA256/*
         do truncate -s 50 $f; done",
    ),
    ("a list of indices with another byte", "sed -i 's/^Label: rovi/Label: evil/' apt/dists/stable/*Release"),
    ("a list of indices that is cut short", "truncate -s 700 apt/dists/stable/*Release*"),
    ("a list of indices without a signature", "rm apt/dists/stable/InRelease apt/dists/stable/Release.gpg"),
    (
        "a signature of something else",
        "sed -i '/^-----BEGIN PGP SIGNATURE/,$d' apt/dists/stable/InRelease
         sed -n '/^-----BEGIN PGP SIGNATURE/,$p' /srv/first/apt/dists/stable/InRelease >>apt/dists/stable/InRelease
         cp /srv/first/apt/dists/stable/Release.gpg apt/dists/stable/Release.gpg",
    ),
];

#[test]
fn bookworm_takes_nothing_that_somebody_has_been_at() -> Result<()> {
    scenario(Suite::Bookworm)
}

#[test]
fn trixie_takes_nothing_that_somebody_has_been_at() -> Result<()> {
    scenario(Suite::Trixie)
}

#[test]
fn sid_takes_nothing_that_somebody_has_been_at() -> Result<()> {
    scenario(Suite::Sid)
}

fn scenario(suite: Suite) -> Result<()> {
    let repo = Repo::new(&format!("hostile-{suite}"));
    repo.publish(package("deb"), &[]);
    let robot = boot(suite, &repo)?;
    quiet(&robot, &pasted(&repo));
    robot.run("cp -a /srv/repo /srv/first && cp -a /var/lib/apt/lists /srv/lists").ok();
    repo.publish(next("deb"), &[]);
    repo.serve(&robot);
    robot.run("cp -a /srv/repo /srv/good").ok();
    for (what, script) in TAMPERED {
        tamper(&robot, script);
        refused(&robot, what);
    }

    // Signed with a key that the machine does not know.
    let mut other = Repo::new(&format!("hostile-{suite}-key"));
    other.key = key("two").to_owned();
    other.publish(package("deb"), &[]);
    other.publish(next("deb"), &[]);
    tamper(&robot, "");
    other.serve(&robot);
    refused(&robot, "another key");

    // An expired state.
    let old = Repo::new(&format!("hostile-{suite}-old"));
    old.publish_at(Some(1_750_000_000), next("deb"), &["--valid-for", "7"]);
    tamper(&robot, "");
    old.serve(&robot);
    // A state older than the machine's would be rejected as well; this machine has none yet.
    robot.run("rm -rf /var/lib/apt/lists/*").ok();
    stopped(&robot, "an expired state").says("expired");
    assert_eq!(installed(&robot, PRODUCT), "0.1.0");

    // Packages: different content, and a truncated one.
    for (what, script) in [
        ("a package with another byte", "printf x | dd of=$f bs=1 seek=900 conv=notrunc status=none"),
        ("a package that is cut short", "truncate -s 9000 $f"),
    ] {
        tamper(&robot, &format!("for f in apt/pool/stable/r/rovi-services/*_0.2.0_*.deb; do {script}; done"));
        quiet(&robot, "apt-get update");
        run(&robot, "apt-get -y upgrade").fails().says("E: ");
        assert_eq!(installed(&robot, PRODUCT), "0.1.0", "{what}");
        run(&robot, "dpkg --verify rovi-services && systemctl is-active rovi-gateway && rm -rf /var/cache/apt/archives/*").ok();
    }

    // Unmodified packages are installed.
    tamper(&robot, "");
    quiet(&robot, "apt-get update && apt-get -y upgrade");
    assert_eq!(installed(&robot, PRODUCT), "0.2.0");
    // If the previous state is served again with valid signatures, apt keeps the newer one.
    robot.run("rm -rf /srv/repo && cp -a /srv/first /srv/repo").ok();
    run(&robot, "apt-get update").ok();
    assert_eq!(candidate(&robot, PRODUCT), "0.2.0");
    robot.run("apt-cache madison rovi-services").ok().says("0.2.0");
    Ok(())
}

/// Serves a modified new version to a machine that knows the first one.
fn tamper(robot: &Machine, script: &str) {
    robot
        .run(&format!(
            "set -e; rm -rf /srv/repo /var/lib/apt/lists; cp -a /srv/good /srv/repo; cp -a /srv/lists /var/lib/apt/lists
             cd /srv/repo; {script}"
        ))
        .ok();
}

/// Updates and upgrades, which must not change anything.
#[track_caller]
fn refused(robot: &Machine, what: &str) {
    stopped(robot, what);
    assert_eq!(candidate(robot, PRODUCT), "0.1.0", "{what}");
    let _ = run(robot, "apt-get -y upgrade");
    assert_eq!(installed(robot, PRODUCT), "0.1.0", "{what}");
}

/// Updates with an option that makes errors fatal, which must fail.
#[track_caller]
fn stopped<'m>(robot: &'m Machine, what: &str) -> testbed::Output<'m> {
    let output = run(robot, "apt-get -o APT::Update::Error-Mode=any update");
    assert!(!output.success(), "{what}: {output}");
    output
}
