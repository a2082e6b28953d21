//! Instances and doors of a service, as they are written.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::raw::boot::Boot;

/// Instances of a service: each is a file `/etc/<product>/<service>/<instance>.env`.
///
/// Whoever adds such a file has added an instance. A name begins with a letter or digit and goes on with these, `_`,
/// `.` and `-`; 63 characters at most.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Instances {
    /// What each file has to say, and what that is.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub variables: IndexMap<String, String>,
    /// Files that the package brings, for an administrator to change: the instance, and a value for each variable.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub shipped: IndexMap<String, IndexMap<String, String>>,
}

/// A door in front of a service that listens somewhere itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Socket {
    /// Where systemd listens: ports, `ADDRESS:PORT`, or paths.
    pub listen: Vec<String>,
    /// Where the service itself does: `ADDRESS:PORT` or a path.
    pub to: String,
    /// Whether the door is open from boot on; `"on-request"` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot>,
    /// The service is stopped when nobody has been connected for this long; never when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
}
