//! Directives that have no field of their own.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Directives of systemd that have no field of their own, by section.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Directives {
    /// Directives of the section `[Unit]`.
    #[serde(rename = "Unit", skip_serializing_if = "IndexMap::is_empty")]
    pub unit: IndexMap<String, Directive>,
    /// Directives of the section `[Service]`, such as `{ Nice = 5 }`.
    #[serde(rename = "Service", skip_serializing_if = "IndexMap::is_empty")]
    pub service: IndexMap<String, Directive>,
    /// Directives of the section `[Install]`.
    #[serde(rename = "Install", skip_serializing_if = "IndexMap::is_empty")]
    pub install: IndexMap<String, Directive>,
}

impl Directives {
    pub(super) fn is_empty(&self) -> bool {
        *self == Directives::default()
    }
}

/// The value of a directive or setting. A list becomes one line for each value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Directive {
    /// `yes` or `no`.
    Switch(bool),
    /// A number.
    Number(i64),
    /// Text, written to the file as it is. An empty text resets a list.
    Text(String),
    /// One line for each value.
    Lines(Vec<String>),
}

impl Directive {
    /// Returns the value as it stands in a file, one string for each line.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Directive::Switch(on) => vec![if *on { "yes" } else { "no" }.to_owned()],
            Directive::Number(number) => vec![number.to_string()],
            Directive::Text(text) => vec![text.clone()],
            Directive::Lines(lines) => lines.clone(),
        }
    }
}
