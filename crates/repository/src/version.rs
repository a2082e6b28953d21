//! A version of a package in the form that users type: `NAME=VERSION`.

use std::fmt;

use anyhow::Result;
use catalog::rule::name;
use package::pack::Package;

/// A package name and a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Name of the package.
    pub name: String,
    /// Version as the package writes it.
    pub version: String,
}

impl Version {
    pub(super) fn from_package(package: &Package) -> Version {
        Version { name: package.package.clone(), version: package.version.clone() }
    }

    /// Parses `NAME=VERSION`.
    pub fn parse(text: &str) -> Result<Version, String> {
        let Some((package, version)) = text.split_once('=') else {
            return Err("expected NAME=VERSION".to_owned());
        };
        name::check_package(package)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".+~-".contains(&b);
        if version.is_empty() || !version.bytes().all(plain) {
            return Err(format!("invalid version {version:?}: expected NAME=VERSION"));
        }
        Ok(Version { name: package.to_owned(), version: version.to_owned() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.version)
    }
}
