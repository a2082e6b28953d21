//! The service that may start models floods systemd with irreplaceable jobs; an administrator can still
//! reboot.

use std::time::Duration;

use testbed::{Result, Suite, at_once};

use crate::lab::{INFERENCE, SOON, lab, within};

const ROUNDS: usize = 5;
const DOWN: Duration = Duration::from_secs(15);

#[test]
fn an_administrator_reboots_under_a_flood_of_models() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let mut machine = lab(suite).boot()?;
        machine.run("systemctl enable home-lab-model@small").ok();
        for round in 0..ROUNDS {
            machine.wait_for_unit(INFERENCE, "active", SOON);
            let flood = "(while :; do systemctl --no-block --job-mode=replace-irreversibly restart home-lab-model@small; \
                         done) >/dev/null 2>&1 &";
            within(&machine, INFERENCE, flood).ok();
            machine.wait_for("a model in the flood", SOON, || {
                !machine.run("systemctl list-jobs --no-legend 'home-lab-model@*'").ok().text().is_empty()
            });
            let reboot = machine.run("reboot");
            assert!(!reboot.stderr.contains("destructive"), "round {round} on {suite}: {reboot}");
            machine.wait_for_reboot(DOWN)?;
        }
        // Enabled instances start at boot as before.
        machine.wait_for_unit("home-lab-model@small.service", "active", SOON);
        Ok(())
    })
}
