//! A paragraph of a Debian control file or index, and access to its fields.

use std::fmt::Write;

/// A paragraph, without the empty line that ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stanza<'a>(pub &'a str);

impl<'a> Stanza<'a> {
    /// Returns the value of a field, with its continuation lines.
    pub fn field(self, name: &str) -> Option<&'a str> {
        let mut rest = self.0;
        loop {
            let end = field_end(rest);
            let (field, after) = rest.split_at(end);
            if let Some(value) = field.strip_prefix(name).and_then(|f| f.strip_prefix(':')) {
                return Some(value.trim());
            }
            if after.is_empty() {
                return None;
            }
            rest = after;
        }
    }

    /// Returns the paragraph with a field replaced, added or removed.
    pub fn with(self, name: &str, value: Option<&str>) -> String {
        let mut text = String::new();
        let mut rest = self.0;
        while !rest.is_empty() {
            let (field, after) = rest.split_at(field_end(rest));
            if !field.strip_prefix(name).is_some_and(|f| f.starts_with(':')) {
                text.push_str(field.trim_end());
                text.push('\n');
            }
            rest = after;
        }
        if let Some(value) = value {
            let _ = writeln!(text, "{name}: {value}");
        }
        text
    }
}

/// Returns the end of the first field: the start of the next line that does not continue it.
fn field_end(text: &str) -> usize {
    let mut from = 0;
    while let Some(newline) = text[from..].find('\n') {
        from += newline + 1;
        if !text[from..].starts_with([' ', '\t']) {
            return from;
        }
    }
    text.len()
}

/// Iterates over the paragraphs of an index.
pub fn stanzas(index: &str) -> impl Iterator<Item = Stanza<'_>> {
    index.split("\n\n").map(|text| text.trim_matches('\n')).filter(|text| !text.is_empty()).map(Stanza)
}

#[cfg(test)]
mod tests {
    use super::Stanza;

    #[test]
    fn fields_are_found_and_replaced_whole() {
        let stanza =
            Stanza("Package: a\nDescription: short\n long\n .\n Version: 9\nVersion: 1\nVersions: 2");
        assert_eq!(stanza.field("Version"), Some("1"));
        assert_eq!(stanza.field("Description"), Some("short\n long\n .\n Version: 9"));
        assert_eq!(stanza.field("Vers"), None);
        let without = stanza.with("Description", None);
        assert_eq!(without, "Package: a\nVersion: 1\nVersions: 2\n");
        assert_eq!(Stanza(&without).with("Version", Some("3")), "Package: a\nVersions: 2\nVersion: 3\n");
    }
}
