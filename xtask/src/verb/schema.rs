//! `cargo xtask schema`: writes the JSON Schema of a catalog.

use anyhow::Result;

use crate::schema;
use crate::workspace::Workspace;

/// Writes it; `cargo xtask check` verifies that it is current.
pub fn run(workspace: &Workspace) -> Result<()> {
    let path = workspace.path(schema::FILE);
    std::fs::write(&path, schema::text())?;
    println!("{}", schema::FILE);
    Ok(())
}
