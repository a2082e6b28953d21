//! Machines with a lab, and helpers to inspect it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use support::packages::{dist, relocate};
use testbed::{Machine, Output, Plan, Suite};

/// Time limit for operations that take no time on an idle host.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) const PARENT: &str = "home-lab.service";
pub(crate) const SHUTDOWN: &str = "home-lab-shutdown.service";
pub(crate) const INFERENCE: &str = "home-lab-inference.service";

/// The applications, a client for them, and three models, one of which cannot be read.
const FILES: [(&str, u32, &str); 12] = [
    ("/opt/home-lab/careless.py", 0o644, include_str!("careless.py")),
    ("/opt/home-lab/shutdown_service.py", 0o644, include_str!("shutdown_service.py")),
    ("/opt/home-lab/inference_service.py", 0o644, include_str!("inference_service.py")),
    ("/opt/home-lab/ask.py", 0o644, include_str!("ask.py")),
    ("/opt/home-lab/bin/llama-server", 0o755, include_str!("llama-server")),
    ("/srv/small.gguf", 0o644, "small talk"),
    ("/srv/big.gguf", 0o644, "big words"),
    ("/srv/broken.gguf", 0o644, "broken"),
    ("/etc/home-lab/model/small.env", 0o644, "MODEL=/srv/small.gguf\nPORT=9001\n"),
    ("/etc/home-lab/model/big.env", 0o644, "MODEL=/srv/big.gguf\nPORT=9002\n"),
    ("/etc/home-lab/model/broken.env", 0o644, "MODEL=/srv/broken.gguf\nPORT=9003\n"),
    // Not an instance, although it is in the same folder.
    ("/etc/home-lab/model/notes.txt", 0o644, "small is quick, big is clever\n"),
];

/// Returns the package for this processor.
pub(crate) fn package() -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    deb(BUILT.get_or_init(|| dist(&["home-lab", "--format", "deb"], "home-lab")))
}

/// Returns the next version of the package.
pub(crate) fn next() -> &'static Path {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    deb(BUILT.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("home-lab-next.toml");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog/home-lab.toml");
        let text = fs::read_to_string(path).unwrap();
        let release =
            "[[release]]\nversion = \"0.2.0\"\ndate = \"2026-12-20\"\nchanges = [\"Next.\"]\n\n[[release]]\n";
        let text = text.replacen("[[release]]\n", release, 1);
        let text = text.replace("description = \"Home Lab ", "description = \"Next Home Lab ");
        fs::write(&file, relocate("home-lab", &text)).unwrap();
        dist(&["--catalog", file.to_str().unwrap(), "--format", "deb"], "home-lab-next")
    }))
}

fn deb(built: &'static [PathBuf]) -> &'static Path {
    built.iter().find(|path| path.extension().is_some_and(|e| e == "deb")).unwrap()
}

/// Returns a machine with the package and a lab's programs; `op` is a regular user.
pub(crate) fn lab(suite: Suite) -> Plan {
    let plan = Machine::on(suite).files(FILES).user("op", &[]);
    plan.install(package())
}

/// Sends a request to a service.
#[must_use = "a command that fails unnoticed proves nothing: say .ok() or .fails()"]
#[track_caller]
pub(crate) fn ask<'m>(machine: &'m Machine, what: &str) -> Output<'m> {
    machine.script(&format!("python3 /opt/home-lab/ask.py {what}")).within(SOON * 5).run()
}

/// Runs a command with the credentials and namespaces of a service.
#[must_use = "a command that fails unnoticed proves nothing: say .ok() or .fails()"]
#[track_caller]
pub(crate) fn within<'m>(machine: &'m Machine, service: &str, script: &str) -> Output<'m> {
    let port = if service == SHUTDOWN { 5001 } else { 5002 };
    ask(machine, &format!("GET {port} /taken-over 'script={}'", script.replace('\'', "'\\''")))
}

/// Returns the commands that succeeded, one per line, of those that must be denied; `run` runs a script as
/// some user. One script runs all, because entering a machine takes longer than a denied command.
#[track_caller]
pub(crate) fn permitted<'m>(run: impl Fn(&str) -> Output<'m>, commands: &[String]) -> String {
    let quoted = |command: &String| format!("'{}'", command.replace('\'', "'\\''"));
    let list: Vec<String> = commands.iter().map(quoted).collect();
    let script = format!(
        "for c in {}; do if bash -c \"$c\" >/dev/null 2>&1 </dev/null; then printf '%s\\n' \"$c\"; fi; done; echo all tried",
        list.join(" ")
    );
    let said = run(&script).ok();
    said.stdout.strip_suffix("all tried\n").unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[track_caller]
pub(crate) fn show(machine: &Machine, unit: &str, property: &str) -> String {
    machine.run(&format!("systemctl show --value --property={property} {unit}")).ok().text().to_owned()
}

/// Returns the ID of the main process, which must exist.
#[track_caller]
pub(crate) fn pid(machine: &Machine, unit: &str) -> String {
    let pid = show(machine, unit, "MainPID");
    assert_ne!(pid, "0", "{unit} has no process");
    pid
}
