//! Prints information without launching anything: services, a launch, lock holders.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use base::environment::Environment;
use base::failure::Failure;
use base::lock;
use base::plain::Plain;
use base::program::quote;
use base::table::Table;

use crate::launch::{Prepared, Request};

/// Standard output: exact for programs, and without control characters on a terminal.
#[derive(Debug)]
pub(crate) struct Output {
    /// The current line until it ends.
    line: Vec<u8>,
    terminal: bool,
}

impl Output {
    pub(crate) fn new() -> Output {
        Output { line: Vec::new(), terminal: io::stdout().is_terminal() }
    }
}

impl Default for Output {
    fn default() -> Output {
        Output::new()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.terminal {
            return io::stdout().write(bytes);
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(end) = part.strip_suffix(b"\n") else {
                self.line.extend_from_slice(part);
                continue;
            };
            self.line.extend_from_slice(end);
            let line = std::mem::take(&mut self.line);
            writeln!(io::stdout(), "{}", Plain(String::from_utf8_lossy(&line)))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// Prints names and descriptions, one service per line.
pub(crate) fn list(table: &Table, out: &mut impl Write) -> io::Result<()> {
    let width = table.launchable().map(|(s, _)| s.name.len()).max().unwrap_or_default();
    for (service, _) in table.launchable() {
        writeln!(out, "{:width$}  {}", service.name, Plain(&service.description))?;
    }
    Ok(())
}

/// Prints everything about a launch, with the environment last.
pub(crate) fn print(request: &Request<'_>, prepared: &Prepared, out: &mut impl Write) -> io::Result<()> {
    let Request { service, launch, .. } = request;
    let mut line = |name: &str, value: &OsStr| {
        out.write_all(format!("{name}: ").as_bytes())?;
        out.write_all(value.as_bytes())?;
        out.write_all(b"\n")
    };
    let words: Vec<OsString> = prepared.argv.iter().map(|w| quote(w)).collect();
    line("service", service.name.as_ref())?;
    line("unit", service.unit.as_ref())?;
    line("command", &words.join(OsStr::new(" ")))?;
    let paths = [("directory", &prepared.directory), ("lock", &launch.lock), ("env-file", &launch.env_file)];
    for (name, path) in paths {
        if let Some(path) = path {
            line(name, path.as_os_str())?;
        }
    }
    if let Some(unit) = &service.only_while {
        line("only-while", unit.as_ref())?;
    }
    for script in &launch.setup {
        line(
            "setup",
            &prepared.environment.expand(&script.path).unwrap_or_else(|_| script.path.clone().into()),
        )?;
    }
    if let Some(session) = &launch.session {
        line("session", format!("~/{}: {}", session.path.display(), session.content).as_ref())?;
    }
    out.write_all(b"environment:\n")?;
    for (name, value) in prepared.environment.iter() {
        out.write_all(&[b"  ", name.as_bytes(), b"=", quote(value).as_bytes(), b"\n"].concat())?;
    }
    Ok(())
}

/// Prints an `export` line for each variable, for a POSIX shell.
pub(crate) fn exports(environment: &Environment, out: &mut impl Write) -> io::Result<()> {
    for (name, value) in environment.iter() {
        out.write_all(&[b"export ", name.as_bytes(), b"=", quote(value).as_bytes(), b"\n"].concat())?;
    }
    Ok(())
}

/// Prints a line for each lock that is held; returns whether any is held.
pub(crate) fn busy(table: &Table, out: &mut impl Write) -> Result<bool, Failure> {
    let mut paths: Vec<&Path> = table.launchable().filter_map(|(_, launch)| launch.lock.as_deref()).collect();
    paths.sort();
    paths.dedup();
    let mut any = false;
    for path in paths {
        if let Some(holder) = lock::look(table, path)?.describe() {
            any = true;
            // The result is the exit status, which must not depend on whether the line can be printed.
            let _ = writeln!(out, "{}: {}", path.display(), Plain(holder));
        }
    }
    Ok(any)
}
