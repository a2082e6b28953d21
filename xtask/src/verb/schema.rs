//! `cargo xtask schema`: writes the JSON Schemas of a catalog and of the programs' JSON output.

use anyhow::Result;
use base::diagnosis::Diagnosis;
use base::field::FieldLine;
use base::report::{Outcome, Status};
use catalog::schema::schema;
use serde_json::{Value, json};
use workspace::{Workspace, output};

/// The checked-in schemas and the functions that generate them.
pub const FILES: [(&str, Text); 2] =
    [("catalog/schema.json", || text(&schema())), ("programs/rovi/report.schema.json", || text(&report()))];

/// Makes the text of a schema.
pub type Text = fn() -> String;

/// Writes the schemas; `cargo xtask check` verifies that they are current.
pub fn run(workspace: &Workspace) -> Result<()> {
    for (file, text) in FILES {
        output::replace(&workspace.path(file), text().as_bytes())?;
        println!("{file}");
    }
    Ok(())
}

/// Returns the schema of a report: a status, or the result of an action.
fn report() -> Value {
    let mut generator = schemars::SchemaGenerator::default();
    let kinds = [
        generator.subschema_for::<Status>(),
        generator.subschema_for::<Outcome>(),
        generator.subschema_for::<Diagnosis>(),
        generator.subschema_for::<FieldLine>(),
    ];
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Made from programs/base/src/report.rs by `cargo xtask schema`; do not edit.",
        "title": "Report",
        "anyOf": kinds,
        "$defs": generator.take_definitions(true),
    })
}

fn text(schema: &Value) -> String {
    let mut text = serde_json::to_string_pretty(schema).expect("all keys are strings");
    text.push('\n');
    text
}
