//! Machines of a cluster, and what there is to see of them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use std::{fs, thread};

use support::packages::dist;
use testbed::{Machine, Output, Plan, Result, Suite};

/// The suites that every scenario runs on.
const SUITES: [Suite; 2] = [Suite::Trixie, Suite::Bookworm];

/// Plays a scenario on both at once: most of it is waiting.
pub(crate) fn on_every_suite(scenario: impl Fn(Suite) -> Result<()> + Sync) -> Result<()> {
    let scenario = &scenario;
    thread::scope(|scope| {
        let runs = SUITES.map(|suite| scope.spawn(move || scenario(suite)));
        // Each is waited for, whatever became of the others.
        let ended = runs.map(thread::ScopedJoinHandle::join);
        ended.into_iter().try_for_each(|run| run.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// How long anything may take that takes no time: a host with other work is slow.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) const SOCKET: &str = "hakuriver-host.socket";
pub(crate) const PROXY: &str = "hakuriver-host-proxy.service";
pub(crate) const HOST: &str = "hakuriver-host.service";
pub(crate) const RUNNERS: [&str; 2] = ["hakuriver-runner@1.service", "hakuriver-runner@2.service"];
pub(crate) const TASKS: &str = "hakuriver-tasks.service";

const VENV: &str = "/opt/hakuriver/venv";

/// A package for this processor, `deb` or `rpm`.
pub(crate) fn package(product: &str, format: &str) -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| dist(&["hakuriver", "kohakuriver"], "rivers"));
    let of =
        |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{product}-"));
    built.iter().filter(of).find(|path| path.extension().is_some_and(|e| e == format)).unwrap()
}

/// The next version of HakuRiver's services.
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
        fs::write(&file, text).unwrap();
        dist(&["--format", "deb", "--catalog", file.to_str().unwrap()], "hakuriver-next")
    });
    &built[0]
}

/// A machine with HakuRiver and the package, without docker and sudo.
pub(crate) fn cluster(suite: Suite) -> Plan {
    // Its runner imports a constant of tkinter, whose package brings a desktop's libraries along.
    let version = if suite == Suite::Bookworm { "python3.11" } else { "python3.13" };
    let tkinter = format!("{VENV}/lib/{version}/site-packages/tkinter.py");
    let plan = Machine::on(suite).python(VENV, include_str!("requirements.txt"));
    plan.file(&tkinter, 0o644, "TRUE = 1\n")
        .file("/usr/local/bin/ask.py", 0o644, include_str!("ask.py"))
        .install(package("hakuriver", "deb"))
}

/// Takes a word out of HakuRiver 0.3.0, without which its runner can run no task but in a container: it awaits a list.
#[track_caller]
pub(crate) fn mend(machine: &Machine) {
    let runner = format!("{VENV}/lib/python3*/site-packages/hakuriver/core/runner.py");
    machine.run(&format!("sed -i 's/= await make_command_systemd(/= make_command_systemd(/' {runner}")).ok();
}

/// Asks somebody on the machine by HTTP; the answer, if it is one.
#[must_use = "an answer that nobody reads proves nothing"]
#[track_caller]
pub(crate) fn ask<'m>(machine: &'m Machine, method: &str, address: &str, body: Option<&str>) -> Output<'m> {
    let mut argv = vec!["python3", "/usr/local/bin/ask.py", method, address];
    argv.extend(body);
    machine.command(&argv).run()
}

/// A property of a unit.
#[track_caller]
pub(crate) fn show(machine: &Machine, unit: &str, property: &str) -> String {
    let shown = machine.command(&["systemctl", "show", "--value", "--property", property, "--", unit]);
    shown.run().ok().text().to_owned()
}

#[track_caller]
pub(crate) fn state(machine: &Machine, unit: &str) -> String {
    show(machine, unit, "ActiveState")
}

/// Each property of a unit has its value.
#[track_caller]
pub(crate) fn shows(machine: &Machine, unit: &str, properties: &[(&str, &str)]) {
    for (property, value) in properties {
        assert_eq!(show(machine, unit, property), *value, "{unit} {property}");
    }
}

/// The names of the nodes that the host has accepted and hears of.
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

/// Puts a drop-in, as `systemctl edit` does.
#[track_caller]
pub(crate) fn customise(machine: &Machine, unit: &str, text: &str) {
    machine.put(&format!("/etc/systemd/system/{unit}.d/override.conf"), 0o644, text);
    machine.run("systemctl daemon-reload").ok();
}

/// Whether limits of control groups do anything here: in some sandboxes their controllers belong to the host's v1
/// hierarchy, and all that can be seen is what is set.
pub(crate) fn has_controllers(machine: &Machine) -> bool {
    let controllers = machine.read("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let enforced = ["cpu", "memory"].iter().all(|name| controllers.split_whitespace().any(|c| c == *name));
    if !enforced {
        eprintln!("{}: no cgroup controllers here: limits are shown to be set, not to act", machine.suite());
    }
    enforced
}
