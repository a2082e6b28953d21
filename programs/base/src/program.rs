//! Starts a program with arguments, environment and standard streams, without fork, and with the signal
//! actions that programs expect.
//!
//! `std::process::Command` would pass on this process's signal mask, in which all signals that it reads from
//! a descriptor are blocked. `posix_spawn` sets mask and actions in the child.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};

use crate::environment::Environment;

/// A program to start.
#[derive(Debug)]
pub struct Program<'a> {
    /// Command and arguments.
    pub argv: &'a [OsString],
    /// Complete environment; its `PATH` is used to find the command.
    pub environment: &'a Environment,
    /// Descriptors for standard input and output; `None` inherits them.
    pub streams: Option<(BorrowedFd<'a>, BorrowedFd<'a>)>,
}

impl Program<'_> {
    /// Starts the program in this process group and directory, with this signal mask. `SIGPIPE` gets its
    /// default action, because Rust ignores it and a pipeline's writers should end with their reader.
    /// `keep_sigpipe` leaves it ignored, as systemd does for services.
    pub fn spawn(&self, mask: &SigSet, keep_sigpipe: bool) -> io::Result<i32> {
        let mut attributes = PosixSpawnAttr::init()?;
        let mut defaults = SigSet::empty();
        // A background job of a script starts with SIGINT ignored, and could not be stopped with it.
        [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM].into_iter().for_each(|s| defaults.add(s));
        if !keep_sigpipe {
            defaults.add(Signal::SIGPIPE);
        }
        attributes.set_sigdefault(&defaults)?;
        attributes.set_sigmask(mask)?;
        attributes
            .set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)?;
        let mut actions = PosixSpawnFileActions::init()?;
        if let Some((input, output)) = self.streams {
            actions.add_dup2(input.as_raw_fd(), 0)?;
            actions.add_dup2(output.as_raw_fd(), 1)?;
        }
        let c_string =
            |s: &OsString| CString::new(s.as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into());
        let argv = self.argv.iter().map(c_string).collect::<io::Result<Vec<_>>>()?;
        let environment = self.environment.to_c_strings();
        let mut denied = false;
        for path in self.candidates() {
            match posix_spawn(path.as_path(), &actions, &attributes, &argv, &environment) {
                Ok(pid) => return Ok(pid.as_raw()),
                // Like a shell, continue the search, but remember the error.
                Err(Errno::EACCES) => denied = true,
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(if denied { Errno::EACCES } else { Errno::ENOENT }.into())
    }

    fn candidates(&self) -> Vec<PathBuf> {
        let Some(command) = self.argv.first().filter(|c| !c.is_empty()) else { return Vec::new() };
        if command.as_bytes().contains(&b'/') {
            return vec![PathBuf::from(command)];
        }
        let path = self.environment.get("PATH").unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
        std::env::split_paths(path).map(|dir| here(dir).join(command)).collect()
    }
}

/// An empty entry of `PATH` means the current directory.
fn here(directory: PathBuf) -> PathBuf {
    if directory.as_os_str().is_empty() { Path::new(".").into() } else { directory }
}

/// Quotes a word for a shell.
pub fn quote(word: &OsStr) -> OsString {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_-./:=,+@%^".contains(b) || *b >= 0x80;
    if !word.is_empty() && word.as_bytes().iter().all(plain) {
        return word.to_owned();
    }
    let mut made = vec![b'\''];
    for &byte in word.as_bytes() {
        match byte {
            b'\'' => made.extend_from_slice(b"'\\''"),
            _ => made.push(byte),
        }
    }
    made.push(b'\'');
    OsString::from_vec(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        for (word, expected) in
            [("a:=b", "a:=b"), ("", "''"), ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("$A", "'$A'")]
        {
            assert_eq!(quote(OsStr::new(word)), OsString::from(expected));
        }
    }
}
