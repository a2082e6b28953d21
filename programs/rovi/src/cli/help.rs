//! Help texts from the table of verbs, with at most 80 columns.

use crate::cli::{Flag, Takes, VERBS, Verb};

const WIDTH: usize = 80;

/// All exit statuses, as in the man page.
const STATUSES: &str = "\
Exit status: 0 success, 1 failure, 2 usage error, 3 permission denied,
4 unknown service, 75 try again later (lock held, gateway not running, guard
refuses, another request in progress), 78 something must be installed or
corrected, 130 interrupted.
";

/// Returns the help text of `rovi`.
pub fn all() -> String {
    let mut text =
        "Start, stop and watch this robot's services, without sudo.\n\nusage: rovi VERB [OPTIONS]\n\n"
            .to_owned();
    for verb in VERBS {
        entry(&mut text, &format!("{}{}", verb.name, operand(verb.takes)), verb.about, 22);
    }
    text.push_str("\nFor details, run rovi VERB --help.\n\nExamples:\n");
    for verb in VERBS {
        if let Some((line, what)) = verb.examples.first() {
            entry(&mut text, line, what, 30);
        }
    }
    text.push('\n');
    text.push_str(STATUSES);
    text.push_str("Set NO_COLOR to turn colors off. See also: man rovi, man rovi-services.\n");
    text
}

/// Returns the help text of a verb.
pub fn render(verb: &Verb) -> String {
    let options = if verb.options.is_empty() { "" } else { " [OPTIONS]" };
    let mut text =
        format!("{}\n\nusage: rovi {}{options}{}\n", sentence(verb.about), verb.name, operand(verb.takes));
    if !verb.options.is_empty() {
        text.push('\n');
    }
    for flag in verb.options {
        entry(&mut text, &describe(flag), flag.about, 22);
    }
    if !verb.more.is_empty() {
        text.push_str(&format!("\n{}\n", verb.more.trim_end()));
    }
    text.push_str("\nExamples:\n");
    for (line, what) in verb.examples {
        entry(&mut text, line, what, 36);
    }
    text
}

fn operand(takes: Takes) -> String {
    match takes {
        Takes::Nothing => String::new(),
        Takes::Service => " STACK".to_owned(),
        Takes::MaybeService => " [STACK]".to_owned(),
        Takes::Word(what, _) => format!(" {}", what.to_uppercase()),
    }
}

fn describe(flag: &Flag) -> String {
    let short = flag.short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
    let value = flag.value.map(|value| format!(" {value}")).unwrap_or_default();
    format!("{short}--{}{value}", flag.long)
}

fn sentence(about: &str) -> String {
    let mut letters = about.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str() + ".")
        .unwrap_or_default()
}

/// Appends a term and its explanation, wrapped from a column on.
fn entry(text: &mut String, term: &str, about: &str, column: usize) {
    let mut line = format!("  {term}");
    if line.chars().count() + 2 > column {
        text.push_str(&line);
        text.push('\n');
        line.clear();
    }
    line = format!("{line:column$}");
    for word in about.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && !line.trim().is_empty() {
            text.push_str(line.trim_end());
            text.push('\n');
            line = " ".repeat(column);
        }
        line.push_str(word);
        line.push(' ');
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_fits_a_terminal_and_shows_examples() {
        for text in VERBS.map(render).into_iter().chain([all()]) {
            let longest = text.lines().map(|l| l.chars().count()).max().unwrap();
            assert!(longest <= WIDTH, "{longest}: {text}");
            assert!(text.contains("\nExamples:\n  rovi "), "{text}");
            assert!(!text.contains(" \n"), "{text}");
        }
    }
}
