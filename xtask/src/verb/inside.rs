//! `cargo xtask inside`: internal entry point, which this program runs in its own sandbox.

use std::path::PathBuf;

use anyhow::Result;
use image::root;

/// What to do there.
#[derive(Debug, clap::Args)]
pub struct Args {
    plan: PathBuf,
}

/// Builds a root file system.
pub fn run(args: Args) -> Result<()> {
    root::inside(&args.plan)
}
