//! `rovi list`: prints the services from the table.

use base::failure::Failure;
use base::plain::Plain;

use crate::cli::arguments::Arguments;
use crate::cli::{JSON, Takes, Verb, json, print, table};

/// The verb `list`.
pub const VERB: Verb = Verb {
    name: "list",
    takes: Takes::Nothing,
    options: &[JSON],
    about: "list the services",
    more: "--json prints services.json from the package on one line.",
    examples: &[("rovi list", "print names and descriptions")],
    run,
};

fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let table = table()?;
    if arguments.has("json") {
        return print(&json(&table)?).map(|()| 0);
    }
    let width = table.services.iter().map(|s| s.name.chars().count()).max().unwrap_or_default();
    let line = |s: &base::table::Service| format!("{:width$}  {}\n", s.name, Plain(&s.description));
    print(&table.services.iter().map(line).collect::<String>()).map(|()| 0)
}
