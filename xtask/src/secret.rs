//! Removes a key from the environment before anything else runs. Otherwise child processes would inherit it,
//! and other processes of the same user could read it from `/proc`.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::stdio::dup2_stdin;

/// Environment variable that holds a key when there is no file.
pub const VARIABLE: &str = "REPO_KEY";

/// Restarts this program without the variable, which is the only way to remove it from `/proc`. Its value
/// becomes standard input, and `words` are appended to the command line. Returns if the variable is not set.
pub fn hide(words: Option<&[&str]>) -> Result<()> {
    let Some(text) = std::env::var_os(VARIABLE) else { return Ok(()) };
    let mut again = Command::new("/proc/self/exe");
    let mut own = std::env::args_os();
    again.arg0(own.next().unwrap_or_default()).args(own).env_remove(VARIABLE);
    if let Some(words) = words.filter(|_| !text.is_empty()) {
        again.args(words).stdin(in_memory(&text).with_context(|| format!("cannot pass on {VARIABLE}"))?);
    }
    Err(again.exec()).with_context(|| format!("cannot hide {VARIABLE}: leave it unset"))
}

fn in_memory(text: &OsStr) -> io::Result<Stdio> {
    let mut file = File::from(memfd_create(c"key", MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file.into())
}

/// Reads and closes standard input, so that no child process can read it.
pub fn read() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let error_text = "cannot read standard input";
    io::stdin().read_to_end(&mut bytes).context(error_text)?;
    dup2_stdin(File::open("/dev/null").context(error_text)?).context(error_text)?;
    Ok(bytes)
}

/// Prevents other processes, except root's, from reading this program's memory.
pub fn keep() -> Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
