//! Values that the command line gives to a catalog.

use std::collections::BTreeMap;

/// Paths of payloads that a person brings, by name. They replace what the catalog says.
pub type Given = BTreeMap<String, String>;
