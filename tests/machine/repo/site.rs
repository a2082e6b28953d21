//! A repository published by `cargo xtask repo`, and machines that access it on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use support::robot::SECOND;
use testbed::{Machine, Output, Plan, Suite, ros};

const URL: &str = "http://127.0.0.1:8000";

/// A test's own repository.
pub(crate) struct Repo {
    pub(crate) dir: PathBuf,
    pub(crate) key: PathBuf,
}

impl Repo {
    /// Creates an empty repository in a new folder of that name.
    pub(crate) fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("repo").join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Self { dir, key: key("one").to_owned() }
    }

    /// Publishes the packages of a folder, with additional arguments.
    #[track_caller]
    pub(crate) fn publish(&self, packages: &Path, args: &[&str]) {
        self.publish_at(None, packages, args);
    }

    /// Publishes at another time.
    #[track_caller]
    pub(crate) fn publish_at(&self, epoch: Option<u64>, packages: &Path, args: &[&str]) {
        let mut command = xtask("repo");
        command.arg("--key").arg(&self.key).arg("--out").arg(&self.dir);
        if !args.contains(&"--url") {
            command.args(["--url", URL]);
        }
        command.arg("--dist").arg(packages.parent().unwrap()).args(args);
        command.envs(epoch.map(|epoch| ("SOURCE_DATE_EPOCH", epoch.to_string())));
        succeed(&mut command);
    }

    /// Makes a machine serve the current state.
    #[track_caller]
    pub(crate) fn serve(&self, machine: &Machine) {
        let tar = self.dir.with_extension("tar");
        let mut pack = Command::new("tar");
        succeed(pack.arg("-C").arg(&self.dir).arg("-cf").arg(&tar).arg("."));
        machine.put_file(&tar, "/srv/repo.tar");
        machine
            .run(
                "rm -rf /srv/repo.new && mkdir /srv/repo.new && tar -C /srv/repo.new -xf /srv/repo.tar &&
                  rm -rf /srv/repo && mv /srv/repo.new /srv/repo",
            )
            .ok();
    }
}

/// Returns a key by name; each is created once, because that takes seconds.
pub(crate) fn key(name: &'static str) -> &'static Path {
    static KEYS: OnceLock<PathBuf> = OnceLock::new();
    let folder = KEYS.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("rovi-repo-keys-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        for name in ["one", "two"] {
            let mut command = xtask("key");
            // Old enough for repositories that were published some time ago.
            command.env("SOURCE_DATE_EPOCH", "1700000000");
            let name = format!("Test key {name} <{name}@example.org>");
            succeed(
                command.arg("new").arg(folder.join(name.split(' ').nth(2).unwrap())).args(["--name", &name]),
            );
        }
        folder
    });
    folder.join(name).leak()
}

/// Returns the command `cargo xtask VERB`.
pub(crate) fn xtask(verb: &str) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["xtask", verb]);
    command
}

#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns a machine that could run the product, without it and without other repositories.
pub(crate) fn plan(suite: Suite) -> Plan {
    // All machines of a suite use the same root, which is built once.
    let dnf: &[&str] = if suite == Suite::Trixie { &["dnf"] } else { &[] };
    Machine::on(suite).with(&[&["curl", "unattended-upgrades"], dnf].concat()).files(ros::stand_in())
}

/// Boots a machine with a web server on loopback.
pub(crate) fn boot(suite: Suite, repo: &Repo) -> testbed::Result<Machine> {
    let machine = plan(suite).boot()?;
    machine.run("rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*").ok();
    repo.serve(&machine);
    let serve =
        "systemd-run --quiet --unit=web python3 -m http.server --bind 127.0.0.1 --directory /srv/repo 8000";
    machine.run(serve).ok();
    let probe = || machine.run(&format!("curl -fsS {URL}/index.html")).success();
    machine.wait_for("web server", 60 * SECOND, probe);
    Ok(machine)
}

/// Returns the commands for apt from the page, as a person pastes them.
pub(crate) fn pasted(repo: &Repo) -> String {
    pasted_for(repo, "apt-get install ")
}

/// Returns the commands from the page's box with this command, without prompts.
pub(crate) fn pasted_for(repo: &Repo, command: &str) -> String {
    let page = fs::read_to_string(repo.dir.join("index.html")).unwrap();
    let boxes = page.split("<pre>\n").skip(1).filter_map(|rest| rest.split("</pre>").next());
    let lines = boxes.into_iter().find(|lines| lines.contains(command)).unwrap();
    // Root has no sudo here.
    lines.replace("sudo ", "").replace(command, &format!("{command}-y "))
}

/// Runs a script with package managers, which takes a while on a busy host.
#[must_use]
#[track_caller]
pub(crate) fn run<'m>(machine: &'m Machine, script: &str) -> Output<'m> {
    machine.script(&format!("set -e\n{script}")).within(240 * SECOND).run()
}

/// Runs apt, which must print nothing that needs attention.
#[track_caller]
pub(crate) fn quiet<'m>(machine: &'m Machine, script: &str) -> Output<'m> {
    let output = run(machine, script).ok();
    let all = format!("{output}");
    let bad = |line: &&str| {
        ["W:", "E:", "N:", "WARNING", "Warning:", "Notice:"].iter().any(|w| line.starts_with(w))
    };
    let found: Vec<&str> = all.lines().map(str::trim).filter(bad).collect();
    assert!(found.is_empty(), "{found:#?}\n{all}");
    output
}

/// Returns the installed version of a package; empty if there is none.
pub(crate) fn installed(machine: &Machine, package: &str) -> String {
    let show =
        format!("dpkg-query --show --showformat '${{db:Status-Status}} ${{Version}}' {package} || true");
    let text = machine.run(&show).ok().text().to_owned();
    text.strip_prefix("installed ").unwrap_or_default().to_owned()
}

/// Returns the version that apt would install.
pub(crate) fn candidate(machine: &Machine, package: &str) -> String {
    let policy = machine.run(&format!("apt-cache policy {package}")).ok().text().to_owned();
    let line = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
    line.unwrap_or_default().to_owned()
}

/// A running stack: the main processes of the gateway and of the stack.
pub(crate) struct Moving([String; 2]);

impl Moving {
    /// Starts a stack.
    pub(crate) fn start(robot: &Machine) -> Moving {
        robot.run("systemctl start rovi-gateway rovi-nav").ok();
        robot.wait_for("six processes", 20 * SECOND, || ros::processes(robot).len() == 6);
        Moving(Moving::processes(robot))
    }

    /// Checks that an upgrade restarted or signaled none of it, and that a restart is pending.
    pub(crate) fn goes_on(&self, robot: &Machine) {
        assert_eq!(Moving::processes(robot), self.0);
        let all = ros::processes(robot);
        assert!(all.len() == 6 && all.iter().all(|p| p.signals.is_empty() && p.status.is_none()), "{all:?}");
        assert_eq!(robot.read("/run/rovi/restart-pending").unwrap(), "rovi-gateway.service\n");
    }

    fn processes(robot: &Machine) -> [String; 2] {
        ["rovi-gateway", "rovi-nav"].map(|unit| {
            robot.run(&format!("systemctl show --value --property=MainPID {unit}")).ok().text().to_owned()
        })
    }
}
