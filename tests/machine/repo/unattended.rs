//! Unattended upgrades: only from this repository, and no service of a moving robot is restarted.

use support::robot::{next, package};
use testbed::{Result, Suite};

use crate::site::{Moving, Repo, boot, installed, pasted, quiet, run};

const SNIPPET: &str = "/etc/apt/apt.conf.d/52rovi-services";

#[test]
fn b13_an_unattended_upgrade_restarts_nothing_while_a_stack_runs() -> Result<()> {
    for suite in [Suite::Bookworm, Suite::Trixie] {
        let repo = Repo::new(&format!("unattended-{suite}"));
        repo.publish(package("deb"), &[]);
        let robot = boot(suite, &repo)?;
        quiet(&robot, &pasted(&repo));
        // The line given in the snippet.
        let snippet = robot.read("/usr/share/rovi-services-repository/unattended-upgrades.conf").unwrap();
        let line = snippet.lines().find_map(|line| line.strip_prefix("//   ")).unwrap();
        assert!(line.ends_with(SNIPPET), "{line}");
        robot.run(line).ok();
        let moving = Moving::start(&robot);
        repo.publish(next("deb"), &[]);
        repo.serve(&robot);
        quiet(&robot, "apt-get update");

        // Packages of other repositories are not upgraded.
        let elsewhere = snippet.replace("origin=rovi-services", "origin=elsewhere");
        robot.run(&format!("rm {SNIPPET}")).ok();
        robot.put(SNIPPET, 0o644, elsewhere);
        run(&robot, "unattended-upgrade --verbose")
            .ok()
            .says("Allowed origins are: origin=elsewhere,codename=stable\n");
        assert_eq!(installed(&robot, "rovi-services"), "0.1.0");

        robot.run(&format!("rm {SNIPPET} && {line}")).ok();
        let said = run(&robot, "unattended-upgrade --verbose").ok();
        said.says("Allowed origins are: origin=rovi-services,codename=stable\n");
        assert_eq!(installed(&robot, "rovi-services"), "0.2.0");
        moving.goes_on(&robot);
        assert!(!robot.has("/run/reboot-required"));
        // It runs automatically from now on.
        let period = run(&robot, "apt-config dump APT::Periodic::Unattended-Upgrade").ok();
        period.says("APT::Periodic::Unattended-Upgrade \"1\";");
    }
    Ok(())
}
