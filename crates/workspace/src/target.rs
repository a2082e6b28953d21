//! Processors that packages are made for, and the names that each world has for them.

use std::fmt;

/// A processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Rust's name.
    pub triple: &'static str,
    /// Debian's.
    pub deb: &'static str,
    /// RPM's.
    pub rpm: &'static str,
}

/// Those that a machine of ours can have. The programs are static, so one build runs on every distribution.
pub const ALL: [Target; 2] = [
    Target { triple: "x86_64-unknown-linux-musl", deb: "amd64", rpm: "x86_64" },
    Target { triple: "aarch64-unknown-linux-musl", deb: "arm64", rpm: "aarch64" },
];

impl Target {
    /// The target of that Rust name, or what would have been valid.
    pub fn parse(triple: &str) -> Result<Target, String> {
        let known: Vec<&str> = ALL.iter().map(|t| t.triple).collect();
        ALL.into_iter()
            .find(|t| t.triple == triple)
            .ok_or_else(|| format!("no packages are made for it: known: {}", known.join(", ")))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.triple)
    }
}
