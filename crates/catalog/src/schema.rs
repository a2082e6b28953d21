//! The JSON Schema of a catalog, made from its types: editors complete and check a catalog with it, and
//! [`crate::structure`] checks it against this.

use serde_json::Value;

use crate::raw::Catalog;

/// The schema of a catalog.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Catalog);
    let comment = "Made from crates/catalog/src/raw.rs by `cargo xtask schema`; do not edit.";
    schema.insert("$comment".to_owned(), comment.into());
    schema.to_value()
}
