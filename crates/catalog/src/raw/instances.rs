//! The instances and the socket of a service.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::raw::boot::Boot;

/// Instances of a service. Each instance is a file `/etc/<product>/<service>/<instance>.env`.
///
/// To add an instance, add such a file. The name of an instance has at most 63 letters, digits, `_`, `.` and `-`,
/// and starts with a letter or digit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Instances {
    /// Variables that the file of every instance must set, by name, each with a description such as `Port that it
    /// listens on.`
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub variables: IndexMap<String, String>,
    /// Instances that the package brings as configuration files, by name, each with a value for every variable.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub shipped: IndexMap<String, IndexMap<String, String>>,
}

/// A socket in front of a service: systemd listens on it, starts the service at the first connection, and passes
/// connections on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Socket {
    /// Addresses that systemd listens on: ports, `IP:PORT` or absolute paths.
    pub listen: Vec<String>,
    /// Address that the service itself listens on: `IP:PORT` or an absolute path.
    pub to: String,
    /// When systemd starts to listen. The default is `"on-request"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot>,
    /// Time without a connection after which the service is stopped, such as `10min`. By default, the service keeps
    /// running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
}
