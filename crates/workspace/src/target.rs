//! Processors that packages are built for, with their names in Rust, Debian and RPM.

use std::fmt;

/// A processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Rust's target triple.
    pub triple: &'static str,
    /// Debian's architecture.
    pub deb: &'static str,
    /// RPM's architecture.
    pub rpm: &'static str,
}

/// The supported processors. The programs are static, so one build runs on every distribution.
pub const ALL: [Target; 2] = [
    Target { triple: "x86_64-unknown-linux-musl", deb: "amd64", rpm: "x86_64" },
    Target { triple: "aarch64-unknown-linux-musl", deb: "arm64", rpm: "aarch64" },
];

/// Every processor: for packages without programs. cargo still needs a target, and any of them works.
pub const EVERY: Target = Target { triple: ALL[0].triple, deb: "all", rpm: "noarch" };

impl Target {
    /// Parses a target triple; the error lists the valid ones.
    pub fn parse(triple: &str) -> Result<Target, String> {
        let known: Vec<&str> = ALL.iter().map(|t| t.triple).collect();
        ALL.into_iter()
            .find(|t| t.triple == triple)
            .ok_or_else(|| format!("expected one of {}", known.join(", ")))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.triple)
    }
}
