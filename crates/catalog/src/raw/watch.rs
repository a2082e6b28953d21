//! How it is known that a service is up and well, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A probe, with or without what it expects of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Ready {
    /// The probe.
    Probe(String),
    /// The probe and what it expects.
    Answer(Answer),
}

/// A probe and what it expects of an answer over http.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Answer {
    /// As on the command line of `notify-helper run`.
    pub probe: String,
    /// Statuses that pass, such as `404` or `200-499`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Regular expression that the text must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// How it is noticed that a service hangs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Watchdog {
    /// Time within which a sign of life must come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// The probe that is such a sign; when left out, the program itself reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// Statuses that pass, such as `404` or `200-499`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Regular expression that the text must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}
