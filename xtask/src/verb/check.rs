//! `cargo xtask check`.

use anyhow::Result;

use crate::workspace::{Selection, Workspace};

/// What to check.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
}

/// Checks.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    args.selection.read(workspace)?;
    Ok(())
}
