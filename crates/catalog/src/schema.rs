//! The JSON Schema of a catalog, made from its types. Editors and [`crate::structure`] check catalogs with it.

use serde_json::Value;

use crate::raw::Catalog;

/// Returns the schema.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Catalog);
    let comment = "Made from crates/catalog/src/raw.rs by `cargo xtask schema`; do not edit.";
    schema.insert("$comment".to_owned(), comment.into());
    schema.to_value()
}
