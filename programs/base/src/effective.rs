//! Publishes variables of a running service that others expect, in its status text, because only its own user
//! may read its environment.
//!
//! The text ends in ` with A=1 B=2 without C`. A value that is not one plain word is omitted.

use std::os::unix::ffi::OsStrExt;

use crate::environment::Environment;
use crate::table::Table;

/// Returns the text after `NAME runs as process PID` in the status text.
pub fn status_suffix(table: &Table, service: &str, environment: &Environment) -> String {
    let expects = table.services.iter().flat_map(|s| &s.expects).filter(|e| e.service == service);
    let mut names: Vec<&str> = expects.flat_map(|e| e.environment.keys().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    let (mut with, mut without) = (String::new(), String::new());
    for name in names {
        match environment.get(name).map(|value| value.as_bytes()) {
            None => without.push_str(&format!(" {name}")),
            Some(value) if value.iter().all(plain) => {
                with.push_str(&format!(" {name}={}", String::from_utf8_lossy(value)));
            }
            Some(_) => {}
        }
    }
    let part = |word: &str, list: String| if list.is_empty() { list } else { format!(" {word}{list}") };
    part("with", with) + &part("without", without)
}

/// Reads a variable from a status text: `Some(None)` means unset, `None` means unknown.
pub fn read(line: &str, name: &str) -> Option<Option<String>> {
    let words = line.split(' ').skip_while(|w| !matches!(*w, "with" | "without"));
    let mut set = true;
    for word in words {
        match word {
            "with" => set = true,
            "without" => set = false,
            _ if set => {
                if let Some(value) = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
                    return Some(Some(value.to_owned()));
                }
            }
            _ if word == name => return Some(None),
            _ => {}
        }
    }
    None
}

fn plain(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./:,+@%^".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_line_is_read_back() {
        let line = "gateway runs as process 7 with A=1 B= without C";
        assert_eq!(read(line, "A"), Some(Some("1".to_owned())));
        assert_eq!(read(line, "B"), Some(Some(String::new())));
        assert_eq!(read(line, "C"), Some(None));
        assert_eq!(read(line, "D"), None);
        assert_eq!(read("A=1 runs", "A"), None);
    }
}
