//! The escape hatch, as it is written.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Directives without a field of their own, by section.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Directives {
    /// Of `[Unit]`.
    #[serde(rename = "Unit", skip_serializing_if = "IndexMap::is_empty")]
    pub unit: IndexMap<String, Directive>,
    /// Of `[Service]`.
    #[serde(rename = "Service", skip_serializing_if = "IndexMap::is_empty")]
    pub service: IndexMap<String, Directive>,
    /// Of `[Install]`.
    #[serde(rename = "Install", skip_serializing_if = "IndexMap::is_empty")]
    pub install: IndexMap<String, Directive>,
}

impl Directives {
    pub(super) fn is_empty(&self) -> bool {
        *self == Directives::default()
    }
}

/// A directive's value; a list becomes one line each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Directive {
    /// `yes` or `no`.
    Switch(bool),
    /// A number.
    Number(i64),
    /// Text, as it stands in the unit.
    Text(String),
    /// One line each.
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
