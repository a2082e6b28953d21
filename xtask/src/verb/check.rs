//! `cargo xtask check`: checks catalogs and templates without building a program.

use anyhow::{Context, Result, bail};
use package::extra::extras;
use package::origin;
use package::render::render;
use workspace::Workspace;

use super::schema;
use crate::selection::Selection;
use crate::{docs, golden, verify};

/// What to check.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
}

/// Runs all checks and prints a summary.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    for (file, text) in schema::FILES {
        let kept = std::fs::read_to_string(workspace.path(file)).with_context(|| format!("`{file}`"))?;
        if kept != text() {
            bail!("`{file}` is out of date: run `cargo xtask schema`");
        }
    }
    let own = workspace.products()?;
    let products = args.selection.read(workspace)?;
    if args.selection.catalog.is_empty() {
        docs::check(workspace, &products)?;
    }
    let extras = extras(workspace)?;
    let _turn = workspace.turn()?;
    for product in &products {
        let tree = render(product, &extras);
        for warning in origin::find_unknown(product, &tree) {
            eprintln!("warning: {}: {warning}", product.name);
        }
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
