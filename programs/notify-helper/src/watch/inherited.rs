//! What the command inherits of the environment.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;

/// What is between the service manager and this process, and none of the command's business.
pub(crate) const NOT_PASSED_ON: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// Everything of the environment that the command, or a probe's command, may see.
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
