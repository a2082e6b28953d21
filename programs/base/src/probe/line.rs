//! Log probes: a regular expression that a line of output must match. A plain search for text that every match contains
//! runs first, because the regular expression alone reads only a few megabytes per second.

use regex_lite::Regex;

/// A pattern for a line of output.
#[derive(Debug)]
pub struct Line {
    regex: Regex,
    /// Text that every match contains.
    literal: Option<String>,
}

impl Line {
    /// Parses a regular expression; an error says why it is invalid.
    pub fn parse(text: &str) -> Result<Line, String> {
        let regex = Regex::new(text).map_err(|e| one_line(&e))?;
        Ok(Line { regex, literal: find_literal(text) })
    }

    /// Returns whether the line matches.
    pub fn is_like(&self, line: &str) -> bool {
        self.literal.as_ref().is_none_or(|literal| line.contains(literal)) && self.regex.is_match(line)
    }

    /// Returns the expression as it was written.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }
}

/// Returns the longest literal text that every match contains. It skips groups, classes and optional parts, and returns
/// `None` for alternatives and for syntax that it does not know.
fn find_literal(text: &str) -> Option<String> {
    let (mut best, mut run) = (String::new(), String::new());
    let mut depth = 0_u32;
    let mut letters = text.chars().peekable();
    let end = |run: &mut String, best: &mut String| {
        let run = std::mem::take(run);
        if run.len() > best.len() {
            *best = run;
        }
    };
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next()? {
                c if c.is_ascii_punctuation() && depth == 0 => run.push(c),
                c if c.is_ascii_punctuation() => {}
                'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'b' | 'B' | 'A' | 'z' => end(&mut run, &mut best),
                _ => return None,
            },
            '(' if letters.peek() == Some(&'?') => return None,
            '(' => {
                depth += 1;
                end(&mut run, &mut best);
            }
            ')' => depth = depth.checked_sub(1)?,
            '|' if depth == 0 => return None,
            '[' => {
                end(&mut run, &mut best);
                letters.next_if_eq(&'^');
                letters.next_if_eq(&']');
                loop {
                    match letters.next()? {
                        ']' => break,
                        '\\' => drop(letters.next()?),
                        '[' => return None,
                        _ => {}
                    }
                }
            }
            '*' | '?' | '{' => {
                // The character before it is optional. After a group or a class, `run` is empty already.
                run.pop();
                end(&mut run, &mut best);
                if letter == '{' {
                    letters.find(|&c| c == '}')?;
                }
            }
            '.' | '^' | '$' | '+' => end(&mut run, &mut best),
            c if depth == 0 => run.push(c),
            _ => {}
        }
    }
    end(&mut run, &mut best);
    (!best.is_empty()).then_some(best)
}

pub(super) fn one_line(error: &regex_lite::Error) -> String {
    error.to_string().replace('\n', " ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals() {
        for (text, expected) in [
            ("^listening on .*[0-9]$", Some("listening on ")),
            ("ready", Some("ready")),
            ("a\\.b+c", Some("a.b")),
            ("ab?cd*", Some("a")),
            ("ab{0}", Some("a")),
            ("(up|ready) now", Some(" now")),
            ("up|ready", None),
            ("(?i)up", None),
            ("[]a]x", Some("x")),
            ("[[:alpha:]]x", None),
            ("\\x41b", None),
            ("x\\d\\]y", Some("]y")),
            ("", None),
        ] {
            assert_eq!(find_literal(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #![proptest_config(support::draw_cases(256))]

        /// The plain search before the expression does not change the result.
        #[test]
        fn it_finds_what_the_expression_finds(
            text in "([ab.]|\\\\[.d]|[ab][*+?]|\\(a\\|b\\)|\\[ab\\]|\\[\\^a\\]|a\\{0,2\\}|\\||\\^|\\$|\\(ab\\)\\?){0,6}",
            line in "[ab.1]{0,8}",
        ) {
            if let Ok(regex) = Regex::new(&text) {
                prop_assert_eq!(Line::parse(&text).unwrap().is_like(&line), regex.is_match(&line), "{}", text);
            }
        }
    }
}
