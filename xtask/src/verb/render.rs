//! `cargo xtask render`: writes the tree, to look at it.

use std::path::PathBuf;

use anyhow::Result;

use crate::render::render;
use crate::stage::Stage;
use crate::workspace::{Selection, Workspace};

/// What to render.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Folder to write into, one folder a product [default: target/render]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Writes the trees; the paths of their folders go to standard output.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    let out = args.out.unwrap_or_else(|| workspace.target_dir().join("render"));
    for product in args.selection.read(workspace)? {
        let dir = out.join(&product.name);
        Stage::write(&render(&product, &workspace.extras()?), product.release().epoch, &dir)?;
        println!("{}", dir.display());
    }
    Ok(())
}
