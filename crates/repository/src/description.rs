//! What a repository is called and where it will be: takes `repository.toml`, makes a [`Description`] whose values fit
//! the files that they go into.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use catalog::rule::{about, name, text};
use serde::{Deserialize, Serialize};

/// Longest file that is read.
const LONGEST: u64 = 1 << 16;

/// The repository, as the file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Description {
    /// Name of its files on machines, and its origin as apt knows it.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// Where the folder is served: the address above `apt/` and `rpm/`.
    pub url: String,
    /// `Name <address>`.
    pub maintainer: String,
    /// SPDX expression of the package that brings keys and sources.
    pub license: String,
    /// Copyright line of that.
    pub copyright: String,
    /// Web page.
    pub homepage: String,
}

impl Description {
    /// Reads and checks it; `url` is another address than the file's.
    pub fn read(path: &Path, url: Option<&str>) -> Result<Description> {
        let shown = path.display();
        let meta = fs::metadata(path).with_context(|| format!("`{shown}`: cannot be read"))?;
        ensure!(
            meta.is_file() && meta.len() <= LONGEST,
            "`{shown}`: not a description of a repository: name its file"
        );
        let bytes = fs::read(path).with_context(|| format!("`{shown}`: cannot be read"))?;
        let text = String::from_utf8(bytes).with_context(|| format!("`{shown}`: is not UTF-8"))?;
        let mut read: Description = match toml::from_str(&text) {
            Ok(read) => read,
            Err(error) => bail!("`{shown}`: {}", error.message()),
        };
        if let Some(url) = url {
            read.url = url.to_owned();
        }
        read.url.truncate(read.url.trim_end_matches('/').len());
        for (field, verdict) in [
            ("name", name::check_package(&read.name)),
            ("summary", about::check_summary(&read.summary)),
            ("url", address(&read.url)),
            ("maintainer", about::check_maintainer(&read.maintainer)),
            ("license", about::check_license(&read.license)),
            ("copyright", text::check_line(&read.copyright)),
            ("homepage", about::check_homepage(&read.homepage)),
        ] {
            if let Err(why) = verdict {
                bail!("`{shown}`: {field}: {why}");
            }
        }
        Ok(read)
    }
}

/// An address that apt, dnf and a page take literally.
fn address(url: &str) -> text::Verdict {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/[]".contains(&b))
    };
    if rest.is_some_and(plain) {
        return Ok(());
    }
    Err(format!("invalid URL {url:?}: expected https://HOST/PATH"))
}
