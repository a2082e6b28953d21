//! What happens when a service ends, fails or is upgraded, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether systemd starts a service again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Never: a person decides.
    No,
    /// After a crash, an error or a hang.
    OnFailure,
    /// Whenever it ends.
    Always,
}

/// How many starts in which time, and what then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StartLimit {
    /// How many starts.
    pub burst: u32,
    /// Time in which they are counted.
    pub interval: String,
    /// What the machine does when that is exceeded; nothing when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<LimitAction>,
}

/// What the machine does when a service was started too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitAction {
    /// Nothing; the service stays failed.
    None,
    /// An orderly reboot of the machine.
    Reboot,
}

/// What happens when a service has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OnFailure {
    /// The product's own notice.
    Notice(Notice),
    /// These are started.
    Units(Vec<String>),
}

/// A notice about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// People are told, as `/etc/<product>/alert.conf` says.
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
    /// Restart it, unless that would stop a service that is kept.
    Restart,
    /// Leave it alone; it is new at its next start.
    Keep,
}
