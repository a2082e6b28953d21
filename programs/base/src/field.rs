//! What `rovi fields` prints: the type of its JSON lines, shaped like the status fields of the UI bridge's protocol.

use serde::{Deserialize, Serialize};

/// One line: a field and its value, printed at the beginning and whenever the value has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FieldLine {
    /// Number of this schema.
    pub schema: u32,
    /// The field.
    pub meta: StatusFieldMeta,
    /// What it is now.
    pub value: StatusFieldValue,
}

/// What is known of a field beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StatusFieldMeta {
    /// Its name in the configuration.
    pub name: String,
    /// How its value is to be read: `text`, for every field that is served here.
    pub r#type: String,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StatusFieldValue {
    /// Of a service, systemd's word for its state (`active`, `inactive`, `failed`, `activating`, …) or `missing`; of a
    /// process, `running` or `missing`.
    pub text: String,
}
