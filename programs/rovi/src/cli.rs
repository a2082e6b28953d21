//! `rovi`'s command line: the table of verbs, and how a run of one begins and ends.
//!
//! The table is all there is to know of a verb: the parser, the help texts and the completions are made from it. Each
//! verb is a module of its name.

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

/// A verb.
#[derive(Debug)]
pub struct Verb {
    /// Its name.
    pub name: &'static str,
    /// What follows it.
    pub takes: Takes,
    /// Its options.
    pub options: &'static [Flag],
    /// What it does, in a line.
    pub about: &'static str,
    /// What else is to be known, in lines of at most 80 characters.
    pub more: &'static str,
    /// Command lines, each with what it is for.
    pub examples: &'static [(&'static str, &'static str)],
    /// Does it; gives the exit status.
    pub run: fn(&Arguments) -> Result<u8, Failure>,
}

/// What follows a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A service.
    Service,
    /// A service, or nothing.
    MaybeService,
    /// One of these words.
    Word(&'static str, &'static [&'static str]),
}

/// An option.
#[derive(Debug)]
pub struct Flag {
    /// Its letter.
    pub short: Option<char>,
    /// Its long name, without hyphens.
    pub long: &'static str,
    /// What its value is, if it takes one.
    pub value: Option<&'static str>,
    /// What it does.
    pub about: &'static str,
}

/// Every verb, in the order of the help text.
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

/// For verbs whose answer a program may read.
pub const JSON: Flag =
    Flag { short: None, long: "json", value: None, about: "print one JSON object, for programs" };

/// Runs `rovi` with these arguments; gives the exit status.
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

/// The product's table.
pub fn table() -> Result<Table, Failure> {
    Table::of_this_program().map_err(Failure::configuration)
}

/// An object on one line, for programs.
pub fn json(object: &impl serde::Serialize) -> Result<String, Failure> {
    base::plain::json(object).map(|line| line + "\n").map_err(|e| Failure::failed(e.to_string()))
}

/// Writes to standard output. A reader that has seen enough closes the pipe; that is no failure.
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
            Some(verb) => return print(&help::of(verb)).map(|()| 0),
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
        None => print(&help::of(verb)).map(|()| 0),
    }
}

/// The verb of that name.
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
