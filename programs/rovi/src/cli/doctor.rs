//! `rovi doctor`: prints problems and the commands that fix them.

use base::diagnosis::{By, Diagnosis, Finding, Severity};
use base::failure::{FAILED, Failure};
use base::plain::Plain;

use crate::cli::arguments::Arguments;
use crate::cli::screen::{Colour, Screen};
use crate::cli::{JSON, Takes, Verb, json, print, table};
use crate::executor::doctor;
use crate::executor::systemd::Systemd;

/// The verb `doctor`.
pub const VERB: Verb = Verb {
    name: "doctor",
    takes: Takes::Nothing,
    options: &[JSON],
    about: "find problems, and show the commands that fix them",
    more: "\
The command changes nothing. Causes come before their effects: run the commands
from top to bottom, then check again. A note may be intentional.
The exit status is 1 if there is a problem, and 0 if there are only notes.",
    examples: &[("rovi doctor", "check everything"), ("rovi doctor --json", "the same as JSON")],
    run,
};

fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let diagnosis = doctor::examine(&table()?, &mut Systemd::connect()?)?;
    let text = if arguments.has("json") { json(&diagnosis)? } else { text(&diagnosis, Screen::output()) };
    print(&text)?;
    let ill = diagnosis.findings.iter().any(|f| f.severity == Severity::Problem);
    Ok(if ill { FAILED } else { 0 })
}

fn text(diagnosis: &Diagnosis, screen: Screen) -> String {
    let finding = |finding: &Finding| {
        let head = match finding.severity {
            Severity::Problem => screen.paint("problem: ", Colour::Red),
            Severity::Note => screen.paint("note: ", Colour::Yellow),
        };
        let who = match finding.by {
            By::Root => "#",
            By::You => "$",
        };
        format!("{head}{}: {}\n  {who} {}\n", finding.check, Plain(&finding.what), Plain(&finding.fix))
    };
    match diagnosis.findings.is_empty() {
        true => screen.paint(&format!("{}: no problems found", diagnosis.product), Colour::Green) + "\n",
        false => diagnosis.findings.iter().map(finding).collect(),
    }
}
