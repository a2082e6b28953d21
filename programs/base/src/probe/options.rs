//! Parses the options of `notify-helper run`. The watcher receives the same options, and the catalog parses them to
//! check its probes.

use std::ffi::OsString;
use std::time::Duration;

use lexopt::Arg::{Long, Short, Value};
use regex_lite::Regex;

use super::Probe;
use super::line::one_line;
use crate::arguments::describe;
use crate::failure::Failure;
use crate::span;

/// The options of `run`; each takes a value.
const KNOWN: [&str; 7] =
    ["--ready", "--watchdog", "--grace", "--interval", "--timeout", "--http-status", "--http-body"];

/// Default of `--timeout`.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The probes of a service and their timing.
#[derive(Debug)]
pub struct Options {
    /// Probes that must each pass once, in this order.
    pub ready: Vec<Probe>,
    /// Probe that must keep passing while the service runs.
    pub watchdog: Option<Probe>,
    /// Time limit of the whole start; without it, only the unit's own limit applies.
    pub grace: Option<Duration>,
    /// Pause between attempts during the start; without it, the pause grows with the elapsed time.
    pub interval: Option<Duration>,
    /// Time limit of one attempt.
    pub timeout: Duration,
}

impl Options {
    /// Parses arguments up to and including `--`; also returns those arguments, for the watcher.
    pub fn parse(mut args: impl Iterator<Item = OsString>) -> Result<(Options, Vec<OsString>), Failure> {
        let mut options =
            Options { ready: Vec::new(), watchdog: None, grace: None, interval: None, timeout: TIMEOUT };
        let mut words = Vec::new();
        while words.last().is_none_or(|word| word != "--") {
            words.push(args.next().ok_or_else(|| usage("`run`", "expected `--` and a command"))?);
        }
        let unknown = |word: &str| usage(&format!("`{word}`"), "unknown option of `run`");
        let mut last = "";
        let mut parser = lexopt::Parser::from_args(&words[..words.len() - 1]);
        while let Some(argument) = parser.next().map_err(|e| usage("`run`", &describe(&e)))? {
            let option = match argument {
                Long(name) => {
                    let known = KNOWN.into_iter().find(|known| known[2..] == *name);
                    known.ok_or_else(|| unknown(&format!("--{name}")))?
                }
                Short(letter) => return Err(unknown(&format!("-{letter}"))),
                Value(word) => return Err(unknown(&word.to_string_lossy())),
            };
            let value = parser.value().unwrap_or_default();
            let text = value.to_string_lossy();
            let wrong = |why: &str| usage(&format!("`{option} {text}`"), why);
            if value.to_str().is_none() {
                return Err(wrong("not UTF-8"));
            }
            let span =
                || span::parse(&text).ok_or_else(|| wrong("expected a time span such as `90` or `1min 30s`"));
            match option {
                "--ready" => options.ready.push(Probe::parse(&text).map_err(|why| wrong(&why))?),
                "--watchdog" => {
                    let probe = Probe::parse(&text).map_err(|why| wrong(&why))?;
                    if matches!(probe, Probe::Log(_)) {
                        return Err(wrong("a `log:` probe only detects the start: use another probe"));
                    }
                    if options.watchdog.replace(probe).is_some() {
                        return Err(wrong("`--watchdog` can be used only once"));
                    }
                }
                "--grace" => options.grace = Some(span()?),
                "--interval" => options.interval = Some(span()?),
                "--timeout" => options.timeout = span()?,
                _ => {
                    let probe = if last == "--watchdog" {
                        options.watchdog.as_mut()
                    } else {
                        options.ready.last_mut()
                    };
                    let Some(Probe::Http(request)) = probe else {
                        return Err(wrong("expected an `http:` probe before it"));
                    };
                    if option == "--http-body" {
                        request.body = Some(Regex::new(&text).map_err(|e| wrong(&one_line(&e)))?);
                    } else {
                        request.status = parse_range(&text)
                            .ok_or_else(|| wrong("expected a status such as `404` or `200-399`"))?;
                    }
                }
            }
            if matches!(option, "--ready" | "--watchdog") {
                last = option;
            }
        }
        if options.ready.is_empty() {
            return Err(usage("`run`", "expected at least one `--ready`"));
        }
        Ok((options, words))
    }

    /// Returns whether the watcher must read the command's output.
    pub fn reads_output(&self) -> bool {
        self.ready.iter().any(|probe| matches!(probe, Probe::Log(_)))
    }
}

/// Returns a usage error that points to `notify-helper --help`.
pub fn usage(what: &str, why: &str) -> Failure {
    Failure::usage(format!("{what}: {why}: see `notify-helper --help`"))
}

fn parse_range(text: &str) -> Option<(u16, u16)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high && low >= 100 && high <= 999).then_some((low, high))
}
