//! When a service or a socket is started by itself, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a service is started at boot, or at login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Boot {
    /// Yes, or never.
    Always(bool),
    /// When somebody wants it.
    When(BootWhen),
}

/// When a service that is not started by itself is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BootWhen {
    /// From when on somebody has enabled it.
    OnRequest,
}
