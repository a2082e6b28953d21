//! The JSON output of `rovi fields`, in the format of status fields in the UI bridge's protocol.

use serde::{Deserialize, Serialize};

/// A field and its value, printed at the start and after every change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FieldLine {
    /// Version of this schema.
    pub schema: u32,
    /// Description of the field.
    pub meta: StatusFieldMeta,
    /// Current value.
    pub value: StatusFieldValue,
}

/// The description of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StatusFieldMeta {
    /// Name of the field in the configuration.
    pub name: String,
    /// Type of the value, always `text`.
    pub r#type: String,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StatusFieldValue {
    /// For a service, the state in systemd's words (`active`, `inactive`, `failed`, `activating`, …) or
    /// `missing`; for a process, `running` or `missing`.
    pub text: String,
}
