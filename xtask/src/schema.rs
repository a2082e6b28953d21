//! The JSON Schema of a catalog: takes the types of [`crate::catalog`], makes `catalog/schema.json`, which editors use
//! to complete and check a catalog, and against which [`crate::structure`] checks it.

use serde_json::Value;

use crate::catalog::Catalog;

/// Where it is checked in.
pub const FILE: &str = "catalog/schema.json";

/// The schema of the running toolchain.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Catalog);
    let comment = "Made from xtask/src/catalog.rs by `cargo xtask schema`; do not edit.";
    schema.insert("$comment".to_owned(), comment.into());
    schema.to_value()
}

/// Its text, as checked in.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&schema()).expect("a schema has only text keys");
    text.push('\n');
    text
}
