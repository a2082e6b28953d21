//! When a service or a socket starts by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a service or a socket starts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Boot {
    /// `true`: at boot, or at login in user scope. `false`: never, and it cannot be enabled.
    Always(bool),
    /// Once it has been enabled.
    When(BootWhen),
}

/// When a service that is disabled by default starts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BootWhen {
    /// It is disabled by default, and starts at boot or login once it has been enabled with `systemctl enable`.
    OnRequest,
}
