//! Environment files.

use serde::Serialize;

/// The environment file of a role.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Role {
    /// Name of the role.
    pub name: String,
    /// When a machine has this role.
    pub description: String,
    /// Path of the file.
    pub file: String,
    /// Variables in the catalog's order, without the one that names the role.
    pub variables: Vec<Variable>,
}

/// A line of an environment file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Variable {
    /// Name of the variable.
    pub name: String,
    /// Value as programs see it.
    pub value: String,
    /// Value as it stands in the file, quoted where necessary.
    pub quoted: String,
    /// Comment above the line.
    pub why: Option<String>,
}
