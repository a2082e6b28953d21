//! `cargo xtask schema`: writes the JSON Schema of a catalog.

use anyhow::Result;

use crate::output;
use crate::schema;
use crate::workspace::Workspace;

/// Writes it; `cargo xtask check` verifies that it is current.
pub fn run(workspace: &Workspace) -> Result<()> {
    let path = workspace.path(schema::FILE);
    output::replace(&path, schema::text().as_bytes())?;
    println!("{}", schema::FILE);
    Ok(())
}
