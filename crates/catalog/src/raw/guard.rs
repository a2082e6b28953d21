//! The table of a guard, as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The site's say before something is stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Guard {
    /// A program by its absolute path, and its arguments. It finds `GUARD_VERB` and `GUARD_SERVICE` in its
    /// environment; status 0 is a yes, with any other one its output is the reason.
    pub command: Vec<String>,
    /// How long it may take: without an answer by then the answer is no. Five seconds when left out, at most a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}
