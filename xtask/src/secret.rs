//! A key in the environment: takes it out of there before anything else happens, because whatever this program starts would
//! inherit it, and whoever is the same user could read it in `/proc` for as long as this runs.

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

/// Holds a key where there is no file for it.
pub const VARIABLE: &str = "REPO_KEY";

/// Begins this program anew without the variable, if there is one: only then it is gone. The text becomes its standard
/// input for `words` more on the command line, where it is wanted; returns when there is nothing to hide.
pub fn hide(words: Option<&[&str]>) -> Result<()> {
    let Some(text) = std::env::var_os(VARIABLE) else { return Ok(()) };
    let mut again = Command::new("/proc/self/exe");
    let mut own = std::env::args_os();
    again.arg0(own.next().unwrap_or_default()).args(own).env_remove(VARIABLE);
    if let Some(words) = words.filter(|_| !text.is_empty()) {
        again
            .args(words)
            .stdin(in_memory(&text).with_context(|| format!("{VARIABLE}: cannot be passed on"))?);
    }
    Err(again.exec()).with_context(|| format!("{VARIABLE}: cannot be hidden: leave it unset"))
}

fn in_memory(text: &OsStr) -> io::Result<Stdio> {
    let mut file = File::from(memfd_create(c"key", MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file.into())
}

/// Reads all of standard input, and closes it: nobody else gets to read it.
pub fn read() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let said = "standard input: cannot be read";
    io::stdin().read_to_end(&mut bytes).context(said)?;
    dup2_stdin(File::open("/dev/null").context(said)?).context(said)?;
    Ok(bytes)
}

/// From now on the memory of this program is nobody's to look into, but root's.
pub fn keep() -> Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
