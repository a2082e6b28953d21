//! The environment of the command.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;

/// Variables for this process that the command must not inherit.
pub(crate) const NOT_PASSED_ON: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// Returns the environment for the command and for probe commands.
pub(crate) fn passed_on() -> Vec<CString> {
    let passed = std::env::vars_os().filter(|(name, _)| !NOT_PASSED_ON.iter().any(|n| name == n));
    passed
        .filter_map(|(name, value)| {
            let mut entry = name.into_vec();
            entry.push(b'=');
            entry.extend(value.into_vec());
            CString::new(entry).ok()
        })
        .collect()
}
