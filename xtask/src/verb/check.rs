//! `cargo xtask check`: everything that can be said of catalogs and templates without building a program.

use anyhow::{Context, Result, bail};

use crate::render::render;
use crate::workspace::{Selection, Workspace};
use crate::{docs, golden, schema, verify};

/// What to check.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
}

/// Checks everything, and says how much that was.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    let path = workspace.path(schema::FILE);
    let kept = std::fs::read_to_string(&path).with_context(|| format!("`{}`", schema::FILE))?;
    if kept != schema::text() {
        bail!(
            "`{}` is not that of the types in xtask/src/catalog.rs: run `cargo xtask schema`",
            schema::FILE
        );
    }
    let own = workspace.products()?;
    let products = args.selection.read(workspace)?;
    if args.selection.catalog.is_empty() {
        docs::check(workspace, &products)?;
    }
    let pages = workspace.pages()?;
    let _turn = workspace.turn()?;
    for product in &products {
        let tree = render(product, &pages);
        if args.selection.catalog.is_empty() && own.contains(&product.name) {
            golden::check(&tree, &workspace.path("tests/golden").join(&product.name))?;
        }
        verify::verify(product, &tree, &workspace.target_dir().join("check").join(&product.name))?;
        eprintln!(
            "{}: {} units and {} files are in order",
            product.name,
            product.services.len(),
            tree.0.len()
        );
    }
    Ok(())
}
