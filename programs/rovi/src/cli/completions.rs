//! `rovi completions`: prints completion scripts, which call this program for candidates. These come from the
//! table of verbs and the product's services.

use std::ffi::OsString;

use base::failure::Failure;

use crate::cli::arguments::Arguments;
use crate::cli::{Takes, VERBS, Verb, print, table, verb};

/// The verb `completions`.
pub const VERB: Verb = Verb {
    name: "completions",
    takes: Takes::Word("shell", &["bash", "zsh", "fish"]),
    options: &[],
    about: "print the completion script for a shell",
    more: "The packages install the scripts; use this for a shell with another path.",
    examples: &[("rovi completions bash", "print the script for bash")],
    run,
};

/// Internal option of the scripts; the typed words follow, the last one possibly incomplete.
pub const WORDS: &str = "--complete";

fn run(arguments: &Arguments) -> Result<u8, Failure> {
    print(match arguments.word.as_deref() {
        Some("zsh") => include_str!("../../completions/zsh"),
        Some("fish") => include_str!("../../completions/fish"),
        _ => include_str!("../../completions/bash"),
    })
    .map(|()| 0)
}

/// Prints all candidates for the last word.
pub fn words(typed: &[OsString]) -> Result<(), Failure> {
    let typed: Vec<String> = typed.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let (last, before) = typed.split_last().map(|(last, before)| (last.as_str(), before)).unwrap_or_default();
    let mut found: Vec<String> = match before.first().map(|first| verb(first)) {
        None => VERBS
            .map(|verb| verb.name.to_owned())
            .into_iter()
            .chain(["--help", "--version"].map(str::to_owned))
            .collect(),
        Some(None) => Vec::new(),
        Some(Some(verb)) => after(verb, before),
    };
    found.retain(|word| word.starts_with(last));
    print(&found.iter().map(|word| format!("{word}\n")).collect::<String>())
}

fn after(verb: &Verb, before: &[String]) -> Vec<String> {
    let options = verb.options.iter().map(|flag| format!("--{}", flag.long)).chain(["--help".to_owned()]);
    let options = options.filter(|option| !before.contains(option));
    let has_word = before[1..].iter().any(|word| !word.starts_with('-'));
    let words: Vec<String> = match verb.takes {
        _ if has_word => Vec::new(),
        Takes::Nothing => Vec::new(),
        Takes::Word(_, words) => words.iter().map(|word| (*word).to_owned()).collect(),
        Takes::Service | Takes::MaybeService => {
            table().map(|t| t.services.into_iter().map(|s| s.name).collect()).unwrap_or_default()
        }
    };
    words.into_iter().chain(options).collect()
}
