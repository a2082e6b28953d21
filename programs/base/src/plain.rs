//! Displays text from other users safely: it cannot move the cursor, hide or reverse neighboring text, or
//! start a new line. A process can choose its name, status text and log lines freely, and an administrator
//! reads them.
//!
//! All text that our programs write for people goes through [`Plain`]:
//!
//! | where | text from others |
//! |---|---|
//! | `say.rs`: every line on standard error | paths, names, environment variables, lines of `custom.toml`, responses of servers |
//! | `rovi/src/cli/screen.rs`: all colored text | log lines, reasons, warnings |
//! | `rovi/src/cli/status.rs` | names of processes, session file, status text, descriptions, the lock's record |
//! | `rovi/src/cli/{outcome,doctor,list}.rs` | answers of systemd and a guard, paths, values of variables |
//! | `run_stack/src/show.rs` (`--list`, `--busy`; `--print` and `--export` on a terminal) | the lock's record, the environment |
//! | `first-boot/src/{main,notice}.rs` | lines of `custom.toml`, in `check` and in the list of errors |
//! | `xtask/src/main.rs`, `crates/catalog/src/finding.rs` | names in packages, images, archives, repositories, and messages of tools |
//!
//! Output for programs is exact: JSON, in which [`json`] escapes such characters; `--print` and `--export`
//! into a pipe; a command's output through `notify-helper`. `rovi logs` is journalctl, which escapes them
//! itself.

use std::fmt::{self, Display, Write};

use serde::Serialize;

/// Replacement for a character that is not shown.
const INSTEAD: char = '\u{fffd}';

/// Displays a text without characters that could manipulate a terminal or deceive a reader.
#[derive(Debug, Clone, Copy)]
pub struct Plain<T>(pub T);

impl<T: Display> Display for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Filter(f), "{}", self.0)
    }
}

struct Filter<'f, 'b>(&'f mut fmt::Formatter<'b>);

impl Write for Filter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut from = 0;
        for (at, character) in text.char_indices().filter(|(_, character)| deceives(*character)) {
            self.0.write_str(&text[from..at])?;
            self.0.write_char(INSTEAD)?;
            from = at + character.len_utf8();
        }
        self.0.write_str(&text[from..])
    }
}

/// Returns whether a character is dangerous: every control character except the tab (including line feeds),
/// and characters that change the direction of text, end lines or paragraphs, join others, have no width or
/// tag a language.
pub fn deceives(character: char) -> bool {
    let hidden = matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    hidden || (character.is_control() && character != '\t')
}

/// Formats an object as one line of JSON with exact values and without dangerous characters: JSON itself
/// escapes only the control characters below the space.
pub fn json(object: &impl Serialize) -> serde_json::Result<String> {
    let line = serde_json::to_string(object)?;
    let mut out = String::with_capacity(line.len());
    for character in line.chars() {
        if deceives(character) {
            // Such characters occur only inside strings.
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{Plain, deceives, json};

    /// Each of these has been used in an attack.
    const HOSTILE: &str = "a\x1b]0;owned\x07b\x1b[2Jc\r\nd\x7fe\u{9b}31mf\u{202e}g\u{2066}h\u{200b}i\u{2028}j\u{feff}k\u{e0041}l\u{61c}m";

    #[test]
    fn what_deceives_is_not_shown_and_everything_else_is() {
        assert_eq!(
            Plain(HOSTILE).to_string(),
            "a\u{fffd}]0;owned\u{fffd}b\u{fffd}[2Jc\u{fffd}\u{fffd}d\u{fffd}e\u{fffd}31mf\u{fffd}g\u{fffd}h\u{fffd}i\u{fffd}j\
             \u{fffd}k\u{fffd}l\u{fffd}m"
        );
        for text in ["", "tab\tulator", "Größe 3 µm, 温度, שלום, 😀, `x`", "\u{fffd}"] {
            assert_eq!(Plain(text).to_string(), text);
        }
        assert_eq!(format!("{}", Plain(format_args!("{}-{}", '\x1b', 7))), "\u{fffd}-7");
    }

    #[test]
    fn json_is_exact_and_harmless() {
        let line = json(&[HOSTILE]).unwrap();
        assert!(
            !line.chars().any(deceives) && line.contains("\\u202e") && line.contains("\\udb40\\udc41"),
            "{line}"
        );
        assert_eq!(serde_json::from_str::<[String; 1]>(&line).unwrap(), [HOSTILE]);
    }
}
