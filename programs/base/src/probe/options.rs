//! The options of `run`, which the watcher also gets.

use std::ffi::OsString;
use std::time::Duration;

use regex_lite::Regex;

use super::Probe;
use super::line::one_line;
use crate::failure::Failure;
use crate::span;

/// Default time limit of a probe.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The options of `run`.
#[derive(Debug)]
pub struct Options {
    /// Each must pass once, in this order.
    pub ready: Vec<Probe>,
    /// Must pass repeatedly after the start.
    pub watchdog: Option<Probe>,
    /// Time limit for the whole start; without it, only the unit's own limit applies.
    pub grace: Option<Duration>,
    /// Time between two probes during the start; by default it grows with the elapsed time.
    pub interval: Option<Duration>,
    /// Time limit of a probe.
    pub timeout: Duration,
}

impl Options {
    /// Parses all arguments up to `--`; also returns the arguments for the watcher.
    pub fn parse(mut args: impl Iterator<Item = OsString>) -> Result<(Options, Vec<OsString>), Failure> {
        let mut options =
            Options { ready: Vec::new(), watchdog: None, grace: None, interval: None, timeout: TIMEOUT };
        let mut words = Vec::new();
        let mut last = "";
        loop {
            let arg = args.next().ok_or_else(|| usage("`run`", "`--` and a command are missing"))?;
            words.push(arg.clone());
            if arg == "--" {
                break;
            }
            const KNOWN: [&str; 7] = [
                "--ready",
                "--watchdog",
                "--grace",
                "--interval",
                "--timeout",
                "--http-status",
                "--http-body",
            ];
            let Some(option) = KNOWN.into_iter().find(|known| arg == *known) else {
                return Err(usage(&format!("`{}`", arg.to_string_lossy()), "unknown option of `run`"));
            };
            let value = args.next().unwrap_or_default();
            words.push(value.clone());
            let of = value.to_string_lossy();
            let wrong = |why: &str| usage(&format!("`{option} {of}`"), why);
            if value.to_str().is_none() {
                return Err(wrong("not UTF-8"));
            }
            let span = || {
                span::parse(&of)
                    .ok_or_else(|| wrong("invalid time span: expected for example `90` or `1min 30s`"))
            };
            match option {
                "--ready" => options.ready.push(Probe::parse(&of).map_err(|why| wrong(&why))?),
                "--watchdog" => {
                    let probe = Probe::parse(&of).map_err(|why| wrong(&why))?;
                    if matches!(probe, Probe::Log(_)) {
                        return Err(wrong("a `log:` probe cannot be a watchdog"));
                    }
                    if options.watchdog.replace(probe).is_some() {
                        return Err(wrong("only one watchdog is allowed"));
                    }
                }
                "--grace" => options.grace = Some(span()?),
                "--interval" => options.interval = Some(span()?),
                "--timeout" => options.timeout = span()?,
                _ => {
                    let before = if last == "--watchdog" {
                        options.watchdog.as_mut()
                    } else {
                        options.ready.last_mut()
                    };
                    let Some(Probe::Http(request)) = before else {
                        return Err(wrong("must follow an `http:` probe"));
                    };
                    if option == "--http-body" {
                        request.body = Some(Regex::new(&of).map_err(|e| wrong(&one_line(&e)))?);
                    } else {
                        request.status = range(&of).ok_or_else(|| {
                            wrong("invalid status: expected for example `404` or `200-399`")
                        })?;
                    }
                }
            }
            if matches!(option, "--ready" | "--watchdog") {
                last = option;
            }
        }
        if options.ready.is_empty() {
            return Err(usage("`run`", "`--ready` is missing"));
        }
        Ok((options, words))
    }

    /// Returns whether the command's output must pass through the watcher.
    pub fn reads_output(&self) -> bool {
        self.ready.iter().any(|probe| matches!(probe, Probe::Log(_)))
    }
}

/// Creates an error about the command line.
pub fn usage(what: &str, why: &str) -> Failure {
    Failure::usage(format!("{what}: {why}: see `notify-helper --help`"))
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high && low >= 100 && high <= 999).then_some((low, high))
}
