//! The guard of a service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A command that can prevent the stop of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Guard {
    /// Command as a list: the absolute path of a program, and its arguments. The environment variables `GUARD_VERB`
    /// and `GUARD_SERVICE` tell it what is about to happen. Exit status 0 allows it; any other status prevents it,
    /// and the output of the command is the reason.
    pub command: Vec<String>,
    /// Longest time to wait for the command, at most `1min`. Without an answer by then, the stop is prevented. The
    /// default is `5s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}
