//! Key rotation: machines learn the new key through an upgrade while they trust the old one.

use support::robot::package;
use testbed::{Result, Suite};

use crate::site::{Repo, boot, installed, key, pasted, quiet, run};

const SOURCES: &str = "/etc/apt/sources.list.d/rovi-services.sources";

#[test]
fn a_change_of_keys_is_an_upgrade() -> Result<()> {
    for suite in [Suite::Bookworm, Suite::Trixie] {
        let mut repo = Repo::new(&format!("rotation-{suite}"));
        repo.publish(package("deb"), &[]);
        let robot = boot(suite, &repo)?;
        quiet(&robot, &pasted(&repo));
        let first = robot.read(SOURCES).unwrap();

        // Both keys sign, and the package contains both.
        repo.publish(package("deb"), &["--key", key("two").to_str().unwrap()]);
        repo.serve(&robot);
        quiet(&robot, "apt-get update && apt-get -y upgrade && apt-get update");
        assert_eq!(installed(&robot, "rovi-services-repository"), "2.0.0");
        let both = robot.read(SOURCES).unwrap();
        assert!(both.len() > first.len() + 1000);

        // The first key is retired, and signatures by it alone are rejected.
        repo.key = key("two").to_owned();
        repo.publish(package("deb"), &[]);
        repo.serve(&robot);
        quiet(&robot, "apt-get update && apt-get -y upgrade && apt-get update");
        assert_eq!(installed(&robot, "rovi-services-repository"), "3.0.0");
        assert!(robot.read(SOURCES).unwrap().len() < both.len());
        repo.key = key("one").to_owned();
        repo.publish(package("deb"), &[]);
        repo.serve(&robot);
        run(&robot, "apt-get -o APT::Update::Error-Mode=any update").fails();

        // The administrator's changes are kept, as in any configuration file.
        repo.key = key("two").to_owned();
        repo.publish(package("deb"), &["--url", "http://localhost:8000"]);
        repo.serve(&robot);
        robot.run(&format!("sed -i 's/^Components: main/Components: main  /' {SOURCES}")).ok();
        run(&robot, "apt-get update && apt-get -y -o Dpkg::Options::=--force-confold upgrade").ok();
        assert!(robot.read(SOURCES).unwrap().contains("URIs: http://127.0.0.1:8000/apt\n"));
    }
    Ok(())
}
