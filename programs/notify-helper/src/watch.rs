//! Makes a program that knows nothing of systemd a service of `Type=notify`: a watcher beside it, and the
//! program in this process's place.
//!
//! The program is executed in place, so that it is the unit's main process: signals, exit status and core
//! dumps need nobody to pass them on. Who watches must then be another process. There is no fork without
//! unsafe code, so the watcher is this program started a second time, through `/proc/self/exe`; and it is
//! started by a process in between that ends at once, because a child that the command never asked for would
//! disturb every program that waits for all of its children.
//!
//! The parts: [`base::probe`] is the command line of both and what can be asked, [`ask`] asks, [`attempt`] is one asking that
//! takes time, [`listener`] whose socket it is, [`copy`] the output that is looked through, [`handover`] the
//! way from one process to the other, [`watcher`] what the second does.

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
