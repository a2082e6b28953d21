//! Rules for text that ends up in a unit, an environment file or a script: nothing in it may start a line or a
//! comment of its own there.

use crate::finding::quote;

/// The outcome of a rule: nothing, or what is wrong.
pub type Verdict = Result<(), String>;

/// Longest text, in bytes: far below what breaks one of the readers (a path of 4096, a word of 128 KiB in a command
/// line, a line of 1 MiB in a unit).
const LONGEST: usize = 4000;

/// One line of text for people or machines: no control characters, nothing at its ends that a parser would eat.
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

/// Text without characters that end a line or a string, or that make a reader drop the line.
pub fn check_free(value: &str) -> Verdict {
    if value.len() > LONGEST {
        return Err(format!("is {} bytes long: use at most {LONGEST}", value.len()));
    }
    value.chars().try_for_each(check_character)
}

/// A whole file of text.
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
        // They end a line of JavaScript, hence a comment in a rule of polkit.
        '\u{2028}' | '\u{2029}' => {
            Err(format!("contains U+{code:04X}, which ends a line in a polkit rule: write one line"))
        }
        // "Trojan source": what an operator reads in the file is not what its reader reads.
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

/// Lines of text for people, where newlines are welcome and other control characters are not.
pub fn check_prose(value: &str) -> Verdict {
    if value.trim().is_empty() {
        return Err("is empty: write a sentence".to_owned());
    }
    value.split('\n').try_for_each(check_free)
}

/// Lines that become comments of an environment file. Up to version 253 systemd continues a comment after a
/// backslash, and lines are wrapped between words.
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

/// A directive's value: a line in which nobody hoped to comment.
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

/// The value of an environment variable that systemd and every shell read as the same text, however it is quoted.
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
