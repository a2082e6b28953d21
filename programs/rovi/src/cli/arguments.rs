//! Parses the arguments of a verb.

use std::collections::BTreeMap;
use std::ffi::OsString;

use base::arguments::describe;
use base::failure::Failure;
use lexopt::Arg::{Long, Short, Value};

use crate::cli::{Takes, Verb};

/// The parsed arguments.
#[derive(Debug, Default)]
pub struct Arguments {
    /// Name of the verb.
    pub verb: &'static str,
    /// The service or other word.
    pub word: Option<String>,
    options: BTreeMap<&'static str, String>,
}

impl Arguments {
    /// Parses the arguments; returns `None` if help is requested.
    pub fn parse(verb: &'static Verb, words: &[OsString]) -> Result<Option<Arguments>, Failure> {
        let mut arguments = Arguments { verb: verb.name, ..Arguments::default() };
        let see = format!("see `rovi {} --help`", verb.name);
        let usage = |error: lexopt::Error| Failure::usage(format!("{}: {see}", describe(&error)));
        let mut parser = lexopt::Parser::from_args(words);
        while let Some(argument) = parser.next().map_err(usage)? {
            let flag = match argument {
                Short('h') | Long("help") => return Ok(None),
                Short(letter) => verb.options.iter().find(|flag| flag.short == Some(letter)),
                Long(name) => verb.options.iter().find(|flag| flag.long == name),
                Value(word) => {
                    if arguments.word.is_some() || verb.takes == Takes::Nothing {
                        return Err(usage(Value(word).unexpected()));
                    }
                    arguments.word = Some(word.into_string().map_err(|word| usage(word.into()))?);
                    continue;
                }
            };
            let Some(flag) = flag else { return Err(usage(argument.unexpected())) };
            let option = match argument {
                Short(letter) => format!("-{letter}"),
                _ => format!("--{}", flag.long),
            };
            let value = match flag.value {
                None => String::new(),
                Some(what) => {
                    let missing = |_| Failure::usage(format!("`{option}`: {what} is missing: {see}"));
                    let value = parser.value().map_err(missing)?;
                    value.into_string().map_err(|value| usage(value.into()))?
                }
            };
            arguments.options.insert(flag.long, value);
        }
        match (verb.takes, &arguments.word) {
            (Takes::Service, None) => {
                Err(Failure::usage(format!("service name is missing: {see}, and `rovi list`")))
            }
            (Takes::Word(what, known), None) => {
                Err(Failure::usage(format!("{what} is missing: expected one of {}: {see}", known.join(", "))))
            }
            (Takes::Word(what, known), Some(word)) if !known.contains(&word.as_str()) => {
                Err(Failure::usage(format!("`{word}`: unknown {what}: expected one of {}", known.join(", "))))
            }
            _ => Ok(Some(arguments)),
        }
    }

    /// Returns whether an option was given.
    pub fn has(&self, long: &str) -> bool {
        self.options.contains_key(long)
    }

    /// Returns the value of an option.
    pub fn value(&self, long: &str) -> Option<&str> {
        self.options.get(long).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::logs;

    fn parse(line: &str) -> Result<Option<Arguments>, String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Arguments::parse(&logs::VERB, &words).map_err(|failure| failure.message)
    }

    #[test]
    fn options_in_every_form() {
        for line in ["-f -n 5 nav", "-fn5 nav", "nav --follow --lines=5", "--lines 5 -f -- nav"] {
            let found = parse(line).unwrap().unwrap();
            assert_eq!(
                (found.word.as_deref(), found.value("lines"), found.has("follow")),
                (Some("nav"), Some("5"), true),
                "{line}"
            );
        }
        assert!(parse("nav -h").unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, why) in [
            ("-x", "`-x`: unknown option"),
            ("--follow=1", "takes no value"),
            ("-n", "`-n`: N is missing"),
            ("a b", "`b`: unexpected argument"),
        ] {
            let message = parse(line).unwrap_err();
            assert!(message.contains(why) && message.contains("rovi logs --help"), "{line}: {message}");
        }
    }
}
