//! Permits: who may control which services.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A permit: who may control which services without being an administrator.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Permit {
    /// Purpose of the permit, in one sentence. It is the comment above the polkit rule.
    pub why: String,
    /// Group whose members have the permit. Write either `group` or `user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Account that has the permit, for a service that controls other services. Write either `group` or `user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Kinds of services that the permit covers: all services that use one of these default tables, directly or
    /// through another one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Services that the permit covers, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Actions that are allowed on these services.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verbs: Vec<Verb>,
    /// Actions that are allowed on the machine itself. A permit with `powers` alone names no services.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub powers: Vec<Power>,
}

/// An action on a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Start the service.
    Start,
    /// Stop the service.
    Stop,
    /// Restart the service.
    Restart,
    /// Reload the configuration of the service.
    Reload,
    /// Reset the failed state of the service.
    ResetFailed,
}

/// An action on the machine. It goes through logind and needs no sudo, which does not work for a service that
/// cannot gain privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// Power the machine off, now or at a scheduled time, or cancel a scheduled shutdown. This works while others
    /// are logged in, but not while an inhibitor is active.
    PowerOff,
    /// Reboot the machine, now or at a scheduled time, or cancel a scheduled reboot. This works while others are
    /// logged in, but not while an inhibitor is active.
    Reboot,
    /// Send a message about it to everybody who is logged in.
    Warn,
}
