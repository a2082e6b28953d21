//! Machines with an assistant, and helpers to inspect it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use support::command::{ok, root};
use support::packages::dist;
use testbed::{Machine, Output, Plan, Suite};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Time limit for operations that take no time on an idle host.
pub(crate) const SOON: Duration = SECOND.saturating_mul(15);

pub(crate) const PARENT: &str = "mycroft.service";
pub(crate) const BUS: &str = "mycroft-messagebus.service";
pub(crate) const CLIENTS: [&str; 4] =
    ["mycroft-audio.service", "mycroft-voice.service", "mycroft-skills.service", "mycroft-enclosure.service"];

/// Iterates over the bus and its clients.
pub(crate) fn children() -> impl Iterator<Item = &'static str> {
    [BUS].into_iter().chain(CLIENTS)
}

/// Returns the option that brings stand-ins for the clients, which connect to the real message bus.
fn stand_ins() -> &'static [String; 2] {
    static MADE: OnceLock<[String; 2]> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mycroft-stand-ins");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let script = root().join("tests/machine/mycroft/stand_ins.py");
        let mut python = Command::new("python3");
        python.arg("-B").arg(script).arg(root().join("catalog/mycroft")).arg(&folder);
        ok(python.env("PYTHONPATH", root().join("tests/support")));
        ["--payload".to_owned(), format!("venv={}", folder.join("pylock.toml").display())]
    })
}

/// Returns the package for this processor, `deb` or `rpm`.
pub(crate) fn package(format: &str) -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let [option, stand_ins] = stand_ins();
    of(BUILT.get_or_init(|| dist(&["mycroft", option, stand_ins], "mycroft")), format)
}

/// Returns the next version, with all options enabled: a reboot after too many failures, the hardware
/// watchdog, and the account's user manager from boot on.
pub(crate) fn next(format: &str) -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mycroft-next.toml");
        let mut text =
            fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog/mycroft.toml")).unwrap();
        for (old, new) in [
            (
                "[[release]]\n",
                "[[release]]\nversion = \"0.2.0\"\ndate = \"2026-12-20\"\nchanges = [\"Next.\"]\n\n[[release]]\n",
            ),
            ("interval = \"5min\" }", "interval = \"5min\", action = \"reboot\" }"),
            ("[account.mycroft]\n", "[machine]\nhardware-watchdog = \"20s\"\n\n[account.mycroft]\nlinger = true\n"),
            ("description = \"Mycroft message bus\"", "description = \"Next Mycroft message bus\""),
        ] {
            assert!(text.contains(old), "the catalog no longer has {old:?}");
            text = text.replacen(old, new, 1);
        }
        fs::write(&file, text).unwrap();
        let [option, stand_ins] = stand_ins();
        dist(&["--catalog", file.to_str().unwrap(), option, stand_ins], "mycroft-next")
    });
    of(built, format)
}

pub(crate) fn of(built: &'static [PathBuf], format: &str) -> &'static Path {
    built.iter().find(|path| path.extension().is_some_and(|e| e == format)).unwrap()
}

/// Returns a machine with the user `op`, without the package.
pub(crate) fn bare(suite: Suite) -> Plan {
    // The default is ten seconds after the last logout.
    let logind = "[Login]\nUserStopDelaySec=1s\n";
    Machine::on(suite).user("op", &[]).file("/etc/systemd/logind.conf.d/quick.conf", 0o644, logind)
}

/// Returns a machine with the package installed.
pub(crate) fn assistant(suite: Suite) -> Plan {
    bare(suite).install(package("deb"))
}

/// The services' scope: the machine, or the user `op`.
#[derive(Clone, Copy)]
pub(crate) struct Of<'m>(pub(crate) &'m Machine, pub(crate) bool);

impl<'m> Of<'m> {
    /// Runs a `systemctl` command in that scope.
    #[must_use = "a command that fails unnoticed proves nothing: say .ok() or .fails()"]
    #[track_caller]
    pub(crate) fn systemctl(self, arguments: &str) -> Output<'m> {
        let Of(machine, user) = self;
        if !user {
            return machine.run(&format!("systemctl {arguments}"));
        }
        as_op(machine, &format!("systemctl --user {arguments}"))
    }

    #[track_caller]
    pub(crate) fn show(self, unit: &str, property: &str) -> String {
        self.systemctl(&format!("show --value --property={property} {unit}")).ok().text().to_owned()
    }

    #[track_caller]
    pub(crate) fn state(self, unit: &str) -> String {
        self.show(unit, "ActiveState")
    }

    /// Returns the main processes of the bus and its clients, which must all be active.
    #[track_caller]
    pub(crate) fn pids(self) -> Vec<String> {
        let pids = self.each().map(|(unit, state, pid)| {
            assert_eq!(state, "active", "{unit}");
            pid
        });
        pids.collect()
    }

    /// Returns state and main process of the bus and its clients.
    #[track_caller]
    fn each(self) -> impl Iterator<Item = (&'static str, String, String)> {
        let units = children().collect::<Vec<_>>().join(" ");
        let shown = self.systemctl(&format!("show --property=ActiveState,MainPID {units}")).ok();
        let property = |of: &str, name: &str| {
            of.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        let blocks: Vec<String> = shown.text().split("\n\n").map(str::to_owned).collect();
        assert_eq!(blocks.len(), 5);
        children()
            .zip(blocks)
            .map(move |(unit, block)| (unit, property(&block, "ActiveState="), property(&block, "MainPID=")))
    }

    #[track_caller]
    pub(crate) fn wait(self, unit: &str, state: &str) {
        self.0.wait_for(&format!("{unit} {state}"), SOON, || self.state(unit) == state);
    }

    /// Checks that none of it runs or is about to start.
    #[track_caller]
    pub(crate) fn all_down(self) {
        // The parent passes a stop on without waiting for it.
        self.0.wait_for("everything down", SOON, || {
            self.each().all(|(_, state, pid)| (state.as_str(), pid.as_str()) == ("inactive", "0"))
        });
    }

    /// Adds a drop-in to a unit and reloads the manager.
    #[track_caller]
    pub(crate) fn drop_in(self, unit: &str, name: &str, text: &str) {
        let folder = if self.1 { "user" } else { "system" };
        self.0.put(&format!("/etc/systemd/{folder}/{unit}.d/{name}.conf"), 0o644, text);
        self.systemctl("daemon-reload").ok();
    }
}

/// Runs a script as `op`, with access to the user manager.
#[must_use = "a command that fails unnoticed proves nothing: say .ok() or .fails()"]
#[track_caller]
pub(crate) fn as_op<'m>(machine: &'m Machine, script: &str) -> Output<'m> {
    machine.run_as("op", &format!("export XDG_RUNTIME_DIR=/run/user/$(id -u); {script}"))
}
