//! `run`: makes a program that does not support sd_notify a service with `Type=notify`. A watcher runs beside
//! it, and the program replaces this process.
//!
//! The program replaces this process, so it is the unit's main process: it receives signals directly, and its
//! exit status and core dumps are its own. Therefore the watcher must be another process. Without unsafe code
//! there is no fork, so the watcher is this program started again through `/proc/self/exe`. An intermediate
//! process starts it and exits at once, because an unexpected child would disturb programs that wait for all
//! their children.
//!
//! The modules: [`base::probe`] has the options and probes, [`ask`] runs probes, [`attempt`] is a probe that
//! takes time, [`listener`] finds the owner of a socket, [`copy`] searches the output, [`handover`] passes
//! descriptors between the processes, [`watcher`] is the watcher.

pub(crate) mod answer;
pub(crate) mod ask;
pub(crate) mod attempt;
pub(crate) mod copy;
pub(crate) mod handover;
pub(crate) mod http;
pub(crate) mod inherited;
pub(crate) mod listener;
pub(crate) mod watcher;

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use base::failure::{Failure, reason};
use base::probe::options::Options;
use base::processes::{self, manager_pid};
use base::say::say;

use self::inherited::{NOT_PASSED_ON, passed_on};

/// Starts the watcher if `NOTIFY_SOCKET` is set, then executes the command. Returns only on failure.
pub(crate) fn run(options: &Options, words: &[OsString], command: &[OsString]) -> Failure {
    if std::env::var_os("NOTIFY_SOCKET").is_some_and(|name| !name.is_empty()) {
        let watchdog = watchdog_interval();
        if options.watchdog.is_some() && watchdog.is_none() {
            say(format_args!(
                "warning: `--watchdog`: the unit has no `WatchdogSec=`: the command is not watched"
            ));
        }
        if let Err(e) = handover::start_watcher(options, words, watchdog) {
            let todo = "start the command without notify-helper and with `Type=exec`";
            return Failure::failed(format!("cannot start the watcher: {}: {todo}", reason(&e)));
        }
    }
    let error = become_command(command);
    let name = command[0].to_string_lossy();
    Failure::configuration(format!("`{name}`: {}: install it or correct the command", reason(&error)))
}

/// Returns `WatchdogSec=` of the unit if it applies to this process.
fn watchdog_interval() -> Option<Duration> {
    let meant = match std::env::var("WATCHDOG_PID") {
        Ok(pid) => pid.parse() == Ok(processes::this()),
        Err(_) => true,
    };
    let usec = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (meant && usec > 0).then(|| Duration::from_micros(usec))
}

fn become_command(command: &[OsString]) -> io::Error {
    // Rust ignores SIGPIPE. systemd services start with it ignored (`IgnoreSIGPIPE=`), but commands of a
    // shell do not, so restore the default there. The original action cannot be determined.
    if manager_pid().is_none() {
        let mut plain = Command::new(&command[0]);
        plain.args(&command[1..]);
        for name in NOT_PASSED_ON {
            plain.env_remove(name);
        }
        return plain.exec();
    }
    let c_string = |word: &OsStr| CString::new(word.as_bytes());
    let Ok(argv) = command.iter().map(|word| c_string(word)).collect::<Result<Vec<_>, _>>() else {
        return io::ErrorKind::InvalidInput.into();
    };
    match nix::unistd::execvpe(&argv[0], &argv, &passed_on()) {
        Err(e) => e.into(),
        Ok(never) => match never {},
    }
}
