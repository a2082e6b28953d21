//! `cargo xtask lock`: locks the Python packages that a product brings.

use anyhow::{Result, bail};
use catalog::model::Product;
use package::payload::{self, Upgrade};
use workspace::Workspace;

use crate::selection::Selection;

/// The products to lock.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Take the newest version of this package; may be repeated
    #[arg(long, value_name = "PACKAGE", conflicts_with = "upgrade_all")]
    upgrade: Vec<String>,
    /// Take the newest version of every package
    #[arg(long)]
    upgrade_all: bool,
}

/// Makes the locks, lists the differences, and prints the paths of the files that it has written.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    let products = args.selection.read(workspace)?;
    let upgrade = match (args.upgrade_all, args.upgrade) {
        (true, _) => Upgrade::Everything,
        (false, packages) if packages.is_empty() => Upgrade::Nothing,
        (false, packages) => Upgrade::Some(packages),
    };
    let is_python = |product: &&Product| product.payloads.iter().any(|payload| payload.python().is_some());
    let locked: Vec<_> = products.iter().filter(is_python).collect();
    if locked.is_empty() {
        bail!("nothing to lock: no payload of the catalog has `python`");
    }
    for product in locked {
        payload::lock(workspace, product, &upgrade, |made| {
            made.changes.iter().for_each(|change| eprintln!("{change}"));
            if made.changes.is_empty() {
                eprintln!("no package changes");
            }
            made.written.iter().for_each(|path| println!("{}", path.display()));
        })?;
    }
    Ok(())
}
