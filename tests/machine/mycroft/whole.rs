//! The assistant itself, from its package, on a machine that can reach nothing.

use std::path::Path;
use std::time::Instant;

use support::packages::dist;
use testbed::{Machine, Result, Suite, at_once};

use crate::assistant::{Of, PARENT, SECOND, children, of};

/// The time within which the assistant is ready.
const READY: std::time::Duration = SECOND.saturating_mul(60);

/// The message of the last skill that loads.
const LOADED: &str = "Skill ovos-skill-fallback-unknown.openvoiceos loaded successfully";

fn whole(format: &str) -> &'static Path {
    static BUILT: std::sync::OnceLock<Vec<std::path::PathBuf>> = std::sync::OnceLock::new();
    of(BUILT.get_or_init(|| dist(&["mycroft"], "mycroft-whole")), format)
}

#[test]
fn one_package_is_an_assistant_that_answers() -> Result<()> {
    at_once(Suite::STABLE, |suite| {
        let machine = Machine::on(suite)
            .file("/usr/local/bin/ask", 0o755, include_str!("ask.py"))
            .user("op", &[])
            .install(whole("deb"))
            .boot()?;
        let all = Of(&machine, false);
        let began = Instant::now();
        all.systemctl(&format!("start {PARENT}")).ok();
        assert!(began.elapsed() < READY, "{suite}: {:?}", began.elapsed());
        all.pids();
        let mut loaded = 0;
        let mut answers = |of: Of<'_>| {
            loaded += 1;
            // Skills load after the client has connected. A question meanwhile confuses those that load.
            let log = || of.0.run("journalctl --output=cat --identifier=mycroft-skills").stdout;
            machine.wait_for("the skills", READY, || log().matches(LOADED).count() == loaded);
            for (sentence, answer) in [("hello world", "Hello world"), ("say banana please", "banana please")]
            {
                assert_eq!(
                    machine.command(&["/usr/local/bin/ask", sentence]).run().ok().text(),
                    answer,
                    "{suite}"
                );
            }
        };
        answers(all);
        for unit in children() {
            assert_eq!(all.show(unit, "NRestarts"), "0", "{suite} {unit}");
        }
        // Nothing is written beside the modules, and the next start has byte code.
        machine.run("find /usr/lib/mycroft -name __pycache__ | grep .").fails();
        machine.run("ls /var/cache/mycroft/mycroft/usr/lib/mycroft/venv/lib/shared/ovos_core").ok();
        all.systemctl(&format!("stop {PARENT}")).ok();
        // A skill that speaks is waited for.
        machine.wait_for("the end", READY, || {
            [PARENT].into_iter().chain(children()).all(|unit| all.state(unit) == "inactive")
        });

        // A user's own, from the same package.
        let own = Of(&machine, true);
        let _terminal = machine.login_session("op");
        own.systemctl(&format!("start {PARENT}")).ok();
        answers(own);
        own.systemctl(&format!("stop {PARENT}")).ok();
        // No library is missing, and each that the package depends on is needed. The machine is not used for anything else.
        let missing = || {
            let libraries = "find /usr/lib/mycroft/venv -name '*.so*' -type f -exec ldd {} + 2>/dev/null";
            machine
                .run(&format!("{libraries} | sed -n 's/^\\t\\(.*\\) => not found.*/\\1/p' | sort -u"))
                .ok()
                .text()
                .to_owned()
        };
        assert_eq!(missing(), "", "{suite}");
        for (package, library) in [("libstdc++6", "libstdc++.so.6"), ("libgcc-s1", "libgcc_s.so.1")] {
            machine
                .run(&format!(
                    "dpkg-query --show --showformat '${{Depends}}' mycroft-services | grep -qF '{package}'"
                ))
                .ok();
            machine.run(&format!("dpkg --remove --force-all {package}")).ok();
            assert!(missing().lines().any(|line| line == library), "{suite} {package}: {}", missing());
        }
        machine.run("dpkg --purge mycroft-services").ok();
        for path in ["/usr/lib/mycroft", "/var/cache/mycroft", "/etc/mycroft"] {
            assert!(!machine.has(path), "{suite}: {path}");
        }
        Ok(())
    })
}

#[test]
fn it_still_starts_after_the_machine_is_upgraded_in_place() -> Result<()> {
    let ask = ("/usr/local/bin/ask", 0o755, include_str!("ask.py"));
    let mut machine = Machine::on(Suite::Bookworm).files([ask]).install(whole("deb")).boot()?;
    Of(&machine, false).systemctl(&format!("enable --now {PARENT}")).ok();
    machine.run("/usr/lib/mycroft/venv/bin/python3 --version").ok().says("Python 3.11.");
    machine.upgrade_to(Suite::Trixie)?.ok();
    machine.reboot()?;
    machine.run("/usr/lib/mycroft/venv/bin/python3 --version").ok().says("Python 3.13.");
    machine.run("grep -q 'VERSION_CODENAME=trixie' /etc/os-release && dpkg --audit && apt-get check").ok();
    machine.wait_for_unit(PARENT, "active", READY);
    machine.wait_for("the skills", READY, || {
        machine.run("journalctl --boot --output=cat --identifier=mycroft-skills").stdout.contains(LOADED)
    });
    assert_eq!(machine.command(&["/usr/local/bin/ask", "hello world"]).run().ok().text(), "Hello world");
    Ok(())
}
