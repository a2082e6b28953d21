//! Name and address of a repository: reads `repository.toml`, and returns a [`Description`]. Its values are checked,
//! because they go into apt's and dnf's files without escaping.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use catalog::rule::{about, name, text};
use serde::{Deserialize, Serialize};

/// Largest file that is read, in bytes.
const LONGEST: u64 = 1 << 16;

/// Content of `repository.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Description {
    /// Name of the repository's files on machines, and its `Origin` for apt.
    pub name: String,
    /// Description in one line.
    pub summary: String,
    /// URL of the folder that contains `apt/` and `rpm/`.
    pub url: String,
    /// Maintainer as `Name <address>`.
    pub maintainer: String,
    /// SPDX license expression of the keyring package.
    pub license: String,
    /// Copyright line of the keyring package.
    pub copyright: String,
    /// URL of the project's web page.
    pub homepage: String,
}

impl Description {
    /// Reads and checks the file; `url` replaces the URL in it.
    pub fn read(path: &Path, url: Option<&str>) -> Result<Description> {
        let file = path.display();
        let meta = fs::metadata(path).with_context(|| format!("`{file}`: cannot be read"))?;
        ensure!(
            meta.is_file() && meta.len() <= LONGEST,
            "`{file}`: not a description of a repository: name its file"
        );
        let bytes = fs::read(path).with_context(|| format!("`{file}`: cannot be read"))?;
        let text = String::from_utf8(bytes).with_context(|| format!("`{file}`: is not UTF-8"))?;
        let mut description: Description = match toml::from_str(&text) {
            Ok(description) => description,
            Err(error) => bail!("`{file}`: {}", error.message()),
        };
        if let Some(url) = url {
            description.url = url.to_owned();
        }
        description.url.truncate(description.url.trim_end_matches('/').len());
        for (field, verdict) in [
            ("name", name::check_package(&description.name)),
            ("summary", about::check_summary(&description.summary)),
            ("url", check_url(&description.url)),
            ("maintainer", about::check_maintainer(&description.maintainer)),
            ("license", about::check_license(&description.license)),
            ("copyright", text::check_line(&description.copyright)),
            ("homepage", about::check_homepage(&description.homepage)),
        ] {
            if let Err(why) = verdict {
                bail!("`{file}`: {field}: {why}");
            }
        }
        Ok(description)
    }
}

/// Checks that apt, dnf and a web page read the URL without escaping.
fn check_url(url: &str) -> text::Verdict {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/[]".contains(&b))
    };
    if rest.is_some_and(plain) {
        return Ok(());
    }
    Err(format!("invalid URL {url:?}: expected https://HOST/PATH"))
}
