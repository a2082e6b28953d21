//! What happens when a service ends, fails or is upgraded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether systemd restarts a service that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// It stays stopped until a person starts it.
    No,
    /// It is restarted after a crash, an error or a hang.
    OnFailure,
    /// It is restarted whenever it ends.
    Always,
}

/// How often a service may start within a period, and what happens when it starts more often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StartLimit {
    /// Number of starts that are allowed within `interval`.
    pub burst: u32,
    /// Period in which starts are counted, such as `5min`.
    pub interval: String,
    /// What the machine does when the limit is exceeded. By default, nothing: the service stays failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<LimitAction>,
}

/// What the machine does when a service has started too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitAction {
    /// Nothing; the service stays failed.
    None,
    /// It reboots in an orderly way. Not available in user scope.
    Reboot,
}

/// What happens when a service fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OnFailure {
    /// An alert is sent.
    Notice(Notice),
    /// These services or units are started.
    Units(Vec<String>),
}

/// A notice of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// People are alerted in the way that `/etc/<product>/alert.conf` configures.
    Alert,
}

impl Default for OnFailure {
    fn default() -> OnFailure {
        OnFailure::Units(Vec::new())
    }
}

impl OnFailure {
    pub(super) fn is_empty(&self) -> bool {
        *self == OnFailure::default()
    }
}

/// What an upgrade of the package does to a running service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnUpgrade {
    /// It is restarted, unless that would stop a service with `keep`.
    Restart,
    /// It keeps running. The new version runs from its next start.
    Keep,
}
