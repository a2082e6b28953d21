//! How systemd learns that a service is ready and still works.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A probe that tells when a service is ready, alone or with the answer that it expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Ready {
    /// The probe, such as `tcp:127.0.0.1:8080`.
    Probe(String),
    /// The probe and the answer that it expects.
    Answer(Answer),
}

/// A probe and the answer that it expects over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Answer {
    /// Probe in the syntax of notify-helper(1), such as `http://127.0.0.1:8080/health`.
    pub probe: String,
    /// HTTP status codes that mean success, such as `404` or `200-499`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Regular expression that must match the body of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// How systemd notices that a service hangs. A service that hangs is killed, and restarted if `restart` says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Watchdog {
    /// Longest time between two signs of life, such as `30s`. Required, here or in a default table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// Probe in the syntax of notify-helper(1) that counts as a sign of life. Needs `ready`. By default, the
    /// program sends signs of life to systemd itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// HTTP status codes that mean success, such as `404` or `200-499`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Regular expression that must match the body of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}
