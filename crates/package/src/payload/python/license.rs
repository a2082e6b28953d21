//! The license of a wheel: an expression for bills of materials, and the text for people.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base::failure::reason;
use walkdir::WalkDir;

/// Limit for metadata and for a license text.
const LARGEST: u64 = 1 << 20;
/// Longest `License` field that can be an expression. Some wheels have the whole text in it.
const LONGEST: usize = 100;
/// Beginnings of the names of license files.
const FILES: [&str; 4] = ["licen", "copying", "notice", "authors"];

/// How people write licenses, and how SPDX does.
const NAMES: [(&str, &str); 24] = [
    ("apache", "Apache-2.0"),
    ("apache 2", "Apache-2.0"),
    ("apache 2.0", "Apache-2.0"),
    ("apache license", "Apache-2.0"),
    ("apache license 2.0", "Apache-2.0"),
    ("apache license, version 2.0", "Apache-2.0"),
    ("apache license version 2.0", "Apache-2.0"),
    ("apache software license", "Apache-2.0"),
    ("apache-2", "Apache-2.0"),
    ("apache2", "Apache-2.0"),
    ("bsd 2-clause", "BSD-2-Clause"),
    ("bsd 3-clause", "BSD-3-Clause"),
    ("3-clause bsd", "BSD-3-Clause"),
    ("3-clause bsd license", "BSD-3-Clause"),
    ("bsd 3-clause license", "BSD-3-Clause"),
    ("gnu general public license v3 (gplv3)", "GPL-3.0-only"),
    ("gnu lesser general public license v2 or later (lgplv2+)", "LGPL-2.1-or-later"),
    ("isc license", "ISC"),
    ("isc license (iscl)", "ISC"),
    ("mit license", "MIT"),
    ("mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"),
    ("the unlicense (unlicense)", "Unlicense"),
    ("python software foundation license", "PSF-2.0"),
    ("zope public license", "ZPL-2.1"),
];

/// The license of a wheel.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct License {
    /// Its name, or an expression in the words of SPDX, if the wheel has one.
    pub name: Option<String>,
    /// Whether the name is an expression.
    pub is_expression: bool,
    /// The texts of its license files.
    pub texts: BTreeSet<String>,
}

impl License {
    /// Reads it from the metadata in `info`.
    pub(super) fn read(info: &Path) -> Result<License, String> {
        let metadata = read_text(&info.join("METADATA")).map_err(|error| reason(&error))?;
        let mut license = License::parse(&metadata);
        let files = WalkDir::new(info).sort_by_file_name().into_iter().filter_map(Result::ok);
        for file in files.filter(|entry| entry.file_type().is_file()) {
            let name = file.file_name().to_string_lossy().to_lowercase();
            if FILES.iter().any(|start| name.starts_with(start)) {
                let text = read_text(file.path()).map_err(|error| reason(&error))?;
                license.texts.insert(text.trim_end().to_owned());
            }
        }
        Ok(license)
    }

    fn parse(metadata: &str) -> License {
        let head: Vec<&str> =
            metadata.split("\n\n").next().unwrap_or_default().split('\n').chain([""]).collect();
        // A field that goes on in the next line has a whole text.
        let is_whole = |next: &str| !next.starts_with([' ', '\t']);
        let fields = |name: &'static str| {
            head.windows(2).filter(move |pair| is_whole(pair[1])).filter_map(move |pair| {
                let (key, value) = pair[0].split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        let is_short = |text: &&str| !text.is_empty() && text.len() <= LONGEST && *text != "UNKNOWN";
        if let Some(expression) = fields("License-Expression").find(is_short) {
            return License { name: Some(expression.to_owned()), is_expression: true, ..License::default() };
        }
        let classifiers = fields("Classifier").filter_map(|text| text.strip_prefix("License :: "));
        let classifiers =
            classifiers.filter_map(|text| text.rsplit(" :: ").next()).filter(|text| *text != "OSI Approved");
        for name in fields("License").filter(is_short).chain(classifiers.clone()) {
            if let Some(spdx) = find_spdx(name) {
                return License { name: Some(spdx), is_expression: true, ..License::default() };
            }
        }
        let name = fields("License").filter(is_short).chain(classifiers).next();
        License { name: name.map(str::to_owned), ..License::default() }
    }
}

/// Returns SPDX's spelling of a license, if it is a single one.
fn find_spdx(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    if let Some((_, spdx)) = NAMES.iter().find(|(written, _)| *written == lower) {
        return Some((*spdx).to_owned());
    }
    let known =
        NAMES.iter().map(|(_, spdx)| *spdx).chain(["BSD-2-Clause", "LGPL-3.0-or-later", "GPL-2.0-or-later"]);
    known.into_iter().find(|spdx| spdx.eq_ignore_ascii_case(name)).map(str::to_owned)
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace(['\r', '\u{c}'], "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_license_has_the_spelling_of_bills_of_materials() {
        for (metadata, name, is_expression) in [
            ("License-Expression: MIT AND BSD-3-Clause\nLicense: x\n", Some("MIT AND BSD-3-Clause"), true),
            ("License: Apache License 2.0\n", Some("Apache-2.0"), true),
            ("License: mit\n", Some("MIT"), true),
            ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n", Some("MIT"), true),
            (
                "Classifier: License :: OSI Approved\nClassifier: License :: Public Domain\n",
                Some("Public Domain"),
                false,
            ),
            ("License: BSD\n", Some("BSD"), false),
            ("Name: x\n\nLicense: MIT\n", None, false),
            (
                "License: Copyright 2010 Pallets\n        \n        Redistribution\nClassifier: License :: OSI Approved :: BSD License\n",
                Some("BSD License"),
                false,
            ),
        ] {
            let license = License::parse(metadata);
            assert_eq!((license.name.as_deref(), license.is_expression), (name, is_expression), "{metadata}");
        }
    }
}
