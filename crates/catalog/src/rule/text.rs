//! Rules for text that goes into a unit, an environment file or a script: it must not start a new line or a comment
//! there.

use crate::finding::quote;

/// The outcome of a rule: nothing, or a description of the fault.
pub type Verdict = Result<(), String>;

/// Length limit in bytes, far below those of the readers: 4096 for a path, 128 KiB for a word of a command line, 1 MiB for
/// a line of a unit.
const LONGEST: usize = 4000;

/// Checks one line of text: no control characters, and nothing at its ends that a parser would drop.
pub fn check_line(value: &str) -> Verdict {
    if value.trim().is_empty() {
        return Err("is empty: write one line of text".to_owned());
    }
    check_free(value)?;
    if value.trim() != value {
        return Err("starts or ends with whitespace, which readers of the file drop: remove it".to_owned());
    }
    if value.ends_with('\\') {
        return Err("ends with a backslash, which would join it to the next line: remove it".to_owned());
    }
    Ok(())
}

/// Checks text that may be empty: no characters that end a line or a string, or that make a reader drop the line.
pub fn check_free(value: &str) -> Verdict {
    if value.len() > LONGEST {
        return Err(format!("is {} bytes long: use at most {LONGEST}", value.len()));
    }
    value.chars().try_for_each(check_character)
}

/// Checks the content of a file.
pub fn check_document(value: &str) -> Verdict {
    const LONGEST_FILE: usize = 100_000;
    if value.trim().is_empty() {
        return Err("is empty: write the content of the file".to_owned());
    }
    if value.len() > LONGEST_FILE {
        return Err(format!("is {} bytes long: use at most {LONGEST_FILE}", value.len()));
    }
    value.chars().filter(|c| !matches!(c, '\n' | '\t')).try_for_each(check_character)
}

fn check_character(c: char) -> Verdict {
    let code = u32::from(c);
    match c {
        '\n' => {
            Err("contains a newline, which would start another line of the file: write one line".to_owned())
        }
        '\0' => Err("contains a NUL character, where readers of the file stop: remove it".to_owned()),
        '\t' => Err("contains a tab: use spaces".to_owned()),
        c if c.is_control() => Err(format!("contains the control character U+{code:04X}: remove it")),
        // They end a line of JavaScript, and so a comment in a polkit rule.
        '\u{2028}' | '\u{2029}' => {
            Err(format!("contains U+{code:04X}, which ends a line in a polkit rule: write one line"))
        }
        // "Trojan source": people would see other text than programs read.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Err(format!("contains U+{code:04X}, which changes the order in which text is shown: remove it"))
        }
        '\u{feff}' => Err("contains the invisible byte order mark U+FEFF: remove it".to_owned()),
        '\u{fdd0}'..='\u{fdef}' => Err(describe_noncharacter(code)),
        _ if code & 0xfffe == 0xfffe => Err(describe_noncharacter(code)),
        _ => Ok(()),
    }
}

fn describe_noncharacter(code: u32) -> String {
    format!("contains U+{code:04X}, which is not a character and makes systemd ignore the line: remove it")
}

/// Checks text for people: newlines are allowed, other control characters are not.
pub fn check_prose(value: &str) -> Verdict {
    if value.trim().is_empty() {
        return Err("is empty: write a sentence".to_owned());
    }
    value.split('\n').try_for_each(check_free)
}

/// Checks text that becomes a comment of an environment file, wrapped between words. Up to version 253, systemd
/// continues a comment after a backslash.
pub fn check_comment(value: &str) -> Verdict {
    check_prose(value)?;
    if value.split_whitespace().any(|word| word.ends_with('\\')) {
        return Err(
            "holds a word that ends with a backslash, which would join it to the next line: remove it"
                .to_owned(),
        );
    }
    Ok(())
}

/// Checks the value of a directive, which must not contain what looks like a comment.
pub fn check_setting(value: &str) -> Verdict {
    check_line(value)?;
    let comment = value
        .char_indices()
        .find(|(i, c)| matches!(c, '#' | ';') && (*i == 0 || value[..*i].ends_with(char::is_whitespace)));
    match comment {
        Some((i, _)) => Err(format!(
            "{} would become part of the value, because systemd has no end-of-line comments: \
             write a TOML comment instead",
            quote(&value[i..])
        )),
        None => Ok(()),
    }
}

/// Checks the value of a variable, which systemd and every shell must read as the same text.
pub fn check_variable(value: &str) -> Verdict {
    check_free(value)?;
    if value.trim() != value {
        return Err("starts or ends with whitespace, which is lost without quotes: remove it".to_owned());
    }
    match value.chars().find(|c| matches!(c, '$' | '`' | '\\')) {
        Some('\\') => {
            Err("contains `\\`, which systemd and shells read differently: use a value without it".to_owned())
        }
        Some('`') => {
            Err("contains a backquote, which shells expand and systemd does not: write the final value"
                .to_owned())
        }
        Some(c) => {
            Err(format!("contains `{c}`, which shells expand and systemd does not: write the final value"))
        }
        None => Ok(()),
    }
}

/// Finds the `${NAME}`s of a value, in order; a name that is not closed is the rest of the value.
pub fn find_variables(value: &str) -> Vec<&str> {
    value.split("${").skip(1).map(|rest| rest.split_once('}').map_or(rest, |(name, _)| name)).collect()
}
