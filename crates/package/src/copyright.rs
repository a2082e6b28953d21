//! The part of a package's copyright file that is about the software of others that a payload brings.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Licenses whose text is the same in all software, by words in it. Debian keeps one copy, and its checks refuse
/// another one in a copyright file.
const COMMON: [(&str, &str, &str); 4] = [
    ("apache license", "version 2.0", "Apache-2.0"),
    ("gnu general public license", "version 3", "GPL-3"),
    ("gnu general public license", "version 2", "GPL-2"),
    ("gnu lesser general public license", "version 3", "LGPL-3"),
];

/// The last line of each of them, if the authors have not left it out.
const END: &str = "end of terms and conditions";

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
    let mut names: BTreeMap<(&str, String), String> = BTreeMap::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    counts.extend(license.split([' ', '(', ')']).map(|word| (word.to_owned(), 1)));
    let mut text = String::new();
    for notice in &all {
        let name = names.entry((&notice.license, body(notice))).or_insert_with(|| {
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
    for ((_, body), name) in &names {
        let _ = writeln!(text, "\nLicense: {name}\n{}", body.trim_end());
    }
    text
}

/// Returns the texts of a license as the continuation of a field.
fn body(notice: &Notice) -> String {
    match notice.texts.is_empty() {
        true => " Its authors name the license and do not include a text.\n".to_owned(),
        false => notice.texts.iter().map(|text| indent(text)).collect::<Vec<_>>().join(" .\n"),
    }
}

/// Writes a text as the continuation of a field, without the licenses that Debian has.
fn indent(license: &str) -> String {
    let lines: Vec<String> = license.trim().lines().map(clean).collect();
    let mut text = String::new();
    let mut at = 0;
    while at < lines.len() {
        let title = lines[at..].iter().filter(|line| !line.is_empty()).take(2);
        let title = title.map(|line| line.trim().to_lowercase()).collect::<Vec<_>>().join(" ");
        let common = COMMON.iter().find(|(name, version, _)| title.starts_with(&format!("{name} {version}")));
        let end = lines[at..].iter().position(|line| line.to_lowercase().contains(END));
        match common {
            Some((_, _, name)) if !lines[at].is_empty() => {
                text += &format!(
                    " Debian has this license in /usr/share/common-licenses/{name}. It is also in the metadata of the\n \
                     part itself, in the directory whose name ends with .dist-info.\n"
                );
                at = end.map_or(lines.len(), |length| at + length + 1);
            }
            _ => {
                let line = &lines[at];
                text += &if line.is_empty() { " .\n".to_owned() } else { format!(" {line}\n") };
                at += 1;
            }
        }
    }
    text
}

/// Returns a line without characters that a field cannot hold.
fn clean(line: &str) -> String {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim_end().to_owned()
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
        let apache = "Also BSD.\n\n    Apache License\n  Version 2.0, January 2004\n\n  Long\n\n  END OF TERMS AND CONDITIONS\nNotes";
        let text = paragraphs(
            &[
                notice("b 1", "MIT", "Copyright B\n\n.Permission"),
                notice("a 1", "MIT", "Copyright A"),
                notice("c 1", "MIT", "Copyright A"),
                notice("d 1", "Apache-2.0", apache),
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
