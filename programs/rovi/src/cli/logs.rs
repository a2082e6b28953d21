//! `rovi logs`: executes journalctl, which supports pagers, terminals and all journal formats.

use std::os::unix::process::CommandExt;
use std::process::Command;

use base::failure::{Failure, reason};

use crate::cli::arguments::Arguments;
use crate::cli::{Flag, Takes, Verb, table};
use crate::executor::{log, refusal};

/// The verb `logs`.
pub const VERB: Verb = Verb {
    name: "logs",
    takes: Takes::MaybeService,
    options: &[
        Flag { short: Some('f'), long: "follow", value: None, about: "keep printing new lines until Ctrl-C" },
        Flag { short: Some('n'), long: "lines", value: Some("N"), about: "print only the last N lines" },
    ],
    about: "show the log of a stack, or of all services",
    more: "Only members of systemd-journal or adm may read the system's journal.",
    examples: &[
        ("rovi logs -n 20 nav", "print the last 20 lines of nav"),
        ("rovi logs -f", "print all new lines as they arrive"),
    ],
    run,
};

fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let table = table()?;
    let units: Vec<&str> = match &arguments.word {
        Some(name) => vec![&refusal::find_service(&table, name)?.unit],
        None => table.services.iter().map(|s| s.unit.as_str()).collect(),
    };
    let mut command = Command::new("journalctl");
    command.args(units.iter().map(|unit| format!("--unit={unit}")));
    if let Some(lines) = arguments.value("lines") {
        let number = lines.parse::<u32>().map_err(|_| {
            Failure::usage(format!("`--lines {lines}`: invalid number: see `rovi logs --help`"))
        })?;
        command.arg(format!("--lines={number}"));
    }
    if arguments.has("follow") {
        command.arg("--follow");
    }
    if !log::readable() {
        return Err(Failure::not_permitted(format!("logs: {}", log::hidden(units.first().unwrap_or(&"")))));
    }
    let error = command.exec();
    Err(Failure::configuration(format!("`journalctl`: {}: install systemd's tools", reason(&error))))
}
