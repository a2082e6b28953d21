//! `cargo xtask inside`: what this program calls itself as, in a room. No person does.

use std::path::PathBuf;

use anyhow::Result;
use image::root;

/// What to do there.
#[derive(Debug, clap::Args)]
pub struct Args {
    plan: PathBuf,
}

/// Makes the root.
pub fn run(args: Args) -> Result<()> {
    root::inside(&args.plan)
}
