//! Parses the arguments of a verb.

use std::collections::BTreeMap;
use std::ffi::OsString;

use base::failure::Failure;

use crate::cli::{Flag, Takes, Verb};

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
        let mut found = Arguments { verb: verb.name, ..Arguments::default() };
        let see = format!("see `rovi {} --help`", verb.name);
        let mut words = words.iter();
        let mut only_words = false;
        while let Some(word) = words.next() {
            let Some(text) = word.to_str() else {
                return Err(Failure::usage(format!("`{}`: not UTF-8: {see}", word.to_string_lossy())));
            };
            let mut value = |flag: &'static Flag, own: Option<&str>| match (flag.value, own) {
                (None, None) => Ok(String::new()),
                (None, Some(_)) => Err(Failure::usage(format!("`--{}`: takes no value: {see}", flag.long))),
                (Some(_), Some(own)) => Ok(own.to_owned()),
                (Some(what), None) => {
                    let next = words.next().and_then(|w| w.to_str());
                    next.map(str::to_owned)
                        .ok_or_else(|| Failure::usage(format!("`{text}`: {what} is missing: {see}")))
                }
            };
            let unknown = || Failure::usage(format!("`{text}`: unknown option: {see}"));
            if only_words || !text.starts_with('-') || text == "-" {
                if found.word.is_some() || verb.takes == Takes::Nothing {
                    return Err(Failure::usage(format!("`{text}`: unexpected argument: {see}")));
                }
                found.word = Some(text.to_owned());
            } else if text == "--" {
                only_words = true;
            } else if matches!(text, "--help" | "-h") {
                return Ok(None);
            } else if let Some(long) = text.strip_prefix("--") {
                let (long, own) = long.split_once('=').map_or((long, None), |(long, own)| (long, Some(own)));
                let flag = verb.options.iter().find(|flag| flag.long == long).ok_or_else(unknown)?;
                found.options.insert(flag.long, value(flag, own)?);
            } else {
                for (at, letter) in text[1..].char_indices() {
                    let flag =
                        verb.options.iter().find(|flag| flag.short == Some(letter)).ok_or_else(unknown)?;
                    let rest = &text[1 + at + letter.len_utf8()..];
                    let own = Some(rest).filter(|rest| flag.value.is_some() && !rest.is_empty());
                    found.options.insert(flag.long, value(flag, own)?);
                    if flag.value.is_some() {
                        break;
                    }
                }
            }
        }
        match (verb.takes, &found.word) {
            (Takes::Service, None) => {
                Err(Failure::usage(format!("service name is missing: {see}, and `rovi list`")))
            }
            (Takes::Word(what, known), None) => {
                Err(Failure::usage(format!("{what} is missing: expected one of {}: {see}", known.join(", "))))
            }
            (Takes::Word(what, known), Some(word)) if !known.contains(&word.as_str()) => {
                Err(Failure::usage(format!("`{word}`: unknown {what}: expected one of {}", known.join(", "))))
            }
            _ => Ok(Some(found)),
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
