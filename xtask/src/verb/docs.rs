//! `cargo xtask docs`: builds the documentation site.

use std::path::PathBuf;

use anyhow::Result;
use workspace::Workspace;

use crate::docs::{link, site};

/// Where the site goes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder to build into [default: target/docs]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Checks the links and builds the site; prints the path of its first page.
pub fn run(workspace: &Workspace, args: Args) -> Result<()> {
    link::check(workspace)?;
    let out = args.out.unwrap_or_else(|| workspace.target_dir().join("docs"));
    site::build(workspace, &out)?;
    println!("{}", out.join("index.html").display());
    Ok(())
}
