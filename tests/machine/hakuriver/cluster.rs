//! Machines of a cluster, and helpers to inspect them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use std::{fs, thread};

use support::packages::{dist, relocate};
use testbed::{Machine, Output, Plan, Result, Suite};

/// The suites that every scenario runs on.
const SUITES: [Suite; 2] = [Suite::Trixie, Suite::Bookworm];

/// Runs a scenario on both suites in parallel, because it mostly waits.
pub(crate) fn on_every_suite(scenario: impl Fn(Suite) -> Result<()> + Sync) -> Result<()> {
    let scenario = &scenario;
    thread::scope(|scope| {
        let runs = SUITES.map(|suite| scope.spawn(move || scenario(suite)));
        // Joins all threads, even after a failure.
        let ended = runs.map(thread::ScopedJoinHandle::join);
        ended.into_iter().try_for_each(|run| run.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Time limit for operations that take no time on an idle host.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) const SOCKET: &str = "hakuriver-host.socket";
pub(crate) const PROXY: &str = "hakuriver-host-proxy.service";
pub(crate) const HOST: &str = "hakuriver-host.service";
pub(crate) const RUNNERS: [&str; 2] = ["hakuriver-runner@1.service", "hakuriver-runner@2.service"];
pub(crate) const TASKS: &str = "hakuriver-tasks.service";

/// Returns a package for this processor, `deb` or `rpm`.
pub(crate) fn package(product: &str, format: &str) -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| dist(&["hakuriver", "kohakuriver"], "rivers"));
    let of =
        |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{product}-"));
    built.iter().filter(of).find(|path| path.extension().is_some_and(|e| e == format)).unwrap()
}

/// Returns the next version of HakuRiver's services.
pub(crate) fn next() -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hakuriver-next.toml");
        let catalog = concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog/hakuriver.toml");
        let mut text = fs::read_to_string(catalog).unwrap();
        for (old, new) in [
            (
                "[[release]]\n",
                "[[release]]\nversion = \"0.2.0\"\ndate = \"2026-12-20\"\nchanges = [\"Next.\"]\n\n[[release]]\n",
            ),
            ("description = \"HakuRiver host\"", "description = \"Next HakuRiver host\""),
        ] {
            assert!(text.contains(old), "the catalog no longer has {old:?}");
            text = text.replacen(old, new, 1);
        }
        fs::write(&file, relocate("hakuriver", &text)).unwrap();
        dist(&["--format", "deb", "--catalog", file.to_str().unwrap()], "hakuriver-next")
    });
    &built[0]
}

/// Returns a machine with the package, without docker and sudo.
pub(crate) fn cluster(suite: Suite) -> Plan {
    let plan = Machine::on(suite).file("/usr/local/bin/ask.py", 0o644, include_str!("ask.py"));
    plan.install(package("hakuriver", "deb"))
}

/// Fixes HakuRiver 0.3.0, whose runner can otherwise only run tasks in containers because it awaits a list.
#[track_caller]
pub(crate) fn mend(machine: &Machine) {
    let runner = "/usr/lib/hakuriver/venv/lib/shared/hakuriver/core/runner.py";
    machine.run(&format!("sed -i 's/= await make_command_systemd(/= make_command_systemd(/' {runner}")).ok();
}

/// Sends an HTTP request from the machine; returns a successful answer.
#[must_use = "an answer that nobody reads proves nothing"]
#[track_caller]
pub(crate) fn ask<'m>(machine: &'m Machine, method: &str, address: &str, body: Option<&str>) -> Output<'m> {
    let mut argv = vec!["python3", "/usr/local/bin/ask.py", method, address];
    argv.extend(body);
    machine.command(&argv).run()
}

/// Returns a property of a unit.
#[track_caller]
pub(crate) fn show(machine: &Machine, unit: &str, property: &str) -> String {
    let shown = machine.command(&["systemctl", "show", "--value", "--property", property, "--", unit]);
    shown.run().ok().text().to_owned()
}

#[track_caller]
pub(crate) fn state(machine: &Machine, unit: &str) -> String {
    show(machine, unit, "ActiveState")
}

/// Checks that the properties of a unit have these values.
#[track_caller]
pub(crate) fn shows(machine: &Machine, unit: &str, properties: &[(&str, &str)]) {
    for (property, value) in properties {
        assert_eq!(show(machine, unit, property), *value, "{unit} {property}");
    }
}

/// Returns the names of the nodes that the host has accepted and is in contact with.
#[track_caller]
pub(crate) fn nodes(machine: &Machine) -> Vec<String> {
    let answer = ask(machine, "GET", "8000/nodes", None).ok();
    let mut nodes: Vec<String> = answer
        .text()
        .split("{\"hostname\":\"")
        .skip(1)
        .filter(|node| node.contains("\"status\":\"online\""))
        .map(|node| node.split('"').next().unwrap().to_owned())
        .collect();
    nodes.sort();
    nodes
}

/// Adds a drop-in, as `systemctl edit` does.
#[track_caller]
pub(crate) fn customise(machine: &Machine, unit: &str, text: &str) {
    machine.put(&format!("/etc/systemd/system/{unit}.d/override.conf"), 0o644, text);
    machine.run("systemctl daemon-reload").ok();
}

/// Returns whether control group limits have an effect. In some sandboxes the controllers belong to the
/// host's v1 hierarchy, and tests can only check the settings.
pub(crate) fn has_controllers(machine: &Machine) -> bool {
    let controllers = machine.read("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let enforced = ["cpu", "memory"].iter().all(|name| controllers.split_whitespace().any(|c| c == *name));
    if !enforced {
        eprintln!("{}: no cgroup controllers here: limits are shown to be set, not to act", machine.suite());
    }
    enforced
}
