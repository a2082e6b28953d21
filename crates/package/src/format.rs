//! Package formats, and a finished package.

use serde::{Deserialize, Serialize};

/// A package format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Format of Debian, Ubuntu and Raspberry Pi OS.
    Deb,
    /// Format of Fedora, RHEL and openSUSE.
    Rpm,
}

/// A finished package, as `manifest.json` lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// File name.
    pub file: String,
    /// Name of the product.
    pub product: String,
    /// Name of the package.
    pub package: String,
    /// Version as the package writes it.
    pub version: String,
    /// Package format.
    pub format: Format,
    /// Name of the processor in this format, such as `amd64` or `x86_64`.
    pub architecture: String,
    /// Rust's target triple.
    pub target: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}
