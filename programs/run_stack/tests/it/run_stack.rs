//! Tests the `run_stack` binary beside a table of its own. The launched programs record what happens to them.
//!
//! Needs bash, python3, setsid, setpriv, unshare and flock (util-linux).

#![allow(clippy::unwrap_used)]

mod bus;
mod environment;
mod launch;
mod lock;
mod neighbours;
mod notify;
mod session;
mod signals;
mod soak;

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use base::processes;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use support::event::wait_until;

/// A test's own directory with the program and its table.
struct Place {
    root: PathBuf,
}

/// Creates a test's directory. Each launch has a name and the fields that differ from the default.
fn place(test: &str, launches: &[(&str, Value)]) -> Place {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("run_stack").join(test);
    let _ = fs::remove_dir_all(&root);
    for directory in ["lib", "run", "home"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    // A copy could fail to run: another test's child may still hold it open for writing.
    fs::hard_link(env!("CARGO_BIN_EXE_run_stack"), root.join("lib/run_stack")).unwrap();
    fs::write(root.join("tree.py"), include_str!("run_stack/tree.py")).unwrap();
    let place = Place { root };
    let services: Vec<Value> = launches
        .iter()
        .map(|(name, special)| {
            let mut service = json!({
                "name": name,
                "unit": format!("demo-{name}.service"),
                "description": format!("Demo {name}"),
                "launch": { "argv": place.tree(&[]), "lock": place.path("run/lock") },
            });
            merge(&mut service, special);
            service
        })
        .collect();
    let table = json!({
        "schema": 1, "product": "demo", "package": "demo-services", "version": "1.2.3", "services": services,
    });
    fs::write(place.path("lib/services.json"), table.to_string()).unwrap();
    place
}

fn merge(into: &mut Value, special: &Value) {
    match (into, special) {
        (Value::Object(into), Value::Object(special)) => {
            for (key, value) in special {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, special) => *into = special.clone(),
    }
}

impl Place {
    fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    fn write(&self, below: &str, content: &str) -> PathBuf {
        let path = self.path(below);
        fs::write(&path, content).unwrap();
        path
    }

    fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_default()
    }

    /// Launches processes that record their signals; `tree.py` explains their names.
    fn tree(&self, names: &[&str]) -> Value {
        let script = self.path("tree.py").to_string_lossy().into_owned();
        let root = self.root.to_string_lossy().into_owned();
        let fixed = ["python3".to_owned(), script, root];
        json!(fixed.into_iter().chain(names.iter().map(|n| n.to_string())).collect::<Vec<_>>())
    }

    /// Prepares a program whose home and lock are in this directory, without the rest of the caller's environment.
    fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.path("home"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program(self.path("lib/run_stack"));
        command.args(args);
        command
    }

    /// Starts the program as systemd does; this process acts as the manager.
    fn command_of_unit(&self, args: &[&str]) -> Command {
        let mut command = self.program("sh");
        command
            .args(["-c", "SYSTEMD_EXEC_PID=$$ exec \"$0\" \"$@\""])
            .arg(self.path("lib/run_stack"))
            .args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Outcome {
        outcome(&mut self.command(args))
    }

    /// Starts the program and waits until each named process of the tree runs.
    fn start(&self, command: &mut Command, names: &[&str]) -> Running {
        let running = Running { child: Some(command.spawn().unwrap()) };
        for name in names {
            wait_until(&format!("`{name}` is there: {}", self.read("stderr")), || self.pid(name).is_some());
        }
        running
    }

    fn pid(&self, name: &str) -> Option<i32> {
        self.read(&format!("{name}.pid")).trim().parse().ok()
    }

    /// Returns the signals that a process received.
    fn signals(&self, name: &str) -> String {
        self.read(&format!("{name}.signals")).replace('\n', " ").trim().to_owned()
    }

    /// Lets every process of the tree end; the launch ends with this status.
    fn end(&self, status: u8) {
        self.write("end.new", &status.to_string());
        fs::rename(self.path("end.new"), self.path("end")).unwrap();
    }

    fn send(&self, name: &str, signal: Signal) {
        kill(self.pid(name).unwrap(), signal);
    }
}

/// The status and output of a finished program.
#[derive(Debug)]
struct Outcome {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Outcome {
    /// Checks the exit status and the error message.
    #[track_caller]
    fn is_error(&self, status: i32, message: &str) {
        assert_eq!(
            (self.status.code(), self.stderr.as_str()),
            (Some(status), &*format!("error: {message}\n"))
        );
    }

    #[track_caller]
    fn is_success(&self) {
        assert_eq!((self.status.code(), self.stderr.as_str()), (Some(0), ""));
    }
}

fn outcome(command: &mut Command) -> Outcome {
    Running { child: Some(command.spawn().unwrap()) }.outcome()
}

/// A started program. Dropping it kills its remaining processes.
struct Running {
    child: Option<Child>,
}

impl Running {
    fn pid(&self) -> i32 {
        self.child.as_ref().unwrap().id() as i32
    }

    fn kill(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    fn has_ended(&mut self) -> bool {
        self.child.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    /// Waits until the program has ended.
    fn outcome(mut self) -> Outcome {
        wait_until("it ends", || self.has_ended());
        let mut child = self.child.take().unwrap();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        // Processes that a test leaves behind may hold the pipes open, so read only the present content.
        for (stream, into) in [
            (child.stdout.take().map(std::os::fd::OwnedFd::from), &mut stdout),
            (child.stderr.take().map(std::os::fd::OwnedFd::from), &mut stderr),
        ] {
            let Some(stream) = stream else { continue };
            rustix::io::ioctl_fionbio(&stream, true).unwrap();
            let _ = fs::File::from(stream).read_to_end(into);
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Outcome { status: child.wait().unwrap(), stdout: text(stdout), stderr: text(stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let rest = processes::descendants(child.id() as i32);
            let _ = child.kill();
            rest.iter().for_each(|p| kill(p.pid, Signal::KILL));
            let _ = child.wait();
        }
    }
}

fn kill(pid: i32, signal: Signal) {
    let _ = kill_process(processes::pid(pid).unwrap(), signal);
}

fn is_alive(pid: i32) -> bool {
    processes::process(pid).is_some_and(|p| !p.zombie)
}

fn killed_by(status: ExitStatus) -> Option<i32> {
    status.signal()
}
