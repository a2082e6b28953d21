//! What a service may use and touch, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds of what a service may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// Share of one processor, such as `200%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<String>,
    /// Memory, such as `4G`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<String>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks_max: Option<u32>,
    /// Open files of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nofile: Option<u32>,
    /// Processes of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nproc: Option<u32>,
}

/// How much a service is locked out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hardening {
    /// Everything that a ROS 2 graph with DDS and serial devices still works under.
    Ros,
    /// For a network service without devices but those that it names.
    Strict,
    /// What a user's own manager can do; the default there, and for nowhere else.
    User,
    /// Nothing.
    None,
}
