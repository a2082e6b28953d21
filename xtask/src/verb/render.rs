//! `cargo xtask render`: writes the rendered tree, or the part of it that some services need.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use catalog::setting::Setting;
use package::extra::extras;
use package::part;
use package::render::render;
use package::stage::Stage;
use workspace::Workspace;

use crate::selection::Selection;

/// What to render.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Output folder, with one folder per product [default: target/render]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only these services and what they need; may be repeated
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    only: Vec<String>,
    /// Override a value of the catalog: SERVICE.FIELD, or a variable as
    /// SERVICE.VARIABLE or VARIABLE; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
}

/// Writes the trees; prints the paths of their folders, or of the files of a part. Nothing is installed.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    let is_plain = args.only.is_empty() && args.set.is_empty();
    if !is_plain && !args.selection.is_one() {
        bail!("`--only` and `--set` require a single product: name it");
    }
    let out = args.out.unwrap_or_else(|| workspace.target_dir().join("render"));
    for product in args.selection.read_with(workspace, &args.set)? {
        let dir = out.join(&product.name);
        let tree = render(&product, &extras(workspace)?);
        let epoch = product.release().epoch;
        if args.only.is_empty() {
            Stage::write(&tree, epoch, &dir)?;
            println!("{}", dir.display());
            continue;
        }
        let part = part::select(&product, tree, &args.only).map_err(|what| anyhow!("--only: {what}"))?;
        Stage::write(&part, epoch, &dir)?;
        for path in part.0.keys() {
            println!("{}", dir.join(path).display());
        }
    }
    Ok(())
}
