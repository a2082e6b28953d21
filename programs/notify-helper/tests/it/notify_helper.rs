//! Tests the `notify-helper` binary with a manager's socket and real listeners.
//!
//! Needs python3 and sh.

mod alert;
mod command;
mod life;
mod many;
mod output;
mod probes;
mod watchdog;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use base::processes;
use rustix::process::{Signal, kill_process, kill_process_group};
use support::event::wait_until;
use support::manager::Manager;
use support::scratch::{Scratch, scratch};

/// A directory with a manager's socket.
struct Place {
    dir: Scratch,
    manager: Manager,
}

fn place(test: &str) -> Place {
    let dir = scratch(&format!("nh-{test}"));
    let manager = Manager::bind(&dir.join("n"));
    Place { dir, manager }
}

impl Place {
    fn path(&self, below: &str) -> PathBuf {
        self.dir.join(below)
    }

    fn read(&self, below: &str) -> String {
        std::fs::read_to_string(self.path(below)).unwrap_or_default()
    }

    /// Prepares `notify-helper run OPTIONS -- COMMAND` as systemd would start it, in its own process group.
    fn helper(&self, options: &[&str], command: &[&str]) -> Command {
        let mut helper = Command::new(env!("CARGO_BIN_EXE_notify-helper"));
        helper.arg("run").args(options).arg("--").args(command);
        helper.env("NOTIFY_SOCKET", self.path("n")).current_dir(&*self.dir);
        helper.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut helper, 0);
        helper
    }

    fn run(&self, options: &[&str], command: &[&str]) -> Running {
        Running { child: self.helper(options, command).spawn().unwrap() }
    }

    /// Runs a Python program as the command; `sleep` and everything in `socket` are imported.
    fn python(&self, options: &[&str], program: &str) -> Running {
        let program =
            format!("import os, sys, time\nfrom socket import *\nfrom time import sleep\n{program}");
        self.run(options, &["python3", "-c", &program])
    }
}

/// A started command. Dropping it kills its process group.
struct Running {
    child: Child,
}

impl Running {
    fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    fn kill(&self, signal: Signal) {
        let _ = kill_process(processes::pid(self.pid()).unwrap(), signal);
    }

    /// Waits for the end; returns the status as a shell reports it, and the output.
    fn outcome(mut self) -> (i32, String, String) {
        let mut streams = [String::new(), String::new()];
        std::io::Read::read_to_string(&mut self.child.stdout.take().unwrap(), &mut streams[0]).unwrap();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut streams[1]).unwrap();
        let status = self.child.wait().unwrap();
        let code = status.code().or(std::os::unix::process::ExitStatusExt::signal(&status).map(|s| 128 + s));
        let [stdout, stderr] = streams;
        (code.unwrap(), stdout, stderr)
    }

    /// Returns the processes that watch this command, the watcher first.
    fn watchers(&self) -> Vec<i32> {
        watchers_of(self.pid())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let group = processes::pid(self.pid()).unwrap();
            let _ = kill_process_group(group, Signal::KILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn watchers_of(pid: i32) -> Vec<i32> {
    let words = |pid: i32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let begin = format!("notify-helper\0watch\0{pid}\0");
    let all = processes::all();
    let watcher = all.iter().find(|p| !p.zombie && words(p.pid).starts_with(begin.as_bytes()));
    let Some(watcher) = watcher.map(|p| p.pid) else { return Vec::new() };
    // Compare the arguments, because a running probe command is a child of the watcher too.
    let keeps = |pid: i32| words(pid).starts_with(b"notify-helper\0keep\0");
    let below = all.iter().filter(|p| p.parent == watcher && !p.zombie && keeps(p.pid)).map(|p| p.pid);
    [watcher].into_iter().chain(below).collect()
}

/// Returns an unused port.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
