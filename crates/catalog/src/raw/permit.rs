//! Who may control what without being an administrator, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may control which services.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Permit {
    /// One sentence: what this is for. It opens the polkit rule.
    pub why: String,
    /// Members of this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// This account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Every service of these kinds: those that use the default table, directly or through another.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// These services.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// What they may do to them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verbs: Vec<Verb>,
    /// What they may do to the machine itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub powers: Vec<Power>,
}

/// What may be done to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Restart it.
    Restart,
    /// Reload its configuration.
    Reload,
    /// Forget that it failed.
    ResetFailed,
}

/// What may be done to the machine, through logind: without sudo, which a service with no new privileges cannot use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// Power it off, at once or at a later time, and take that back; also while others are logged in, but not while
    /// something inhibits it.
    PowerOff,
    /// Reboot it, likewise.
    Reboot,
    /// Tell everybody who is logged in that it is about to happen.
    Warn,
}
