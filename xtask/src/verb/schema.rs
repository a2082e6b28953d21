//! `cargo xtask schema`: writes the JSON Schemas.

use anyhow::Result;

use crate::output;
use crate::schema;
use crate::workspace::Workspace;

/// Writes them; `cargo xtask check` verifies that they are current.
pub fn run(workspace: &Workspace) -> Result<()> {
    for (file, text) in schema::FILES {
        output::replace(&workspace.path(file), text().as_bytes())?;
        println!("{file}");
    }
    Ok(())
}
