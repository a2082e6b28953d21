//! The part of a package's copyright file that is about the software of others that a payload brings.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Licenses whose text is the same in all software, by the start of the text. Debian keeps one copy, and its checks refuse
/// another one in a copyright file.
const COMMON: [(&str, &str, &str); 4] = [
    ("apache license", "version 2.0", "Apache-2.0"),
    ("gnu general public license", "version 3", "GPL-3"),
    ("gnu general public license", "version 2", "GPL-2"),
    ("gnu lesser general public license", "version 3", "LGPL-3"),
];

/// The license of one part of a payload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// A pattern for its files.
    pub files: String,
    /// Its name and version.
    pub what: String,
    /// Name of the license.
    pub license: String,
    /// Texts of the license, as its authors wrote them.
    pub texts: Vec<String>,
}

/// Returns the paragraphs for a copyright file in Debian's format. A text that several parts have is there once.
/// `license` is that of the product, whose paragraphs are there already.
pub(crate) fn paragraphs(notices: &[Notice], license: &str) -> String {
    let mut all: Vec<&Notice> = notices.iter().collect();
    all.sort();
    all.dedup_by(|a, b| a.what == b.what);
    let mut names: BTreeMap<(&str, &[String]), String> = BTreeMap::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    counts.extend(license.split([' ', '(', ')']).map(|word| (word.to_owned(), 1)));
    let mut text = String::new();
    for notice in &all {
        let name = names.entry((&notice.license, &notice.texts)).or_insert_with(|| {
            let name = notice.license.replace(" OR ", " or ").replace(" AND ", " and ");
            let name: String = name.chars().filter(|c| !c.is_control() && *c != ',').collect();
            let count = counts.entry(name.clone()).or_insert(0);
            *count += 1;
            // A name with a number is one word.
            if *count == 1 { name } else { format!("{}-{count}", name.replace(' ', "-")) }
        });
        let _ = write!(
            text,
            "\nFiles: {}\nCopyright: the authors of {}\nLicense: {name}\n",
            notice.files, notice.what
        );
    }
    for ((_, texts), name) in &names {
        let _ = writeln!(text, "\nLicense: {name}");
        if texts.is_empty() {
            text.push_str(" Its authors name the license and do not include a text.\n");
        }
        for (i, license) in texts.iter().enumerate() {
            if i > 0 {
                text.push_str(" .\n");
            }
            text.push_str(&indent(license));
        }
    }
    text
}

/// Writes a text as the continuation of a field.
fn indent(license: &str) -> String {
    let lower = license.get(..license.len().min(500)).unwrap_or(license).to_lowercase();
    let start: String = lower.split_whitespace().collect::<Vec<_>>().join(" ");
    let common =
        COMMON.iter().find(|(title, version, _)| start.starts_with(title) && start.contains(version));
    if let Some((_, _, name)) = common {
        return format!(
            " Debian has the text in /usr/share/common-licenses/{name}. It is also in the metadata of the\n \
             package itself, in the directory whose name ends with .dist-info.\n"
        );
    }
    let lines = license.trim().lines().map(|line| {
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let line = line.trim_end();
        if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_there_once_and_one_that_debian_has_is_not() {
        let notice = |what: &str, license: &str, text: &str| Notice {
            files: format!("usr/lib/x/{what}"),
            what: what.to_owned(),
            license: license.to_owned(),
            texts: vec![text.to_owned()],
        };
        let text = paragraphs(
            &[
                notice("b 1", "MIT", "Copyright B\n\n.Permission"),
                notice("a 1", "MIT", "Copyright A"),
                notice("c 1", "MIT", "Copyright A"),
                notice("d 1", "Apache-2.0", "\n    Apache License\n  Version 2.0, January 2004\n long"),
            ],
            "MIT",
        );
        assert_eq!(text.matches("Copyright A").count(), 1, "{text}");
        assert!(
            text.contains("Files: usr/lib/x/c 1\nCopyright: the authors of c 1\nLicense: MIT-2\n"),
            "{text}"
        );
        assert!(text.contains("License: MIT-3\n Copyright B\n .\n .Permission\n"), "{text}");
        assert!(
            !text.contains("January") && text.contains("/usr/share/common-licenses/Apache-2.0"),
            "{text}"
        );
    }
}
