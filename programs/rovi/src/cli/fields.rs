//! `rovi fields`: prints status fields of the UI bridge as JSON lines.

use std::path::Path;

use base::failure::Failure;

use crate::cli::arguments::Arguments;
use crate::cli::{Flag, Takes, Verb, json, outcome, print, status};
use crate::executor::fields::{self, Fields};
use crate::executor::systemd::Source;

/// The verb `fields`.
pub const VERB: Verb = Verb {
    name: "fields",
    takes: Takes::Nothing,
    options: &[
        Flag {
            short: Some('c'),
            long: "config",
            value: Some("FILE"),
            about: "configuration file of the UI bridge; required",
        },
        Flag {
            short: Some('w'),
            long: "watch",
            value: None,
            about: "print a line for every change, until Ctrl-C",
        },
    ],
    about: "print the UI bridge's status fields as JSON lines",
    more: "\
Reads streams.status.fields and prints those with `provider: system`: the state
of a service, or whether a process runs. Other fields are ignored.
",
    examples: &[("rovi fields --config ui.yaml --watch", "print every value, and every change")],
    run,
};

fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let Some(file) = arguments.value("config") else {
        return Err(Failure::usage("file name is missing: see `rovi fields --help`"));
    };
    let fields = fields::read(Path::new(file))?;
    let follow = arguments.has("watch");
    let interrupt = outcome::interrupts()?;
    let reader = status::reader()?;
    let ends: Vec<&Source> = [&interrupt].into_iter().chain(&reader).collect();
    let mut fields = Fields::new(fields, follow)?;
    loop {
        let mut text = String::new();
        for line in fields.look()? {
            text += &json(&line)?;
        }
        print(&text)?;
        if !follow || !fields.wait(&ends)? {
            return Ok(0);
        }
    }
}
