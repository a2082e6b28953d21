//! The command line of `rovi`: the table of verbs and the main function.
//!
//! The parser, the help texts and the completions all use this table. Each verb is in the module with its
//! name.

pub mod arguments;
pub mod completions;
pub mod doctor;
pub mod fields;
pub mod help;
pub mod list;
pub mod logs;
pub mod outcome;
pub mod restart;
pub mod screen;
pub mod start;
pub mod status;
pub mod stop;
pub mod switch;

use std::ffi::OsString;
use std::io::{self, Write};

use base::failure::Failure;
use base::say::say_after;
use base::table::Table;

use arguments::Arguments;

/// A verb of `rovi`.
#[derive(Debug)]
pub struct Verb {
    /// Name of the verb.
    pub name: &'static str,
    /// Argument of the verb.
    pub takes: Takes,
    /// Options of the verb.
    pub options: &'static [Flag],
    /// One line for the help text.
    pub about: &'static str,
    /// More help text, in lines of at most 80 characters.
    pub more: &'static str,
    /// Example command lines with a description.
    pub examples: &'static [(&'static str, &'static str)],
    /// Runs the verb and returns the exit status.
    pub run: fn(&Arguments) -> Result<u8, Failure>,
}

/// The argument of a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// No argument.
    Nothing,
    /// A service.
    Service,
    /// An optional service.
    MaybeService,
    /// One of these words.
    Word(&'static str, &'static [&'static str]),
}

/// An option of a verb.
#[derive(Debug)]
pub struct Flag {
    /// Short name.
    pub short: Option<char>,
    /// Long name, without hyphens.
    pub long: &'static str,
    /// Name of its value, if it takes one.
    pub value: Option<&'static str>,
    /// One line for the help text.
    pub about: &'static str,
}

/// All verbs in the order of the help text.
pub const VERBS: [&Verb; 10] = [
    &list::VERB,
    &status::VERB,
    &start::VERB,
    &stop::VERB,
    &restart::VERB,
    &switch::VERB,
    &logs::VERB,
    &doctor::VERB,
    &fields::VERB,
    &completions::VERB,
];

/// The option of verbs with JSON output.
pub const JSON: Flag =
    Flag { short: None, long: "json", value: None, about: "print one JSON object, for programs" };

/// Runs `rovi` with these arguments and returns the exit status.
pub fn main(arguments: impl Iterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = arguments.collect();
    match run(&words) {
        Ok(status) => status,
        Err(failure) => {
            let mark = screen::Screen::errors().paint("error: ", screen::Colour::Red);
            say_after(&mark, &failure.message);
            failure.status
        }
    }
}

/// Reads the product's table.
pub fn table() -> Result<Table, Failure> {
    Table::of_this_program().map_err(Failure::configuration)
}

/// Formats an object as one line of JSON.
pub fn json(object: &impl serde::Serialize) -> Result<String, Failure> {
    base::plain::json(object).map(|line| line + "\n").map_err(|e| Failure::failed(e.to_string()))
}

/// Writes to standard output. A reader that closes the pipe early is not an error.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(format!(
            "cannot write to cannot write to standard output: {}: its file system may be full",
            base::failure::reason(&e)
        ))),
        _ => Ok(()),
    }
}

fn run(words: &[OsString]) -> Result<u8, Failure> {
    let Some(first) = words.first() else {
        return Err(Failure::usage("verb is missing: see `rovi --help`"));
    };
    let name = match first.to_str() {
        Some("--help" | "-h" | "help") => match words.get(1).and_then(|word| verb(word.to_str()?)) {
            Some(verb) => return print(&help::render(verb)).map(|()| 0),
            None => return print(&help::all()).map(|()| 0),
        },
        Some("--version" | "-V") => return version().map(|()| 0),
        Some(completions::WORDS) => return completions::words(&words[1..]).map(|()| 0),
        name => name.unwrap_or_default(),
    };
    let Some(verb) = verb(name) else {
        let known = VERBS.map(|verb| verb.name).join(", ");
        let shown = first.to_string_lossy();
        return Err(Failure::usage(format!(
            "`{shown}`: unknown verb: expected one of {known}: see `rovi --help`"
        )));
    };
    match Arguments::parse(verb, &words[1..])? {
        Some(arguments) => (verb.run)(&arguments),
        None => print(&help::render(verb)).map(|()| 0),
    }
}

/// Returns a verb by name.
pub fn verb(name: &str) -> Option<&'static Verb> {
    VERBS.into_iter().find(|verb| verb.name == name)
}

fn version() -> Result<(), Failure> {
    let product = match Table::of_this_program() {
        Ok(table) => format!(" ({} {})", table.package, table.version),
        Err(_) => String::new(),
    };
    print(&format!("rovi {}{product}\n", env!("CARGO_PKG_VERSION")))
}
