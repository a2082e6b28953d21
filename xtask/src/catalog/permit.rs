//! Who may control what, as it is written.

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
    /// What they may do.
    pub verbs: Vec<Verb>,
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
