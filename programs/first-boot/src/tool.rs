//! Runs programs of the system.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a program to its end; standard error appears only in the error of a failure.
pub(super) fn run(words: &[&str], input: Option<&str>) -> Result<String, String> {
    let Some((program, arguments)) = words.split_first() else { return Err("nothing to run".to_owned()) };
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C.UTF-8").stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    let failed = |e: std::io::Error| format!("`{name}`: {}", base::failure::reason(&e));
    let mut child = command.spawn().map_err(failed)?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // A program that does not read all input reports its error by its status.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no error message");
    Err(format!("`{name}` failed ({}): {}", output.status, last.trim_end_matches('.')))
}

/// Returns whether a program exists.
pub(super) fn exists(name: &str) -> bool {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].iter().any(|folder| Path::new(folder).join(name).exists())
}

/// Runs systemctl; does nothing where systemd is not running.
pub(super) fn systemctl(words: &[&str]) -> Result<(), String> {
    if !Path::new("/run/systemd/system").exists() {
        return Ok(());
    }
    run(&[&["systemctl"], words].concat(), None).map(drop)
}
