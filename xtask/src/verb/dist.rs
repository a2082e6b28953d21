//! `cargo xtask dist`: builds packages, checksums and bills of materials.

use std::path::PathBuf;

use anyhow::Result;
use package::dist::{Plan, dist};
use package::pack::Format;
use workspace::Workspace;
use workspace::target::{self, Target};

use crate::selection::Selection;

/// What to make.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Rust target triple; may be repeated [default: all]
    #[arg(long, value_name = "TRIPLE", value_parser = Target::parse)]
    target: Vec<Target>,
    /// Package formats
    #[arg(long, value_delimiter = ',', default_value = "deb,rpm")]
    format: Vec<Format>,
    /// Output folder [default: dist]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Builds the packages and prints their paths.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    let products = args.selection.read(workspace)?;
    let targets = if args.target.is_empty() { target::ALL.to_vec() } else { args.target };
    let here = args.out.is_none();
    let plan = Plan {
        products,
        targets,
        formats: args.format,
        dist: args.out.unwrap_or_else(|| workspace.path("dist")),
    };
    let paths = dist(workspace, &plan)?;
    for path in paths {
        let printed_path = if here { path.strip_prefix(workspace.path("")).unwrap_or(&path) } else { &path };
        println!("{}", printed_path.display());
    }
    Ok(())
}
