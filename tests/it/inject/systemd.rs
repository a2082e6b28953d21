//! systemd's parsers, rewritten from its source (252 and 257): unit files, words of a line, environment
//! files.

/// A unit file: section, name and value of every assignment. `conf-parser.c`: lines end at a newline, a carriage
/// return or a NUL; a comment starts a line; a backslash at the end of a line continues it; blanks around names and
/// values go.
pub(super) fn unit(text: &str) -> Vec<(String, String, String)> {
    let (mut section, mut entries, mut continued) = (String::new(), Vec::new(), String::new());
    for line in text.split(['\n', '\r', '\0']) {
        assert!(line.len() < 1 << 20, "a line that systemd calls too long");
        if line.trim_matches(BLANKS).starts_with(['#', ';']) {
            continue;
        }
        let line = std::mem::take(&mut continued) + line;
        if line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1 {
            continued = line[..line.len() - 1].to_owned() + " ";
            continue;
        }
        let line = line.trim_matches(BLANKS);
        assert!(line.chars().all(is_character), "a line that systemd ignores: {line:?}");
        if let Some(name) = line.strip_prefix('[') {
            section = name.strip_suffix(']').expect("a section ends").to_owned();
        } else if !line.is_empty() {
            let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("no assignment: {line:?}"));
            let trimmed = |text: &str| text.trim_matches(BLANKS).to_owned();
            entries.push((section.clone(), trimmed(name), trimmed(value)));
        }
    }
    assert!(continued.is_empty(), "the last line is continued");
    entries
}

/// Accepts the same as `utf8_is_valid()`: no non-characters.
fn is_character(c: char) -> bool {
    let code = u32::from(c);
    !(0xfdd0..=0xfdef).contains(&code) && code & 0xfffe != 0xfffe
}

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// The words of a line, `extract-word.c`: quotes are taken away. `escapes`: `\n` and such are read as in C, and what
/// C does not know is an error; otherwise a backslash stands for the character after it.
pub(super) fn words(line: &str, escapes: bool) -> Vec<String> {
    split(line, escapes).into_iter().map(|(word, _)| word).collect()
}

/// Returns the words of a unit's command line; an unquoted semicolon would start another command.
pub(super) fn command(line: &str) -> Vec<String> {
    let words = split(line, true);
    assert!(words.iter().all(|(word, quoted)| *quoted || word != ";"), "a second command: {line:?}");
    words.into_iter().map(|(word, _)| word).collect()
}

/// Returns the words, and whether they contained quotes.
fn split(line: &str, escapes: bool) -> Vec<(String, bool)> {
    let (mut words, mut word, mut quote, mut quotes) = (Vec::new(), None::<String>, None, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('\\', _) => {
                let next = chars.next().expect("a backslash ends the line");
                assert!(
                    !escapes || matches!(next, '\\' | '"' | '\''),
                    "an escape that was not written by us: {line:?}"
                );
                word.get_or_insert_default().push(next);
            }
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                word.get_or_insert_default();
                (quote, quotes) = (Some(c), true);
            }
            (c, None) if BLANKS.contains(&c) => {
                words.extend(word.take().map(|word| (word, std::mem::take(&mut quotes))));
            }
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    assert!(quote.is_none(), "a quote is not closed: {line:?}");
    words.extend(word.map(|word| (word, quotes)));
    words
}

/// Returns the text, which must not contain specifiers.
pub(super) fn literal(text: &str) -> String {
    assert!(!text.replace("%%", "").contains('%'), "a specifier: {text:?}");
    text.replace("%%", "%")
}

/// Returns the variables of an environment file, as `env-file.c` reads them. Up to version 253, a backslash
/// continues a comment.
pub(super) fn environment(text: &str, before_254: bool) -> Vec<(String, String)> {
    let (mut found, mut chars) = (Vec::new(), text.chars().peekable());
    let newline = |c: char| c == '\n' || c == '\r';
    while let Some(c) = chars.next() {
        if matches!(c, '#' | ';') {
            while let Some(c) = chars.next() {
                let skipped = if c == '\\' { chars.next() } else { None };
                if newline(c) || !before_254 && skipped.is_some_and(newline) {
                    break;
                }
            }
        } else if !BLANKS.contains(&c) {
            let mut key = c.to_string();
            while let Some(c) = chars.next_if(|c| *c != '=' && !newline(*c)) {
                key.push(c);
            }
            if chars.next() == Some('=') {
                found.push((key.trim_end_matches(BLANKS).to_owned(), value(&mut chars)));
            }
        }
    }
    assert!(found.iter().all(|(_, value)| value.chars().all(is_character)), "systemd refuses the file");
    found
}

/// Reads the value of an assignment. White space is only kept between other characters of unquoted text.
fn value(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let (mut value, mut blanks, mut unquoted) = (String::new(), String::new(), false);
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\r' => break,
            ' ' | '\t' if unquoted => blanks.push(c),
            ' ' | '\t' => {}
            // Quotes are only special at the start, or right after other quotes.
            '\'' if !unquoted => value.extend(chars.by_ref().take_while(|c| *c != '\'')),
            '"' if !unquoted => quoted(chars, &mut value),
            c => {
                value.push_str(&std::mem::take(&mut blanks));
                unquoted = true;
                match c {
                    '\\' => value.extend(chars.next().filter(|c| *c != '\n' && *c != '\r')),
                    c => value.push(c),
                }
            }
        }
    }
    value
}

fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, value: &mut String) {
    while let Some(c) = chars.next() {
        match c {
            '"' => return,
            '\\' => match chars.next() {
                Some(c) if "\"\\`$".contains(c) => value.push(c),
                Some('\n') | None => {}
                Some(c) => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
}
