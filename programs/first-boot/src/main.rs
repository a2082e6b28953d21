//! `first-boot VERB`: sets up a machine from a freshly flashed card. See first-boot(1).

#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base::arguments;
use base::failure::{Failure, reason};
use base::plain::Plain;
use base::say::say;
use first_boot::settings::{self, LONGEST};
use first_boot::{BOOT, apply, durable, grow, overlay, read_only};
use lexopt::Arg::{Long, Value};

const HELP: &str = "\
Set up a machine from a freshly flashed card.

usage: first-boot apply [--boot DIR]
       first-boot grow [--disk FILE [--partition N]]
       first-boot check FILE
       first-boot read-only [on|off] [--boot DIR]
       first-boot --help | --version

  apply         apply custom.toml from the boot partition, once; a changed file
                is applied again
  grow          grow the root partition to the end of the card; with --disk,
                partition N of FILE (default: 2)
  check         check a custom.toml before you copy it to a card
  read-only     make the root file system read-only or writable from the next
                boot on; without on or off, print the current state
  --boot        boot partition (default: /boot/firmware)

As the first process of the machine, it mounts an overlay in memory over the
root file system and starts systemd.
Exit status: 0 success; 1 failure; 2 usage error; 78 custom.toml has errors
";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let done = if std::process::id() == 1 {
        Err(overlay::begin(arguments.into_iter()))
    } else {
        run(arguments.into_iter())
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(format_args!("error: {}", failure.message));
            ExitCode::from(failure.status)
        }
    }
}

fn run(arguments: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let Options { boot, disk, partition, verb, words } = Options::parse(arguments)?;
    let place = || PathBuf::from(boot.clone().unwrap_or(BOOT.into()));
    let given = [boot.is_some(), disk.is_some(), partition.is_some()];
    match (verb.to_str(), given, words.as_slice()) {
        (Some("--help"), ..) => print(HELP),
        (Some("--version"), ..) => print(&format!("first-boot {}\n", env!("CARGO_PKG_VERSION"))),
        (Some("apply"), [_, false, false], []) => apply::run(&place()),
        (Some("grow"), [false, false, false], []) => print_line(grow::root()?),
        (Some("grow"), [false, true, _], []) => {
            print_line(grow::file(Path::new(&disk.unwrap_or_default()), partition.unwrap_or(2))?)
        }
        (Some("check"), [false, false, false], [file]) => check(Path::new(file)),
        (Some("read-only"), [_, false, false], []) => {
            let word = |on| if on { "on" } else { "off" };
            let (now, next) = (word(read_only::now()), word(read_only::next(&place())?));
            print(&format!("now {now}, from the next boot on {next}\n"))
        }
        (Some("read-only"), [_, false, false], [word]) if word == "on" || word == "off" => {
            let changed = read_only::set(&place(), word == "on")?;
            print(if changed { "applies from the next boot on\n" } else { "nothing to change\n" })
        }
        (Some("apply" | "grow" | "check" | "read-only"), ..) => {
            let verb = verb.to_string_lossy();
            Err(usage(&format!("`{verb}`: unexpected arguments: see `first-boot --help`")))
        }
        _ => Err(usage(&format!(
            "`{}`: unknown command: expected apply, grow, check or read-only",
            verb.to_string_lossy()
        ))),
    }
}

#[derive(Default)]
struct Options {
    boot: Option<OsString>,
    disk: Option<OsString>,
    partition: Option<usize>,
    verb: OsString,
    words: Vec<OsString>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Options, Failure> {
        let wrong = |error: lexopt::Error| {
            usage(&format!("{}: see `first-boot --help`", arguments::describe(&error)))
        };
        let mut options = Options::default();
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next().map_err(wrong)? {
            match argument {
                Long("boot") => options.boot = Some(parser.value().map_err(wrong)?),
                Long("disk") => options.disk = Some(parser.value().map_err(wrong)?),
                Long("partition") => {
                    let number = parser.value().map_err(wrong)?.to_str().and_then(|text| text.parse().ok());
                    let number = number.filter(|number| (1..=4).contains(number));
                    options.partition =
                        Some(number.ok_or_else(|| usage("`--partition`: expected a number from 1 to 4"))?);
                }
                Long(verb @ ("help" | "version")) if options.verb.is_empty() => {
                    options.verb = format!("--{verb}").into();
                }
                Value(verb) if options.verb.is_empty() => options.verb = verb,
                Value(word) => options.words.push(word),
                other => return Err(wrong(other.unexpected())),
            }
        }
        Ok(options)
    }
}

fn print_line(line: Option<String>) -> Result<(), Failure> {
    print(&line.map_or_else(String::new, |line| format!("{}\n", Plain(line))))
}

/// A reader that closes the pipe early is not an error.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write: {}", reason(&e))))
        }
        _ => Ok(()),
    }
}

fn usage(text: &str) -> Failure {
    Failure::usage(text)
}

fn check(path: &Path) -> Result<(), Failure> {
    let shown = path.display();
    let failed = |e: io::Error| Failure::failed(format!("`{shown}`: {}", reason(&e)));
    let bytes = durable::read(path, LONGEST + 1).map_err(failed)?;
    let bytes = bytes.ok_or_else(|| Failure::failed(format!("`{shown}`: no such file")))?;
    let faults = settings::read(&bytes).faults;
    let lines: String = faults.iter().map(|fault| format!("{}\n", Plain(apply::describe(fault)))).collect();
    print(&lines)?;
    match faults.len() {
        0 => Ok(()),
        number => Err(Failure::configuration(format!("`{shown}`: {number} errors: correct them"))),
    }
}
