//! The limits and the hardening of a service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits on the resources of a service or a slice. What is not set is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// CPU time, as a percentage of one processor: `200%` is two processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<String>,
    /// Memory, such as `512M` or `4G`. When it is used up, the kernel kills processes of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<String>,
    /// Number of processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks_max: Option<u32>,
    /// Number of open files per process. Only for services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nofile: Option<u32>,
    /// Number of processes of the user. Only for services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nproc: Option<u32>,
}

/// A hardening profile: what a service is locked out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hardening {
    /// For a ROS 2 graph: everything is locked down that DDS and serial devices can work without.
    Ros,
    /// For a network service without access to devices, except those in `devices`. The default in system scope.
    Strict,
    /// For user scope: what the service manager of a user can enforce. The default there, and not available in
    /// system scope.
    User,
    /// No hardening.
    None,
}
