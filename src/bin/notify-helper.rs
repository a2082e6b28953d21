//! `notify-helper run … -- CMD…` and `notify-helper alert UNIT`: for now their command lines only. What is asked
//! for is understood and checked, and then refused, because nothing may believe that it is watched when it is
//! not. See notify-helper(1).

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use rovi_services::failure::{Failure, reason};

const HELP: &str = "\
Tell systemd when a program is ready, and a person when it has failed.

usage: notify-helper run --ready PROBE [--watchdog PROBE] -- COMMAND [ARGS...]
       notify-helper alert UNIT
       notify-helper --help | --version

PROBE is tcp:PORT, unix:PATH, http:URL, file:PATH, log:REGEX or exec:COMMAND.

This version understands its command line and can do none of it yet: run and alert exit with 1.
";

/// The kinds of probe, in the order of the manual.
const PROBES: [&str; 6] = ["tcp", "unix", "http", "file", "log", "exec"];

fn main() -> ExitCode {
    match run(std::env::args_os().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            ExitCode::from(failure.status)
        }
    }
}

fn run(mut args: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let verb = args.next();
    match verb.as_ref().and_then(|v| v.to_str()) {
        Some("--help") => written(io::stdout().write_all(HELP.as_bytes())),
        Some("--version") => written(writeln!(io::stdout(), "notify-helper {}", env!("CARGO_PKG_VERSION"))),
        Some("run") => watch(args),
        Some("alert") => alert(args),
        _ => Err(usage(
            &format!("`{}`", verb.unwrap_or_default().to_string_lossy()),
            "run and alert are known",
        )),
    }
}

/// `run`: one probe at least, then `--`, then the command.
fn watch(mut args: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let mut ready = false;
    loop {
        let arg = args.next().ok_or_else(|| usage("`run`", "no `--` and command follow"))?;
        match arg.to_str() {
            Some(option @ ("--ready" | "--watchdog")) => {
                let probe = args.next().unwrap_or_default();
                check_probe(option, &probe.to_string_lossy())?;
                ready |= option == "--ready";
            }
            Some("--") => break,
            _ => return Err(usage(&format!("`{}`", arg.to_string_lossy()), "no such option of `run`")),
        }
    }
    if !ready {
        return Err(usage("`run`", "`--ready` is missing"));
    }
    let command = args.next().ok_or_else(|| usage("`run`", "no command follows `--`"))?;
    let todo = "start it without notify-helper and with `Type=exec`";
    Err(Failure::failed(format!(
        "`{}`: this version cannot watch a command yet: {todo}",
        command.to_string_lossy()
    )))
}

/// `alert`: the unit, and nothing else.
fn alert(mut args: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let unit = args.next().filter(|u| !u.is_empty()).ok_or_else(|| usage("`alert`", "no unit is named"))?;
    if let Some(more) = args.next() {
        return Err(usage(&format!("`{}`", more.to_string_lossy()), "`alert` takes one unit"));
    }
    let unit = unit.to_string_lossy();
    let todo = format!("see `journalctl --unit={unit}`");
    Err(Failure::failed(format!("`{unit}`: this version cannot deliver an alert yet: {todo}")))
}

fn check_probe(option: &str, probe: &str) -> Result<(), Failure> {
    let (kind, of) = probe.split_once(':').unwrap_or_default();
    let known =
        PROBES.contains(&kind) && !of.is_empty() && (kind != "tcp" || of.parse::<u16>().is_ok_and(|p| p > 0));
    if known {
        return Ok(());
    }
    Err(usage(
        &format!("`{option} {probe}`"),
        "tcp:PORT, unix:PATH, http:URL, file:PATH, log:REGEX, exec:COMMAND are known",
    ))
}

fn usage(what: &str, why: &str) -> Failure {
    Failure::usage(format!("{what}: {why}: see `notify-helper --help`"))
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write: {}: write somewhere else", reason(&e))))
        }
        _ => Ok(()),
    }
}
